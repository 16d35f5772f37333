import { describe, expect, test } from "vitest";
import type { Execution, Facts, RunningContainer } from "../../shared/facts/facts.ts";
import { noQueuedWithoutSlotsFull as B02 } from "../../shared/invariants/b-02-no-queued-without-slots-full.ts";
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
  sentinel,
  slot,
  slotsOf,
  testUnreadFacts,
  violationsOf,
  withoutId,
} from "../support/facts.ts";

testUnreadFacts(B02);

test("B-02 is of tier B, critical", () => {
  expect(B02).toMatchObject({ tier: "B", severity: "critical" });
});

/** A cap of 2, no slot taken, one row that has waited for ten minutes, and a heartbeat so old (null: never). */
const stalled = (tickAgeSeconds: number | null, differs: Partial<Facts> = {}): Partial<Facts> => ({
  roster: rosterOf({ [AGENT]: { maxParallelTasks: 2 } }),
  executions: executionsOf([queued("q", { waitedSeconds: 600 })]),
  drainTick: { atSeconds: tickAgeSeconds === null ? null : secondsAgo(tickAgeSeconds) },
  ...differs,
});
const statusOf = (facts: Partial<Facts>) => judge(B02, facts).status;

describe("queued work does not wait beside free slots", () => {
  test("a queue beside free slots is green while the drain sweeps", () => {
    expect(recordOf(judge(B02, stalled(5)))).toEqual({
      status: "green",
      checked: 1,
      unseen: [],
      reason: null,
    });
  });

  test("one queued row, no slot of two taken, the last sweep ten minutes ago, as in the seed", () => {
    expect(violationsOf(judge(B02, stalled(600)))).toEqual([
      {
        invariant_id: "B-02",
        tier: "B",
        severity: "critical",
        subject: AGENT,
        snapshot_time: "2026-11-23T12:00:00.000Z",
        observed_state: {
          agent_name: AGENT,
          mode: "push",
          queued_count: 1,
          slot_count: 0,
          max_parallel_tasks: 2,
          effective_max_parallel_tasks: 2,
          free_slots: 2,
          drain_tick_at: 1_795_434_600,
          drain_tick_age_seconds: 600,
          drain_tick_grace_seconds: 60,
          snapshot_time: "2026-11-23T12:00:00.000Z",
        },
        signal_query: `agent ${AGENT}: queued=1, slots=0/2 (free=2), drain_tick_age=600s > 60s`,
      },
    ]);
  });

  test("a heartbeat that was never written is red at once, and says never", () => {
    const verdict = judge(
      B02,
      stalled(null, { executions: executionsOf([queued("q", { waitedSeconds: 0 })]) }),
    );
    expect(observedOf(verdict)[0]).toMatchObject({ drain_tick_at: null, drain_tick_age_seconds: null });
    expect(verdict.findings[0]?.signalQuery).toBe(
      `agent ${AGENT}: queued=1, slots=0/2 (free=2), drain_tick_age=never`,
    );
  });

  test("with every slot taken a queue may wait, with one free it may not", () => {
    const holding = (...ids: string[]) => slotsOf({ [AGENT]: ids.map((id) => slot(id)) });
    expect(statusOf(stalled(600, { slots: holding("a", "b") }))).toBe("green");
    expect(statusOf(stalled(600, { slots: holding("a", "b", "c") }))).toBe("green");
    const [observed] = observedOf(judge(B02, stalled(600, { slots: holding("a") })));
    expect(observed).toMatchObject({ slot_count: 1, free_slots: 1 });
  });

  test("a cap of 0 leaves no slot free", () => {
    expect(statusOf(stalled(600, { roster: rosterOf({ [AGENT]: { maxParallelTasks: 0 } }) }))).toBe("green");
  });

  test("nothing queued, nothing stalled: running rows and other agents' queues don't count", () => {
    expect(statusOf(stalled(null, { executions: executionsOf([running("r")]) }))).toBe("green");
    expect(statusOf(stalled(null, { executions: executionsOf([queued("q", { agent: "ghost" })]) }))).toBe(
      "green",
    );
  });

  test("a row that the drain took between two reads is gone at the second look", () => {
    expect(B02.confirm).toBe(true);
    expect(judgeTwice(B02, stalled(600), stalled(600, { executions: executionsOf([]) })).status).toBe(
      "green",
    );
    expect(judgeTwice(B02, stalled(600), stalled(2)).status).toBe("green");
    expect(judgeTwice(B02, stalled(600), stalled(603)).status).toBe("red");
  });
});

