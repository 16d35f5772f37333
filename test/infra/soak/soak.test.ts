/** A short soak on real servers: every break is found and nothing else, and a canary that sees nothing fails the soak. */
import { expect, test } from "vitest";
import { FAULTS } from "../../../infra/faults/index.ts";
import type { Target } from "../../../infra/faults/target.ts";
import { RELEASES } from "../../../infra/platform/releases.ts";
import { LOAD_KINDS } from "../../../infra/soak/load/churn.ts";
import { runSoak } from "../../../infra/soak/soak.ts";
import { watchWith } from "../../../infra/soak/watch.ts";
import { describeLive } from "../../support/live.ts";

/** A target like the soak's. */
const WITHOUT_CONTAINERS = { docker: { absent: "there are none" }, controls: {} } as unknown as Target;

const SHORT = {
  release: "today" as const,
  kinds: LOAD_KINDS,
  rate: 20,
  agentCount: 12,
  scale: 1,
  confirmMs: 100,
  jumpAheadMs: 900,
  jumpBackMs: 900,
  seed: 20_261_123,
};

describeLive(["redis-server"], "a soak", () => {
  test.each(RELEASES)(
    "of thirty cycles on the release %s, with every break once, finds each and accuses nobody",
    async (release) => {
      const faults = FAULTS.filter(
        ({ obstacle, holdSeconds }) => !obstacle?.(WITHOUT_CONTAINERS) && holdSeconds === undefined,
      );
      const breaks = faults.length;
      const { judgement, breaksByName, alerts, lines } = await runSoak({
        ...SHORT,
        release,
        cycles: 30,
        breaks,
        // H-01's minute is the drill's to wait for.
        longest: 0,
      });
      expect({ ...judgement, trueReds: judgement.trueReds > breaks }).toEqual({
        falseReds: [],
        trueReds: true,
        missed: [],
        voidBreaks: [],
        unknowns: [],
      });
      expect(breaksByName).toEqual(Object.fromEntries(faults.map(({ name }) => [name, 1])));
      // An alert is sent for each invariant, and for its recovery where the run lasts long enough.
      for (const { invariantId } of faults) expect(alerts).toHaveProperty(`broke ${invariantId}`);
      expect(lines).toEqual([]);
    },
  );

  test("with a canary that keeps silent has missed the break", async () => {
    const { judgement } = await runSoak({
      ...SHORT,
      cycles: 2,
      breaks: 3,
      longest: 0,
      watcher: ({ canary }) => {
        const watch = watchWith(canary);
        return async () => ({ ...(await watch()), violations: [] });
      },
    });
    const missed = judgement.missed.flatMap(({ planned }) => planned ?? []);
    expect(missed.sort()).toEqual(["leaked slot", "old database", "other Redis"]);
  });
});
