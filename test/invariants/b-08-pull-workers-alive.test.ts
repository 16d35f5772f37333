import { describe, expect, test } from "vitest";
import type { Facts, RunningContainer } from "../../shared/facts/facts.ts";
import { pullWorkersAlive as B08 } from "../../shared/invariants/b-08-pull-workers-alive.ts";
import { evaluate, whyOff } from "../../shared/verdict/evaluate.ts";
import {
  AGENT,
  containersOf,
  executionsOf,
  judge,
  judgeTwice,
  leased,
  leaseUntil,
  msAgo,
  observedOf,
  queued,
  readBetween,
  readingsOf,
  recordOf,
  rosterOf,
  running,
  runningContainer,
  secondsAgo,
  testUnreadFacts,
  violationsOf,
} from "../support/facts.ts";

testUnreadFacts(B08);

test("B-08 is of tier B, major", () => {
  expect(B08).toMatchObject({ tier: "B", severity: "major" });
});

const PULLING = { isPullMode: true, poolSize: 3 };
/** An agent with three pull workers, none of which has asked for work for so long (null: the key holds no instant). */
const polled = (
  seconds: number | null,
  { container = {}, ...differs }: Partial<Facts> & { container?: Partial<RunningContainer> } = {},
): Partial<Facts> => ({
  pullPolls: new Map([[AGENT, seconds === null ? null : secondsAgo(seconds)]]),
  containers: containersOf([runningContainer({ ...PULLING, ...container })]),
  ...differs,
});
const statusOf = (...args: Parameters<typeof polled>) => judge(B08, polled(...args)).status;

describe("pull workers that are alive", () => {
  test("ask for work every few seconds: green, queue or no queue", () => {
    expect(recordOf(judge(B08, polled(5)))).toEqual({
      status: "green",
      checked: 1,
      unseen: [],
      reason: null,
    });
    expect(statusOf(5, { executions: executionsOf([queued("q", { waitedSeconds: 600 })]) })).toBe("green");
  });

  test("do not ask while all of them are busy", () => {
    const busy = executionsOf(["a", "b", "c"].map((id) => leased(id)));
    expect(statusOf(7200, { executions: busy })).toBe("green");
  });

  test("a platform without pull agents has nothing to check", () => {
    expect(recordOf(judge(B08))).toEqual({ status: "green", checked: 0, unseen: [], reason: null });
    expect(recordOf(judge(B08, { executions: executionsOf([queued("q"), running("r")]) }))).toMatchObject({
      status: "green",
      checked: 0,
    });
  });

  test("an agent that is not on the roster is none of ours", () => {
    expect(statusOf(900, { roster: rosterOf({ other: {} }) })).toBe("green");
  });

  test("an agent whose container does not run is B-02's, once somebody waits for it", () => {
    expect(recordOf(judge(B08, polled(900, { containers: containersOf([]) })))).toMatchObject({
      status: "green",
      checked: 1,
      unseen: [],
    });
  });
});

describe("workers that went silent", () => {
  test("idle workers that have not asked for 400 s", () => {
    const executions = executionsOf([leased("busy")]);
    expect(violationsOf(judge(B08, polled(400, { executions })))).toEqual([
      {
        invariant_id: "B-08",
        tier: "B",
        severity: "major",
        subject: AGENT,
        snapshot_time: "2026-11-23T12:00:00.000Z",
        observed_state: {
          agent_name: AGENT,
          kind: "workers_silent",
          container_pull_mode: true,
          pool_size: 3,
          busy_workers: 1,
          idle_workers: 2,
          last_worker_poll_at: secondsAgo(400),
          poll_silence_seconds: 400,
          poll_silence_grace_seconds: 300,
          snapshot_time: "2026-11-23T12:00:00.000Z",
        },
        signal_query: `agent ${AGENT}: 2/3 worker(s) idle but no claim attempt for 400s > 300s`,
      },
    ]);
  });

  test.each([
    [300.999, "green"],
    [301, "red"],
  ])("silent for %d s: %s", (seconds, status) => {
    expect(statusOf(seconds)).toBe(status);
  });

  test.each([
    [300, "green"],
    [301, "red"],
  ])("a container that started %d s ago: its workers may not have come so far: %s", (seconds, status) => {
    expect(statusOf(7200, { container: { startedAtMs: msAgo(seconds) } })).toBe(status);
  });

  test("a worker holds a lease, and none has ever asked: since the start of the container", () => {
    const facts = polled(0, { pullPolls: new Map(), executions: executionsOf([leased("run")]) });
    expect(observedOf(judge(B08, facts))).toEqual([
      expect.objectContaining({ last_worker_poll_at: null, poll_silence_seconds: 86_400 }),
    ]);
  });

  test("a lease that ran out is not a busy worker", () => {
    const over = executionsOf(["a", "b", "c"].map((id) => leased(id, { leftSeconds: -1 })));
    expect(statusOf(400, { executions: over })).toBe("red");
  });

  test("they ask again before the second look: green", () => {
    expect(B08.confirm).toBe(true);
    expect(judgeTwice(B08, polled(400), polled(1)).status).toBe("green");
    expect(judgeTwice(B08, polled(400), polled(403)).status).toBe("red");
  });

  test("the silence is measured from where the reading of the key began", () => {
    const times = { pullPolls: readBetween(0, 200) };
    expect(judge(B08, polled(200), { times }).status).toBe("green");
  });

  test("a poll of long ago is one all the same, with numbers that can be written", () => {
    const facts = { ...polled(0), pullPolls: new Map([[AGENT, -1e300]]) };
    expect(observedOf(judge(B08, facts))).toEqual([
      expect.objectContaining({ last_worker_poll_at: "-1e+300", poll_silence_seconds: 86_400 }),
    ]);
  });
});

