/** Which agents have pull workers, and what is known of these. */
import { describe, expect, test } from "vitest";
import type { Containers, Execution, Reading } from "../../shared/facts/facts.ts";
import { idleWorkers, poolOf, pullAgentsOf } from "../../shared/invariants/pull-pools.ts";
import {
  AGENT,
  containersOf,
  executionsOf,
  leased,
  leaseUntil,
  msAgo,
  NOW_MS,
  queued,
  readBetween,
  running,
  runningContainer,
  withoutAgent,
  withoutId,
} from "../support/facts.ts";

const read = (value: Containers, differs: { unlisted?: string } = {}): Reading<Containers> => ({
  read: true,
  value,
  time: readBetween(0, 0),
  ...differs,
});
const PULLING = runningContainer({ isPullMode: true, poolSize: 4 });
const limits = (maxParallelTasks: number | null) => ({
  maxParallelTasks,
  executionTimeoutSeconds: 3600,
  isDeleted: false,
});
const pool = (
  containers: Reading<Containers>,
  rows: readonly Execution[] = [],
  maxParallelTasks: number | null = 3,
) => poolOf(AGENT, limits(maxParallelTasks), rows, containers, NOW_MS);

describe("an agent with pull workers", () => {
  test("has asked for work, or holds a lease, in whatever state", () => {
    const executions = executionsOf(
      [leased("a", { agent: "ada" }), leased("q", { agent: "quinn", status: "queued" }), running("r")],
      [withoutId(leased("b", { agent: "bea" })), withoutAgent(leased("c", { agent: "cal" }))],
    );
    const polls = new Map([
      ["dan", msAgo(1)],
      ["eve", null],
    ]);
    expect([...pullAgentsOf(executions, polls)].sort()).toEqual(["ada", "bea", "dan", "eve", "quinn"]);
  });

  test("is none without either", () => {
    expect(pullAgentsOf(executionsOf([running("r"), queued("q")]), new Map()).size).toBe(0);
  });
});

describe("what is known of its container", () => {
  test("it runs: its mode, its start and the size of its pool", () => {
    expect(pool(read(containersOf([PULLING])))).toEqual({
      container: { state: "running", isPullMode: true, startedAtMs: PULLING.startedAtMs },
      size: 4,
      busy: 0,
    });
  });

  test("its pool has no readable size: the agent's cap; where that can't be read either, it is not known", () => {
    const unsized = read(containersOf([runningContainer({ isPullMode: true, poolSize: null })]));
    expect(pool(unsized).size).toBe(3);
    expect(pool(unsized, [], null).size).toBeNull();
  });

  test("it does not run where every daemon was listed, whatever else runs", () => {
    const others = containersOf([runningContainer({ agent: "other" })]);
    expect(pool(read(others)).container).toEqual({ state: "not running" });
  });

  test.each<[string, Reading<Containers>]>([
    ["Docker was not read", { read: false, reason: "no answer" }],
    ["Docker is left out", { read: false, reason: "left out", off: true }],
    ["a daemon was not listed", read(containersOf([], { unseenDaemons: ["tcp://docker-2:2376"] }))],
    [
      "its container was not inspected",
      read(containersOf([], { unseenContainers: [{ agent: AGENT, containerId: "c1" }] })),
    ],
    ["some container has no readable name", read(containersOf([]), { unlisted: "docker.names: 1" })],
  ])("%s: it may run, and the pool is the agent's cap", (_what, reading) => {
    expect(pool(reading)).toEqual({ container: { state: "unknown" }, size: 3, busy: 0 });
  });

  test("another agent's container that was not inspected hides nothing", () => {
    const other = containersOf([], { unseenContainers: [{ agent: "other", containerId: "c1" }] });
    expect(pool(read(other)).container).toEqual({ state: "not running" });
  });

  test.each([
    ["the one with workers", { isPullMode: false, startedAtMs: msAgo(1) }],
    ["of two with workers the one that started last", { startedAtMs: msAgo(90_000) }],
    ["one whose start can't be read last", { startedAtMs: null }],
    ["of two that started together always the same", { containerId: "d" }],
  ])("of two containers of one agent, %s counts, in any order", (_which, differs) => {
    const other = runningContainer({ isPullMode: true, containerId: "zzz", poolSize: 1, ...differs });
    for (const list of [
      [other, PULLING],
      [PULLING, other],
    ])
      expect(pool(read(containersOf(list)))).toMatchObject({ container: { isPullMode: true }, size: 4 });
  });
});

describe("how many workers are busy", () => {
  test("those with a run whose lease has not ended", () => {
    const rows = [
      leased("busy"),
      leased("over", { leftSeconds: 0 }),
      leased("long-over", { leftSeconds: -5 }),
      running("pushed"),
      queued("waiting"),
      leased("queued-again", { status: "queued" }),
    ];
    expect(pool(read(containersOf([PULLING])), rows).busy).toBe(1);
  });

  test("is not known where a lease can't be read", () => {
    const rows = [leased("busy"), running("odd", { lease: leaseUntil(null) })];
    expect(pool(read(containersOf([PULLING])), rows).busy).toBeNull();
  });

  test("more than the pool has leave none idle", () => {
    expect([idleWorkers(3, 1), idleWorkers(3, 3), idleWorkers(3, 5)]).toEqual([2, 0, 0]);
  });
});