describe("a late sweep is not a dead one", () => {
  const waitedFor = (...waits: number[]) =>
    executionsOf(waits.map((waitedSeconds, i) => queued(`q-${i}`, { waitedSeconds })));

  test.each([
    // heartbeat, longest wait
    [60, 86_000, "green"],
    [61, 86_000, "green"],
    [89, 86_000, "green"],
    [90, 60, "green"],
    [90, 61, "red"],
    [120, 60, "green"],
    [120, 61, "red"],
    [121, 0, "red"],
    [121, 60, "red"],
    [0, 86_000, "green"],
    [-59, 86_000, "green"],
  ])("heartbeat %d s old, a row that has waited %d s: %s", (tickAge, waited, status) => {
    expect(statusOf(stalled(tickAge, { executions: waitedFor(waited) }))).toBe(status);
  });

  test("one row that has waited long enough is enough", () => {
    expect(statusOf(stalled(90, { executions: waitedFor(1, 61, 2) }))).toBe("red");
    expect(observedOf(judge(B02, stalled(90, { executions: waitedFor(1, 61, 2) })))[0]).toMatchObject({
      queued_count: 3,
    });
  });

  test("each agent's rows speak for that agent only", () => {
    const verdict = judge(
      B02,
      stalled(90, {
        roster: rosterOf({ a: {}, b: {} }),
        executions: executionsOf([
          queued("old", { agent: "a", waitedSeconds: 61 }),
          queued("new", { agent: "b", waitedSeconds: 1 }),
        ]),
      }),
    );
    expect(verdict.findings.map((f) => f.subject)).toEqual(["a"]);
  });

  test("a row waits since queued_at; where that can't be read, since started_at", () => {
    const requeued = queued("q", { startedAtMs: msAgo(600), queuedAtMs: msAgo(5) });
    expect(statusOf(stalled(90, { executions: executionsOf([requeued]) }))).toBe("green");
    const undated = queued("q", { startedAtMs: msAgo(61), queuedAtMs: null });
    expect(statusOf(stalled(90, { executions: executionsOf([undated]) }))).toBe("red");
    const newer = queued("q", { startedAtMs: msAgo(60), queuedAtMs: null });
    expect(statusOf(stalled(90, { executions: executionsOf([newer]) }))).toBe("green");
  });

  test("a row that has no readable time is nonetheless queued when the sweep is dead", () => {
    const undated = queued("q", { startedAtMs: null, queuedAtMs: null });
    expect(statusOf(stalled(121, { executions: executionsOf([undated]) }))).toBe("red");
  });

  describe("rows without a readable time, while a sweep may only be late", () => {
    const undated = (id: string) => queued(id, { startedAtMs: null, queuedAtMs: null });
    const late = (tickAge: number, ...rows: ReturnType<typeof queued>[]) =>
      recordOf(judge(B02, stalled(tickAge, { executions: executionsOf(rows) })));

    test.each([90, 91, 120])("heartbeat %d s old: they are unseen, since they may have waited", (tickAge) => {
      expect(late(tickAge, undated("q-1"), undated("q-2"))).toEqual({
        status: "unknown",
        checked: 0,
        unseen: [`${AGENT}/q-1`, `${AGENT}/q-2`],
        reason: expect.any(String),
      });
    });

    test("a row beside them has waited long enough: that settles it, and nothing is unseen", () => {
      expect(late(90, undated("q-1"), queued("q-2", { waitedSeconds: 61 }))).toEqual({
        status: "red",
        checked: 1,
        unseen: [],
        reason: null,
      });
    });

    test("a row beside them has not: they are unseen, it is not", () => {
      expect(late(90, undated("q-1"), queued("q-2", { waitedSeconds: 60 })).unseen).toEqual([`${AGENT}/q-1`]);
    });

    test.each([
      [60, "green"],
      [121, "red"],
    ])("heartbeat %d s old, where no wait matters: %s, with nothing unseen", (tickAge, status) => {
      expect(late(tickAge, undated("q-1"))).toEqual({ status, checked: 1, unseen: [], reason: null });
    });

    test("with every slot taken no wait matters either", () => {
      const facts = stalled(90, {
        executions: executionsOf([undated("q-1")]),
        slots: slotsOf({ [AGENT]: [slot("a"), slot("b")] }),
      });
      expect(recordOf(judge(B02, facts))).toMatchObject({ status: "green", unseen: [] });
    });

    test("an agent that was red by such a row is not called well by a sweep that is only late", () => {
      const second = stalled(110, { executions: executionsOf([undated("q")]) });
      expect(judgeTwice(B02, stalled(600), second)).toMatchObject({ status: "unknown", findings: [] });
    });
  });

  test("ages are whole seconds at the reading of the heartbeat, from where a slow one began", () => {
    const times = { drainTick: readBetween(0, 300), executions: readBetween(300, 300) };
    expect(judge(B02, stalled(60.999), { times }).status).toBe("green");
    const late = { times: { drainTick: readBetween(300, 300) } };
    expect(observedOf(judge(B02, stalled(0.25), late))[0]).toMatchObject({ drain_tick_age_seconds: 300 });
  });
});

