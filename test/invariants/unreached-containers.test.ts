/** Containers that a cycle had no time for: no invariant takes them for healthy, for broken, or for gone. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Facts, Readings } from "../../shared/facts/facts.ts";
import { noQueuedWithoutSlotsFull as B02 } from "../../shared/invariants/b-02-no-queued-without-slots-full.ts";
import { pullWorkersAlive as B08 } from "../../shared/invariants/b-08-pull-workers-alive.ts";
import { rosterBlindness as H01 } from "../../shared/invariants/h-01-roster-blindness.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import type { Invariant } from "../../shared/invariants/invariant.ts";
import { noZombieClaude as R01 } from "../../shared/invariants/r-01-no-zombie-claude.ts";
import { docker } from "../../shared/sources/docker/docker.ts";
import { loadConfig } from "../../shared/variables.ts";
import { evaluate } from "../../shared/verdict/evaluate.ts";
import { containerId, type DockerApi, startDockerApi } from "../support/docker-api.ts";
import {
  executionsOf,
  leased,
  msAgo,
  observedOf,
  queued,
  readingsOf,
  recordOf,
  rosterOf,
  secondsAgo,
} from "../support/facts.ts";

const AGENTS = Array.from({ length: 20 }, (_, n) => `agent-${n}`);
/** Looked at together, of one daemon. */
const AT_ONCE = 16;
const DEADLINE_MS = 60_000;

let api: DockerApi;
let clockMs = 0;
beforeEach(async () => {
  clockMs = 0;
  vi.spyOn(performance, "now").mockImplementation(() => clockMs);
  api = await startDockerApi(AGENTS.map((agent) => `agent-${agent}`));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await api.close();
});

/** What a daemon's containers say of their pull workers. */
function withEnvironment(Env: readonly string[]): void {
  for (const n of AGENTS.keys())
    api.inspects.set(containerId(n), { State: { StartedAt: "2026-11-22T12:00:00Z" }, Config: { Env } });
}

/**
 * Reads a daemon whose time ends with so many containers, and lays it over a platform.
 * @returns the readings, and whose containers were not reached
 */
async function readUntil(reached: 0 | typeof AT_ONCE, facts: Partial<Facts>) {
  let inspected = 0;
  let open = () => {};
  const all = new Promise<void>((resolve) => {
    open = resolve;
  });
  api.before = (request) => {
    if (request === "GET /containers/json" && reached === 0) clockMs = DEADLINE_MS;
    if (!request.endsWith("/start")) return undefined;
    inspected += 1;
    if (inspected === reached) {
      clockMs = DEADLINE_MS;
      open();
    }
    return all;
  };
  const values = { hosts: [api.host], readersFrom: 10, readerDaemons: 5, ca: null, cert: null, key: null };
  const { cycle } = loadConfig({ SOURCE_DEADLINE_MS: String(DEADLINE_MS) });
  const read = docker.configure(values, { cycle, database: null });
  if (typeof read === "string") throw new Error(read);
  const { readings } = await read({
    signal: new AbortController().signal,
    now: Date.now,
    wanted: new Set(["zombies", "containers"]),
    since: { ended: null },
  });
  if (!readings.containers?.read) throw new Error("not read");
  const unreached = readings.containers.value.unseenContainers.map(({ agent }) => agent).sort();
  expect(unreached).toHaveLength(AGENTS.length - reached);
  const roster = rosterOf(Object.fromEntries(AGENTS.map((agent) => [agent, {}])));
  return { readings: { ...readingsOf({ roster, ...facts }), ...readings } as Readings, unreached };
}

const ofAll = <T>(one: (agent: string) => T) => AGENTS.map(one);
const polledAgo = (seconds: number): Partial<Facts> => ({
  pullPolls: new Map(ofAll((agent) => [agent, secondsAgo(seconds)])),
});
const HEALTHY = "STAT PID COMMAND\nSs 1 sleep\n";
const PULLING = ["TRINITY_PULL_MODE=true", "TRINITY_MAX_PARALLEL_TASKS=3"];