describe("workers that are missing", () => {
  test("the container of a pull agent runs without pull mode: red at once, queue or no queue", () => {
    const verdict = judge(B08, polled(1, { container: { isPullMode: false, startedAtMs: msAgo(1) } }));
    expect(observedOf(verdict)).toEqual([
      expect.objectContaining({
        kind: "workers_missing",
        container_pull_mode: false,
        last_worker_poll_at: secondsAgo(1),
        poll_silence_seconds: null,
      }),
    ]);
    expect(verdict.findings[0]!.signalQuery).toBe(
      `agent ${AGENT}: its container runs without TRINITY_PULL_MODE=true`,
    );
    expect(B08.explain(verdict.findings[0]!.observed)).toBe(`${AGENT}: the container runs no pull workers`);
  });

  test("whatever can't be read of the pool or of the polls", () => {
    const facts = polled(null, {
      container: { isPullMode: false, startedAtMs: null, poolSize: null },
      roster: rosterOf({ [AGENT]: { maxParallelTasks: null } }),
      executions: executionsOf([running("odd", { lease: leaseUntil(null) })]),
    });
    expect(observedOf(judge(B08, facts))).toEqual([
      expect.objectContaining({ pool_size: null, busy_workers: null, idle_workers: null }),
    ]);
  });
});

describe("parts that could not be read", () => {
  const UNSEEN = { status: "unknown", unseen: [AGENT] };

  test("Docker can't be read: its pull agents are unseen; left out on purpose: it is not run", () => {
    const down = { ...readingsOf(polled(900)), containers: { read: false, reason: "no answer" } as const };
    expect(recordOf(evaluate(B08, down))).toMatchObject(UNSEEN);
    expect(whyOff(B08, down)).toBeNull();
    const off = { ...down, containers: { ...down.containers, off: true } as const };
    expect(whyOff(B08, off)).toBe("no answer");
  });

  test("a daemon, or this container, could not be read: the agent is unseen, and no other", () => {
    const other = runningContainer({ agent: "ada", containerId: "c2", ...PULLING });
    const facts = polled(900, {
      roster: rosterOf({ [AGENT]: {}, ada: {} }),
      containers: containersOf([other], { unseenContainers: [{ agent: AGENT, containerId: "c1" }] }),
      pullPolls: new Map([
        [AGENT, secondsAgo(900)],
        ["ada", secondsAgo(900)],
      ]),
    });
    expect(recordOf(judge(B08, facts))).toMatchObject({ status: "red", unseen: [AGENT] });
    const blind = containersOf([], { unseenDaemons: ["tcp://docker-2:2376"] });
    expect(recordOf(judge(B08, polled(900, { containers: blind })))).toMatchObject(UNSEEN);
  });

  test.each<[string, Parameters<typeof polled>]>([
    ["the key holds no instant", [null]],
    ["the container's start", [900, { container: { startedAtMs: null } }]],
    [
      "the size of the pool",
      [900, { container: { poolSize: null }, roster: rosterOf({ [AGENT]: { maxParallelTasks: null } }) }],
    ],
    ["a lease", [900, { executions: executionsOf([running("odd", { lease: leaseUntil(null) })]) }]],
  ])("%s: the agent is unseen, neither silent nor alive", (_what, args) => {
    expect(recordOf(judge(B08, polled(...args)))).toMatchObject(UNSEEN);
  });

  test("what can be read settles it: the start alone, or the poll alone, is new enough", () => {
    expect(statusOf(null, { container: { startedAtMs: msAgo(300) } })).toBe("green");
    expect(statusOf(300, { container: { startedAtMs: null } })).toBe("green");
    // Nobody is idle: it does not matter since when.
    const busy = executionsOf(["a", "b", "c"].map((id) => leased(id)));
    expect(statusOf(null, { executions: busy })).toBe("green");
  });
});