describe("drain sentinels", () => {
  test.each([
    [9.999, "red"],
    [10, "green"],
  ])("a sentinel %d s old in the last slot: %s", (ageSeconds, status) => {
    const slots = slotsOf({ [AGENT]: [slot("run-1"), sentinel("x", ageSeconds)] });
    expect(statusOf(stalled(600, { slots }))).toBe(status);
  });
});

describe("parts that could not be read", () => {
  test.each([
    ["max_parallel_tasks", { roster: rosterOf({ [AGENT]: { maxParallelTasks: null } }) }],
    ["the agent's slots", { slots: slotsOf({}, [AGENT]) }],
  ])("%s unread: the agent is unseen, and alone it makes the verdict unknown", (_what, facts) => {
    expect(recordOf(judge(B02, stalled(600, facts)))).toMatchObject({ status: "unknown", unseen: [AGENT] });
  });

  test("a queued row whose id can't be read waits like any other", () => {
    const waiting = executionsOf([], [withoutId(queued("q", { waitedSeconds: 600 }))]);
    expect(observedOf(judge(B02, stalled(600, { executions: waiting })))).toMatchObject([
      { agent_name: AGENT, queued_count: 1 },
    ]);
    expect(recordOf(judge(B02, stalled(10, { executions: waiting })))).toMatchObject({
      status: "green",
      unseen: [],
    });
    const undated = executionsOf([], [withoutId(queued("q", { queuedAtMs: null, startedAtMs: null }))]);
    expect(recordOf(judge(B02, stalled(90, { executions: undated })))).toMatchObject({
      status: "unknown",
      unseen: [`${AGENT}/(unreadable id)`],
    });
  });

  test("one unseen agent does not hide the others", () => {
    const verdict = judge(
      B02,
      stalled(600, {
        roster: rosterOf({ a: {}, b: { maxParallelTasks: null } }),
        executions: executionsOf([queued("1", { agent: "a" }), queued("2", { agent: "b" })]),
      }),
    );
    expect(recordOf(verdict)).toEqual({ status: "red", checked: 1, unseen: ["b"], reason: null });
    expect(verdict.findings.map((f) => f.subject)).toEqual(["a"]);
  });
});

