/** A short soak on real servers: every break is found, nothing else is, and a canary that sees nothing fails it. */
import { expect, test } from "vitest";
import { BREAKS } from "../../../infra/soak/breaks.ts";
import { runSoak } from "../../../infra/soak/soak.ts";
import { ASKED, watchWith } from "../../../infra/soak/watch.ts";
import { describeLive } from "../../support/live.ts";

const SHORT = {
  rate: 20,
  agentCount: 12,
  scale: 1,
  confirmMs: 100,
  jumpAheadMs: 1_500,
  jumpBackMs: 45_000,
  seed: 20_261_123,
};

describeLive(["redis-server"], "a soak", () => {
  test("of thirty cycles, with every break once, finds each and accuses nobody", async () => {
    const breaks = Object.keys(BREAKS).length;
    const { judgement, breaksByName, told, lines } = await runSoak({ ...SHORT, cycles: 30, breaks });
    expect({ ...judgement, trueReds: judgement.trueReds > breaks }).toEqual({
      falseReds: [],
      trueReds: true,
      missed: [],
      voidBreaks: [],
      unknowns: [],
    });
    expect(Object.values(breaksByName)).toEqual(Array(breaks).fill(1));
    // Operators heard of each invariant, and of its recovery where the run went on for long enough.
    for (const id of ASKED) expect(told).toHaveProperty(`broke ${id}`);
    expect(lines).toEqual([]);
  });

  test("with a canary that keeps silent has missed the break", async () => {
    const { judgement } = await runSoak({
      ...SHORT,
      cycles: 2,
      breaks: 1,
      watcher: ({ canary }) => {
        const watch = watchWith(canary);
        return async () => ({ ...(await watch()), found: [] });
      },
    });
    expect(judgement.missed.flatMap(({ planned }) => planned ?? [])).toEqual(["leaked slot"]);
  });
});
