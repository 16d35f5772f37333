/** A short soak on real servers: every break is found and nothing else, and a canary that sees nothing fails the soak. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { FAULTS } from "../../../infra/faults/index.ts";
import type { Target } from "../../../infra/faults/target.ts";
import { findDocker, type LocalDocker } from "../../../infra/local/docker.ts";
import type { Backend } from "../../../infra/platform/file-client.ts";
import type { Release } from "../../../infra/platform/releases.ts";
import { isProven } from "../../../infra/soak/judge.ts";
import { LOAD_KINDS } from "../../../infra/soak/load/churn.ts";
import { runSoak } from "../../../infra/soak/soak.ts";
import { watchWith } from "../../../infra/soak/watch.ts";
import { type Dockerd, startDockerd } from "../../support/dockerd.ts";
import { describeLive } from "../../support/live.ts";

/** Targets like the soak's. */
const WITH_CONTAINERS = { docker: {}, controls: {} } as unknown as Target;
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

/** Runs thirty cycles with every break that the target can have once: each is found, and nothing else. */
async function findsEach(
  { release, database }: { release: Release; database: Backend },
  target: Target,
  docker?: LocalDocker,
): Promise<void> {
  const faults = FAULTS.filter(
    ({ invariantId, obstacle, holdSeconds }) =>
      invariantId !== "R-01" && !obstacle?.(target) && holdSeconds === undefined,
  );
  const breaks = faults.length;
  const { judgement, breaksByName, alerts, lines } = await runSoak({
    ...SHORT,
    release,
    database,
    docker,
    cycles: 30,
    breaks,
    // H-01's minute is the drill's to wait for.
    longest: 0,
  });
  // The accessor does not count an agent that was made after its answer, or that is off the roster.
  const unseen = judgement.unseen.filter(({ invariant }) => invariant !== "B-01");
  expect({ ...judgement, unseen, trueReds: judgement.trueReds > breaks }).toEqual({
    falseReds: [],
    trueReds: true,
    missed: [],
    voidBreaks: [],
    unknowns: [],
    unseen: [],
  });
  expect(isProven(judgement)).toBe(true);
  expect(breaksByName).toEqual(Object.fromEntries(faults.map(({ name }) => [name, 1])));
  // An alert is sent for each invariant, and for its recovery where the run lasts long enough.
  for (const { invariantId } of faults) expect(alerts).toHaveProperty(`broke ${invariantId}`);
  expect(lines).toEqual([]);
}

describeLive(["redis-server", "dockerd"], "a soak with containers", () => {
  let dockerd: Dockerd;
  beforeAll(async () => {
    dockerd = await startDockerd();
  });
  afterAll(() => dockerd?.close());

  test("of thirty cycles on the release today, with every break once, finds each and accuses nobody", async () => {
    await findsEach(
      { release: "today", database: "sqlite" },
      WITH_CONTAINERS,
      await findDocker(dockerd.socket, undefined),
    );
    expect(await dockerd.docker("ps", "-aq")).toBe("");
  });
});

describeLive(["redis-server", "postgres"], "a soak on PostgreSQL", () => {
  test("of thirty cycles on the release today, with every break once, finds each and accuses nobody", () =>
    findsEach({ release: "today", database: "postgres" }, WITHOUT_CONTAINERS));

  test("of a release without PostgreSQL does not start, and says why", async () => {
    const soak = runSoak({ ...SHORT, release: "seed", database: "postgres", cycles: 1, breaks: 0 });
    await expect(soak).rejects.toThrow(
      "the release seed has no PostgreSQL: leave --database or --release out",
    );
  });
});

describeLive(["redis-server"], "a soak", () => {
  test("of thirty cycles on the release seed, with every break once, finds each and accuses nobody", () =>
    findsEach({ release: "seed", database: "sqlite" }, WITHOUT_CONTAINERS));

  test("with a canary that can't say something is no proof", async () => {
    const { judgement } = await runSoak({
      ...SHORT,
      cycles: 2,
      breaks: 0,
      watcher: ({ canary }) => {
        const watch = watchWith(canary);
        return async () => {
          const cycle = await watch();
          const unread = { status: "unknown" as const, unseen: [], reason: "redis: not read" };
          return { ...cycle, verdicts: { ...cycle.verdicts, "S-02": unread } };
        };
      },
    });
    expect(judgement.unknowns).toEqual([
      { cycle: 0, invariant: "S-02", reason: "redis: not read" },
      { cycle: 1, invariant: "S-02", reason: "redis: not read" },
    ]);
    expect(isProven(judgement)).toBe(false);
  });

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
