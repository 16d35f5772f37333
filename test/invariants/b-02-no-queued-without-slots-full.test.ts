import { describe, expect, test } from "vitest";
import type { Facts } from "../../shared/facts/facts.ts";
import { noQueuedWithoutSlotsFull as B02 } from "../../shared/invariants/b-02-no-queued-without-slots-full.ts";
import {
  AGENT,
  executionsOf,
  judge,
  judgeTwice,
  msAgo,
  observedOf,
  queued,
  readBetween,
  recordOf,
  rosterOf,
  running,
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
          queued_count: 1,
          slot_count: 0,
          max_parallel_tasks: 2,
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
