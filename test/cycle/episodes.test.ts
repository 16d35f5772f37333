/** Episodes: what a cycle writes of them, what a reader sees, also where writes fail. */
import { describe, expect, test } from "vitest";
import type { EpisodeName, StoredEpisode } from "../../shared/store/episode.ts";
import type { EpisodeFilter } from "../../shared/store/episodes.ts";
import { formatInstant } from "../../shared/time.ts";
import { DAY_MS, MINUTE_MS, type ScriptedCanary, slot, useCanaries } from "../support/cycle.ts";
import { rosterOf, slotsOf } from "../support/facts.ts";

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

describe("what a red fleet costs", () => {
  /** A fleet in which each agent leaks a slot. Evidence is kept here and not in the table, which counts what is asked for. */
  async function redFleet(size: number) {
    const canary = await canaryOf();
    const names = Array.from({ length: size }, (_, i) => `agent-${i}`);
    canary.set({
      ...leaks(Object.fromEntries(names.map((name) => [name, 1]))),
      roster: rosterOf(
        Object.fromEntries(names.map((name) => [name, { executionTimeoutSeconds: 7 * 86_400 }])),
      ),
    });
    const cost = { written: 0, lookUps: 0 };
    const kept = new Map<string, StoredEpisode>();
    canary.stateCalls("evidence.reserveIds", async () => 1);
    canary.stateCalls("evidence.write", async () => {});
    canary.stateCalls("latest.write", async () => {});
    canary.stateCalls("episodes.write", async (episodes: StoredEpisode[]) => {
      cost.written += episodes.length;
      for (const episode of episodes) kept.set(episode.subject, episode);
    });
    canary.stateCalls("episodes.lookUp", async (wanted: EpisodeName[]) => {
      cost.lookUps += 1;
      return new Map(
        wanted.flatMap(({ subject }) => (kept.has(subject) ? [[subject, kept.get(subject)!]] : [])),
      );
    });
    const cycle = async () => {
      Object.assign(cost, { written: 0, lookUps: 0 });
      await canary.cycle();
      return { ...cost };
    };
    return { canary, cycle, kept };
  }

  test("1,000 subjects: one item each when they begin and when they end, and one a day in between", async () => {
    const { canary, cycle, kept } = await redFleet(1_000);
    expect(await cycle()).toEqual({ written: 1_000, lookUps: 0 });
    // The next cycle looks whether they are there: one query.
    expect(await cycle()).toEqual({ written: 0, lookUps: 1 });
    let written = 0;
    for (let hour = 0; hour < 24; hour += 1) {
      canary.advance(55 * MINUTE_MS);
      const cost = await cycle();
      expect(cost.written).toBeLessThanOrEqual(100);
      written += cost.written;
    }
    // Some of the last hour's are written by the next cycle, and some of the first hour's were there before.
    expect(written).toBeGreaterThan(900);
    expect(written).toBeLessThan(1_100);
    canary.set(leaks({}));
    expect(await cycle()).toEqual({ written: 1_000, lookUps: 1 });
    expect(await cycle()).toEqual({ written: 0, lookUps: 1 });
    expect(await cycle()).toEqual({ written: 0, lookUps: 0 });
    expect(new Set([...kept.values()].map((e) => `${e.cycles} ${e.ended}`))).toEqual(
      new Set(["26 recovered"]),
    );
  });
});