/** A platform on which every agent is broken in that way, and one on which every agent is healthy. */
interface Story {
  readonly invariant: Invariant;
  readonly broken: () => Partial<Facts>;
  readonly healthy: () => Partial<Facts>;
}
const STORIES: Story[] = [
  {
    invariant: B08,
    broken: () => {
      withEnvironment(PULLING);
      return polledAgo(900);
    },
    healthy: () => {
      withEnvironment(PULLING);
      return polledAgo(5);
    },
  },
  {
    invariant: R01,
    broken: () => {
      api.processes = `${HEALTHY}Z 7 claude\n`;
      return {};
    },
    healthy: () => {
      api.processes = HEALTHY;
      return {};
    },
  },
];

describe.for(STORIES)("$invariant.id, which looks into containers", ({ invariant, broken, healthy }) => {
  test("those that were reached are judged, and the others are unseen", async () => {
    for (const [status, platform] of [
      ["red", broken],
      ["green", healthy],
    ] as const) {
      clockMs = 0;
      const { readings, unreached } = await readUntil(AT_ONCE, platform());
      const verdict = evaluate(invariant, readings);
      expect(recordOf(verdict)).toEqual({ status, checked: AT_ONCE, unseen: unreached, reason: null });
      const red = verdict.findings.map(({ subject }) => subject);
      expect(red).toHaveLength(status === "red" ? AT_ONCE : 0);
      expect(red.filter((agent) => unreached.includes(agent))).toEqual([]);
      // Whatever was red of them stays red.
      expect(unreached.filter((agent) => verdict.coverage.saw(agent))).toEqual([]);
      expect(verdict.coverage.isWhole).toBe(false);
    }
  });

  test("where none was reached it is unknown, neither green nor red", async () => {
    for (const platform of [broken, healthy]) {
      clockMs = 0;
      const { readings, unreached } = await readUntil(0, platform());
      expect(unreached).toHaveLength(AGENTS.length);
      expect(recordOf(evaluate(invariant, readings))).toMatchObject({
        status: "unknown",
        checked: 0,
        reason: "none of 20 subjects could be seen",
      });
    }
  });
});

describe("B-02, which can judge a queue without them", () => {
  const waiting = (seconds: number, ...more: Parameters<typeof executionsOf>[0][number][]) => ({
    ...polledAgo(5),
    executions: executionsOf([
      ...ofAll((agent) => queued(`q-${agent}`, { agent, waitedSeconds: seconds })),
      ...more,
    ]),
  });

  test("an unreached container is not taken for one that has stopped, nor for one whose workers are known", async () => {
    withEnvironment(PULLING);
    const { readings, unreached } = await readUntil(AT_ONCE, waiting(130));
    const verdict = evaluate(B02, readings);
    for (const { agent_name, kind, container_pull_mode } of observedOf(verdict))
      expect({ kind, container_pull_mode }).toEqual({
        kind: "queued_not_claimed",
        container_pull_mode: unreached.includes(String(agent_name)) ? null : true,
      });
    const severities = verdict.findings.map(({ subject, severity }) => [subject, severity]);
    expect(Object.fromEntries(severities)).toEqual(
      Object.fromEntries(AGENTS.map((agent) => [agent, unreached.includes(agent) ? "major" : "critical"])),
    );
  });

  test("a queue that moves, or whose workers are all busy, is healthy whatever was reached", async () => {
    withEnvironment(PULLING);
    const busy = AGENTS.flatMap((agent) => ["a", "b", "c"].map((id) => leased(`${id}-${agent}`, { agent })));
    for (const facts of [waiting(30), waiting(130, ...busy)]) {
      clockMs = 0;
      const { readings } = await readUntil(AT_ONCE, facts);
      expect(recordOf(evaluate(B02, readings))).toMatchObject({ status: "green", unseen: [] });
    }
  });
});

test("H-01: containers that were listed contradict an empty roster, reached or not", async () => {
  const { readings } = await readUntil(0, { roster: new Map(), rosterDoubtSince: msAgo(120) });
  expect(observedOf(evaluate(H01, readings))).toMatchObject([
    { reason: "roster_empty_contradicted", evidence_agent_count: AGENTS.length, docker_available: true },
  ]);
});

test("no other invariant rests on containers", () => {
  const resting = INVARIANTS.filter(({ reads, optional = [] }) =>
    [...reads, ...optional].some((fact) => fact === "containers" || fact === "zombies"),
  );
  expect(resting.map(({ id }) => id).sort()).toEqual([B02, B08, H01, R01].map(({ id }) => id).sort());
});