describe("the ceiling of all agents", () => {
  const ceiling = (maxParallelTasksCeiling: number | null | "unreadable", differs: Partial<Facts> = {}) =>
    stalled(600, { platformSettings: { maxParallelTasksCeiling }, ...differs });
  const one = { slots: slotsOf({ [AGENT]: [slot("a")] }) };

  test("lower than the agent's cap, it is the cap: with that many slots taken the queue may wait", () => {
    expect(statusOf(ceiling(1, one))).toBe("green");
    expect(observedOf(judge(B02, ceiling(1)))).toEqual([
      expect.objectContaining({ max_parallel_tasks: 2, effective_max_parallel_tasks: 1, free_slots: 1 }),
    ]);
  });

  test("higher, or unknown to the installation, it changes nothing", () => {
    for (const maximum of [2, 10, null])
      expect(observedOf(judge(B02, ceiling(maximum, one)))).toEqual([
        expect.objectContaining({ max_parallel_tasks: 2, effective_max_parallel_tasks: 2, free_slots: 1 }),
      ]);
  });

  test("unreadable, no agent's cap is known", () => {
    expect(recordOf(judge(B02, ceiling("unreadable")))).toMatchObject({ status: "unknown", unseen: [AGENT] });
  });
});

describe("the queue of an agent with pull workers", () => {
  const PULLING = { isPullMode: true, poolSize: 3 };
  /** One row that has waited for so long, three idle workers, and no sweep at all: the drain never drains these. */
  const pulled = (
    waitedSeconds: number,
    { container = {}, ...differs }: Partial<Facts> & { container?: Partial<RunningContainer> } = {},
  ): Partial<Facts> => ({
    executions: executionsOf([queued("q", { waitedSeconds })]),
    pullPolls: new Map([[AGENT, secondsAgo(5)]]),
    drainTick: { atSeconds: null },
    containers: containersOf([runningContainer({ ...PULLING, ...container })]),
    ...differs,
  });
  const DOWN = { read: false, reason: "no answer" } as const;
  const withoutDocker = (
    facts: Partial<Facts>,
    containers: { read: false; reason: string; off?: true } = DOWN,
  ) => evaluate(B02, { ...readingsOf(facts), containers });

  test("waits for more than two minutes beside idle workers: critical", () => {
    expect(violationsOf(judge(B02, pulled(130)))).toEqual([
      {
        invariant_id: "B-02",
        tier: "B",
        severity: "critical",
        subject: AGENT,
        snapshot_time: "2026-11-23T12:00:00.000Z",
        observed_state: {
          agent_name: AGENT,
          mode: "pull",
          kind: "queued_not_claimed",
          queued_count: 1,
          oldest_queued_age_seconds: 130,
          claim_grace_seconds: 120,
          container_pull_mode: true,
          pool_size: 3,
          busy_workers: 0,
          idle_workers: 3,
          snapshot_time: "2026-11-23T12:00:00.000Z",
        },
        signal_query: `agent ${AGENT}: queued=1, oldest 130s > 120s with 3/3 worker(s) idle`,
      },
    ]);
  });

  test.each([
    [120.999, "green"],
    [121, "red"],
  ])("the oldest row has waited for %d s: %s", (seconds, status) => {
    expect(statusOf(pulled(seconds))).toBe(status);
    const newer = queued("newer", { waitedSeconds: 1 });
    const executions = executionsOf([newer, queued("q", { waitedSeconds: seconds })]);
    expect(statusOf(pulled(0, { executions }))).toBe(status);
  });

  test("may wait while every worker is busy; a lease that ran out is not busy", () => {
    const busy = (leftSeconds: number) =>
      executionsOf([
        queued("q", { waitedSeconds: 600 }),
        ...["a", "b", "c"].map((id) => leased(id, { leftSeconds })),
      ]);
    expect(statusOf(pulled(600, { executions: busy(60) }))).toBe("green");
    expect(observedOf(judge(B02, pulled(600, { executions: busy(-1) })))).toMatchObject([
      { busy_workers: 0, idle_workers: 3 },
    ]);
  });

  test("a turn of a conversation waits for the turn of it that runs, and holds up no other", () => {
    const turn = (id: string, conversation: string) => queued(id, { waitedSeconds: 600, conversation });
    const talking = leased("t", { conversation: "c" });
    const facts = (...rows: Execution[]) => pulled(0, { executions: executionsOf([talking, ...rows]) });
    expect(statusOf(facts(turn("q", "c")))).toBe("green");
    expect(statusOf(facts(turn("q", "other")))).toBe("red");
    expect(statusOf(facts(turn("q", "c"), queued("r", { waitedSeconds: 130 })))).toBe("red");
    expect(observedOf(judge(B02, facts(turn("q", "c"), queued("r", { waitedSeconds: 130 }))))).toMatchObject([
      { queued_count: 2, oldest_queued_age_seconds: 130 },
    ]);
    const elsewhere = leased("t", { conversation: "c", agent: "ada" });
    expect(statusOf(pulled(0, { executions: executionsOf([elsewhere, turn("q", "c")]) }))).toBe("red");
  });

  test("slots say nothing of pull workers: neither taken ones nor the heartbeat", () => {
    const slots = slotsOf({ [AGENT]: [slot("a"), slot("b"), slot("c")] });
    expect(statusOf(pulled(600, { slots }))).toBe("red");
    expect(statusOf(pulled(600, { slots: slotsOf({}, [AGENT]) }))).toBe("red");
    expect(statusOf(pulled(30))).toBe("green");
    expect(statusOf(pulled(600, { drainTick: { atSeconds: secondsAgo(1) } }))).toBe("red");
  });

  test.each(["chat", "schedule", "retry", null])("counts whatever started it: %s", (triggeredBy) => {
    const executions = executionsOf([queued("q", { waitedSeconds: 130, triggeredBy })]);
    expect(statusOf(pulled(130, { executions }))).toBe("red");
  });

  test("a live lease makes it a pull agent, although no worker has ever asked", () => {
    const executions = executionsOf([queued("q", { waitedSeconds: 130 }), leased("run")]);
    expect(observedOf(judge(B02, pulled(0, { pullPolls: new Map(), executions })))).toMatchObject([
      { mode: "pull", busy_workers: 1, idle_workers: 2 },
    ]);
  });

  test("its container does not run: major, whatever else runs", () => {
    const verdict = judge(
      B02,
      pulled(130, { containers: containersOf([runningContainer({ agent: "other" })]) }),
    );
    expect(violationsOf(verdict)).toEqual([
      expect.objectContaining({
        severity: "major",
        observed_state: expect.objectContaining({
          kind: "pilot_stopped",
          container_pull_mode: null,
          pool_size: 3,
          idle_workers: 3,
        }),
        signal_query: `agent ${AGENT}: queued=1, oldest 130s > 120s with its container not running`,
      }),
    ]);
  });

  test("its container runs without pull mode: critical, whatever is busy or unread", () => {
    const executions = executionsOf([
      queued("q", { waitedSeconds: 130 }),
      running("odd", { lease: leaseUntil(null) }),
    ]);
    const verdict = judge(B02, pulled(130, { container: { isPullMode: false }, executions }));
    expect(violationsOf(verdict)).toEqual([
      expect.objectContaining({
        severity: "critical",
        observed_state: expect.objectContaining({ kind: "queued_not_claimed", container_pull_mode: false }),
        signal_query: `agent ${AGENT}: queued=1, oldest 130s > 120s with a container that is not in pull mode`,
      }),
    ]);
  });

  test("Docker unread, or left out: the pool is the agent's cap, and it is major", () => {
    for (const containers of [DOWN, { ...DOWN, off: true as const }]) {
      const verdict = withoutDocker(pulled(130), containers);
      expect(verdict.findings.map((f) => [f.severity, f.observed])).toMatchObject([
        ["major", { kind: "queued_not_claimed", container_pull_mode: null, pool_size: 3, idle_workers: 3 }],
      ]);
    }
    const busy = executionsOf([
      queued("q", { waitedSeconds: 600 }),
      ...["a", "b", "c"].map((id) => leased(id)),
    ]);
    expect(withoutDocker(pulled(600, { executions: busy })).status).toBe("green");
    expect(whyOff(B02, { ...readingsOf(pulled(130)), containers: { ...DOWN, off: true } })).toBeNull();
  });

  test("a daemon that was not listed may run its container", () => {
    const containers = containersOf([], { unseenDaemons: ["tcp://docker-2:2376"] });
    expect(observedOf(judge(B02, pulled(130, { containers })))).toMatchObject([
      { kind: "queued_not_claimed", container_pull_mode: null },
    ]);
  });

  test("a row that is claimed before the second look", () => {
    const claimed = pulled(0, { executions: executionsOf([leased("q", { ageSeconds: 130 })]) });
    expect(judgeTwice(B02, pulled(130), claimed).status).toBe("green");
    expect(judgeTwice(B02, pulled(130), pulled(133)).status).toBe("red");
  });

  describe("what can't be read", () => {
    const unseen = (facts: Partial<Facts>, part = AGENT) =>
      expect(recordOf(judge(B02, facts))).toMatchObject({ status: "unknown", unseen: [part] });

    test("since when a row waits: it is unseen, where no other has waited long enough", () => {
      const undated = queued("q", { queuedAtMs: null, startedAtMs: null });
      unseen(pulled(0, { executions: executionsOf([undated]) }), `${AGENT}/q`);
      const beside = executionsOf([undated, queued("q-2", { waitedSeconds: 130 })]);
      expect(recordOf(judge(B02, pulled(0, { executions: beside })))).toMatchObject({
        status: "red",
        unseen: [],
      });
    });

    test("how many workers are busy, or how many there are", () => {
      const odd = running("odd", { lease: leaseUntil(null) });
      unseen(pulled(130, { executions: executionsOf([queued("q", { waitedSeconds: 130 }), odd]) }));
      const roster = rosterOf({ [AGENT]: { maxParallelTasks: null } });
      unseen(pulled(130, { container: { poolSize: null }, roster }));
      expect(statusOf(pulled(130, { roster }))).toBe("red");
    });

    test("a row whose id can't be read waits like any other", () => {
      const executions = executionsOf([], [withoutId(queued("q", { waitedSeconds: 130 }))]);
      expect(observedOf(judge(B02, pulled(0, { executions })))).toMatchObject([{ queued_count: 1 }]);
    });
  });

  test("beside a stalled drain: one line says both", () => {
    const verdict = judge(B02, {
      ...pulled(130),
      roster: rosterOf({ [AGENT]: {}, ada: {} }),
      executions: executionsOf([
        queued("q", { waitedSeconds: 130 }),
        queued("p", { agent: "ada", waitedSeconds: 600 }),
      ]),
    });
    expect(verdict.findings.map((f) => (f.observed as { mode: string }).mode)).toEqual(["push", "pull"]);
    expect(B02.summarize(verdict.findings)).toBe(
      `2 queued runs wait beside free slots across 2 agents, the drain never ran, the pull workers of 1 agent claim nothing: ada, ${AGENT}`,
    );
    expect(B02.explain(verdict.findings[1]!.observed)).toBe(
      `${AGENT}: 1 queued, the oldest for 130 s; 3 of 3 workers idle`,
    );
  });
});

describe("members that could not be read hold a slot each", () => {
  const slots = (unreadable: number) => slotsOf({}, [], { unread: { [AGENT]: { unreadable } } });

  test("with them every slot is taken: the queue may wait", () => {
    expect(statusOf(stalled(600, { slots: slots(2) }))).toBe("green");
  });

  test("with one of two a slot is free", () => {
    const [observed] = observedOf(judge(B02, stalled(600, { slots: slots(1) })));
    expect(observed).toMatchObject({ slot_count: 1, free_slots: 1 });
  });
});

describe("a heartbeat of long ago, however long", () => {
  test.each([
    [0, 0, 1_795_435_200],
    [-5.5, -6, 1_795_435_205],
    [-1e300, "-1e+300", "1e+300"],
    [-(2 ** 53), "-9007199254740992", "9007201050176192"],
  ])("%d is a sweep of then: red, with numbers that can be written", (atSeconds, at, age) => {
    const verdict = judge(B02, stalled(0, { drainTick: { atSeconds } }));
    expect(observedOf(verdict)).toMatchObject([{ drain_tick_at: at, drain_tick_age_seconds: age }]);
    expect(B02.explain(verdict.findings[0]!.observed as never)).toMatch(/last drain \S+ s ago$/);
  });
});
