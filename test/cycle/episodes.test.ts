/** Episodes: what a cycle writes of them, what a reader sees, also where writes fail. */
import { describe, expect, test } from "vitest";
import type { EpisodeFilter } from "../../shared/store/episodes.ts";
import { formatInstant } from "../../shared/time.ts";
import { DAY_MS, MINUTE_MS, type ScriptedCanary, slot, useCanaries } from "../support/cycle.ts";
import { slotsOf } from "../support/facts.ts";

const canaryOf = useCanaries();

/** Agents that hold so many slots without a run. */
const leaks = (leaked: Record<string, number>) => ({
  slots: slotsOf(
    Object.fromEntries(
      Object.entries(leaked).map(([agent, n]) => [
        agent,
        Array.from({ length: n }, (_, i) => slot(`${agent}-${i}`)),
      ]),
    ),
  ),
});
const list = async (canary: ScriptedCanary, filter: Partial<EpisodeFilter> = {}, limit = 100) =>
  (
    await canary.store.episodes.list(
      { startMs: 0, endMs: canary.now(), nowMs: canary.now(), ...filter },
      limit,
      null,
    )
  ).items;

describe("one episode", () => {
  test("begins, grows and ends: three cycles, with the first and the last state and the peak", async () => {
    const canary = await canaryOf();
    canary.set(leaks({ alpha: 1 }));
    await canary.cycle("S-01");
    const since = formatInstant(canary.now() - canary.deps.settings.confirmAfterMs);
    canary.set(leaks({ alpha: 3 }));
    const peakAt = formatInstant(canary.now() + 5 * MINUTE_MS);
    await canary.cycle();
    canary.set(leaks({ alpha: 2 }));
    await canary.cycle();
    const [open] = await list(canary, { invariantId: "S-01" });
    expect(open).toMatchObject({ subject: "alpha", since, until: null, cycles: 3, ended: null, held: null });
    canary.set(leaks({}));
    await canary.cycle();
    const [ended] = await list(canary, { invariantId: "S-01" });
    expect(ended).toMatchObject({
      id: open!.id,
      invariant_id: "S-01",
      severity: "critical",
      since,
      until: formatInstant(canary.now()),
      ended: "recovered",
      cycles: 3,
      on_roster: true,
      first_state: { in_redis_only: ["alpha-0"] },
      last_state: { in_redis_only: ["alpha-0", "alpha-1"] },
      peak: { value: 3, at: peakAt },
    });
    expect(ended!.peak.words).toContain("alpha-2");
    expect(ended!.words).toContain("alpha-1");
    expect(await canary.store.episodes.get(ended!.id, canary.now())).toEqual(ended);
    expect((await canary.memory()).endings).toHaveLength(1);
    await canary.cycle();
    expect((await canary.memory()).endings).toEqual([]);
    expect(await list(canary)).toEqual([ended]);
    canary.advance(91 * DAY_MS);
    expect(await list(canary)).toEqual([]);
  });
});
