import { describe, expect, test } from "vitest";
import type { Execution, UnreadMembers } from "../../shared/facts/facts.ts";
import { slotRowBijection as S01 } from "../../shared/invariants/s-01-slot-row-bijection.ts";
import {
  AGENT,
  executionsOf,
  judge,
  judgeTwice,
  leaseUntil,
  msAgo,
  NO_STARTED_AT,
  NOW_MS,
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
  withoutAgent,
  withoutId,
} from "../support/facts.ts";

testUnreadFacts(S01);

test("S-01 is of tier A, critical", () => {
  expect(S01).toMatchObject({ tier: "A", severity: "critical" });
});

/** The sets of the one violation, or null where there is none. */
function mismatchOf(...[facts, options]: Parameters<typeof judge> extends [unknown, ...infer R] ? R : never) {
  const [observed] = observedOf(judge(S01, facts, options));
  return observed ? { redis: observed.in_redis_only, sql: observed.in_sql_only } : null;
}
const held = (...slots: ReturnType<typeof slot>[]) => slotsOf({ [AGENT]: slots });
const rows = (...live: ReturnType<typeof running>[]) => executionsOf(live);

describe("a slot for each running row", () => {
  test("two runs that hold their slots are green, and so is an idle agent", () => {
    const facts = {
      roster: rosterOf({ [AGENT]: {}, idle: {} }),
      slots: held(slot("run-1"), slot("run-2")),
      executions: rows(running("run-2"), running("run-1")),
    };
    expect(recordOf(judge(S01, facts))).toEqual({ status: "green", checked: 2, unseen: [], reason: null });
  });

  test("slots that leaked and runs that lost theirs are one critical violation with both sets, sorted", () => {
    const facts = {
      slots: held(slot("leak-b"), slot("run-1"), slot("leak-a")),
      executions: rows(running("lost-2"), running("run-1"), running("lost-1")),
    };
    expect(violationsOf(judge(S01, facts))).toEqual([
      {
        invariant_id: "S-01",
        tier: "A",
        severity: "critical",
        subject: AGENT,
        snapshot_time: "2026-11-23T12:00:00.000Z",
        observed_state: {
          agent_name: AGENT,
          redis_slot_count: 3,
          sql_running_count: 3,
          in_redis_only: ["leak-a", "leak-b"],
          in_sql_only: ["lost-1", "lost-2"],
          paired_chat_turns: 0,
          snapshot_time: "2026-11-23T12:00:00.000Z",
        },
        signal_query: `set(ZRANGE agent:slots:${AGENT}) - drain sentinels vs set(SELECT id FROM schedule_executions WHERE agent_name = '${AGENT}' AND status = 'running')`,
      },
    ]);
  });

  test("equal numbers of slots and rows are no bijection when the ids differ", () => {
    expect(mismatchOf({ slots: held(slot("a")), executions: rows(running("b")) })).toEqual({
      redis: ["a"],
      sql: ["b"],
    });
  });

  test("a queued row needs no slot, and does not excuse one", () => {
    expect(mismatchOf({ executions: rows(queued("waiting")) })).toBeNull();
    expect(mismatchOf({ slots: held(slot("waiting")), executions: rows(queued("waiting")) })).toEqual({
      redis: ["waiting"],
      sql: [],
    });
  });

  test("another agent's row does not cover a slot", () => {
    const verdict = judge(S01, {
      roster: rosterOf({ [AGENT]: {}, other: {} }),
      slots: held(slot("run-1")),
      executions: rows(running("run-1", { agent: "other" })),
    });
    expect(observedOf(verdict).map((o) => [o.agent_name, o.in_redis_only, o.in_sql_only])).toEqual([
      [AGENT, ["run-1"], []],
      ["other", [], ["run-1"]],
    ]);
  });

  test("slots and rows of a deleted agent are L-03's business", () => {
    const facts = {
      slots: slotsOf({ ghost: [slot("a")] }),
      executions: rows(running("b", { agent: "ghost" })),
    };
    expect(recordOf(judge(S01, facts))).toMatchObject({ status: "green", checked: 1 });
  });

  test.each(["123", "1e5", "null", "{}", "__proto__", "constructor", ""])(
    "an execution called %j is an id like any other",
    (id) => {
      expect(mismatchOf({ slots: held(slot(id)), executions: rows(running(id)) })).toBeNull();
      expect(mismatchOf({ slots: held(slot(id)) })).toEqual({ redis: [id], sql: [] });
      expect(mismatchOf({ executions: rows(running(id)) })).toEqual({ redis: [], sql: [id] });
    },
  );
});

describe("a start in flight: a mismatch younger than 3 s", () => {
  test.each([
    [0, true],
    [2.999, true],
    [3, false],
    [3.001, false],
    [-2.999, true],
    [-3, false],
    [-3600, false],
  ])("a slot acquired %d s ago without a row: left out is %j", (ageSeconds, leftOut) => {
    expect(mismatchOf({ slots: held(slot("new", { ageSeconds })) })).toEqual(
      leftOut ? null : { redis: ["new"], sql: [] },
    );
  });

  test.each([
    [0, true],
    [2.999, true],
    [3, false],
    [3.001, false],
    [-2.999, true],
    [-3, false],
    [-3600, false],
  ])("a row started %d s ago without a slot: left out is %j", (ageSeconds, leftOut) => {
    expect(mismatchOf({ executions: rows(running("new", { ageSeconds })) })).toEqual(
      leftOut ? null : { redis: [], sql: ["new"] },
    );
  });

  test("the grace is for the start only: an old mismatch beside a new one still counts, and alone", () => {
    const facts = { slots: held(slot("new", { ageSeconds: 1 }), slot("leak", { ageSeconds: 600 })) };
    expect(mismatchOf(facts)).toEqual({ redis: ["leak"], sql: [] });
  });

  test("each age is measured at the reading of its own fact, not at the check or at the other's reading", () => {
    // The slots were read at noon, the rows 20 s later by a slow server.
    const times = { slots: readBetween(0, 0), executions: readBetween(20, 20) };
    const atStart = {
      slots: held(slot("s", { ageSeconds: 1 })),
      executions: rows(running("r", { ageSeconds: -19 })),
    };
    expect(mismatchOf(atStart, { times })).toBeNull();
    const old = {
      slots: held(slot("s", { ageSeconds: -19 })),
      executions: rows(running("r", { ageSeconds: 1 })),
    };
    expect(mismatchOf(old, { times })).toEqual({ redis: ["s"], sql: ["r"] });
  });

  test("a reading that takes 8 s does not shorten the grace on either side", () => {
    const times = { slots: readBetween(0, 8), executions: readBetween(0, 8) };
    for (const ageSeconds of [2.999, 0, -8, -10.999])
      expect(
        mismatchOf(
          { slots: held(slot("s", { ageSeconds })), executions: rows(running("r", { ageSeconds })) },
          { times },
        ),
      ).toBeNull();
    for (const ageSeconds of [3, -11])
      expect(
        mismatchOf(
          { slots: held(slot("s", { ageSeconds })), executions: rows(running("r", { ageSeconds })) },
          { times },
        ),
      ).toEqual({ redis: ["s"], sql: ["r"] });
  });

  test("a row without a readable started_at counts", () => {
    expect(mismatchOf({ executions: rows(running("undated", NO_STARTED_AT)) })).toEqual({
      redis: [],
      sql: ["undated"],
    });
    expect(
      mismatchOf({ slots: held(slot("undated")), executions: rows(running("undated", NO_STARTED_AT)) }),
    ).toBeNull();
  });

  test("a slot acquired just now covers an old row, and an old slot a row of just now", () => {
    const facts = {
      slots: held(slot("a", { ageSeconds: 0 }), slot("b", { ageSeconds: 500 })),
      executions: rows(running("a", { ageSeconds: 500 }), running("b", { ageSeconds: 0 })),
    };
    expect(mismatchOf(facts)).toBeNull();
  });
});

describe("the stop race: the row has ended, ZREM comes 5 ms later", () => {
  test("the old slot of a run that just ended is red at first sight and gone at the second", () => {
    expect(S01.confirm).toBe(true);
    const stopping = { slots: held(slot("ended", { ageSeconds: 900 })) };
    expect(judge(S01, stopping).status).toBe("red");
    expect(judgeTwice(S01, stopping, {})).toMatchObject({ status: "green", findings: [] });
  });

  test("of a real leak and a stop race in one agent, only the leak remains", () => {
    const first = {
      slots: held(slot("ended"), slot("leak"), slot("run-1")),
      executions: rows(running("run-1"), running("starting", { ageSeconds: 4 })),
    };
    const second = { ...first, slots: held(slot("leak"), slot("run-1"), slot("starting")) };
    const verdict = judgeTwice(S01, first, second);
    expect(observedOf(verdict)).toEqual([
      expect.objectContaining({ in_redis_only: ["leak"], in_sql_only: [] }),
    ]);
    expect(verdict.findings[0]?.keys).toEqual(["redis:leak"]);
  });

  test("an id that was a slot without a row and is now a row without a slot is not the same finding", () => {
    const first = { slots: held(slot("flip")) };
    const second = { executions: rows(running("flip")) };
    expect(judgeTwice(S01, first, second).status).toBe("green");
  });
});

describe("chat turns, whose slot and row have different ids", () => {
  const turn = (id: string, ageSeconds: number, differs: Partial<Execution> = {}) =>
    running(id, { ageSeconds, triggeredBy: "chat", ...differs });
  /** A turn's slot is acquired some tens of milliseconds before its row. */
  const slotOf = (id: string, ageSeconds: number) => slot(id, { ageSeconds: ageSeconds + 0.04 });

  test("a turn of two minutes is green from its slot to its end", () => {
    const [row, itsSlot] = [(age: number) => turn("row", age), (age: number) => slotOf("made-for-it", age)];
    // Its slot is there, its row not yet.
    expect(mismatchOf({ slots: held(itsSlot(0)) })).toBeNull();
    for (const age of [0, 2.5, 3, 4, 30, 59, 60, 61, 120])
      expect(mismatchOf({ slots: held(itsSlot(age)), executions: rows(row(age)) })).toBeNull();
    // Its row has ended, its slot is released milliseconds later.
    const ending = { slots: held(itsSlot(120)) };
    expect(judgeTwice(S01, ending, {}).status).toBe("green");
    // Read the other way round, its slot is gone and its row not yet terminal.
    expect(judgeTwice(S01, { executions: rows(row(120)) }, {}).status).toBe("green");
  });

  test("beside a real leak and a real loss: what is paired is counted and named nowhere", () => {
    const facts = {
      slots: held(slotOf("s-1", 60), slot("leak", { ageSeconds: 500 })),
      executions: rows(turn("r-1", 60), running("lost", { ageSeconds: 500 })),
    };
    expect(observedOf(judge(S01, facts))).toEqual([
      expect.objectContaining({
        redis_slot_count: 2,
        sql_running_count: 2,
        in_redis_only: ["leak"],
        in_sql_only: ["lost"],
        paired_chat_turns: 1,
      }),
    ]);
  });

  test("a scheduled run beside a leaked slot of the same time is no chat turn", () => {
    const facts = {
      slots: held(slot("leak")),
      executions: rows(running("lost", { triggeredBy: "schedule" })),
    };
    expect(mismatchOf(facts)).toEqual({ redis: ["leak"], sql: ["lost"] });
  });

  test("a slot and a turn too far apart in time are a leak and a loss", () => {
    const facts = { slots: held(slotOf("leak", 600)), executions: rows(turn("lost", 60)) };
    expect(mismatchOf(facts)).toEqual({ redis: ["leak"], sql: ["lost"] });
  });

  test("a slot of another agent is not theirs", () => {
    const facts = {
      roster: rosterOf({ [AGENT]: {}, other: {} }),
      slots: slotsOf({ other: [slotOf("s", 60)] }),
      executions: rows(turn("r", 60)),
    };
    expect(judge(S01, facts).findings.map((f) => f.keys)).toEqual([["sql:r"], ["redis:s"]]);
  });

  describe("beyond the cap: a turn that finds no free slot goes on without one", () => {
    /** A cap of 2, both slots taken. */
    const full = (...turns: Execution[]) => ({
      roster: rosterOf({ [AGENT]: { maxParallelTasks: 2 } }),
      slots: held(slot("run-1"), slot("run-2")),
      executions: rows(running("run-1"), running("run-2"), ...turns),
    });
    const turns = [turn("t-1", 40), turn("t-2", 30), turn("t-3", 20), turn("t-4", 10)];

    test("three turns of a full agent are green, a fourth has lost its slot: the oldest", () => {
      expect(mismatchOf(full(...turns.slice(1)))).toBeNull();
      expect(mismatchOf(full(...turns))).toEqual({ redis: [], sql: ["t-1"] });
    });

    test("a task of a full agent has no such place", () => {
      expect(mismatchOf(full(running("lost")))).toEqual({ redis: [], sql: ["lost"] });
    });

    test("with a slot free, and no sign that it was otherwise, a turn without a slot is red", () => {
      const facts = { ...full(...turns.slice(1)), slots: held(slot("run-1")) };
      expect(mismatchOf({ ...facts, executions: rows(running("run-1"), turn("t", 60)) })).toEqual({
        redis: [],
        sql: ["t"],
      });
    });

    test("a turn that began while the agent was full goes on when slots are free again", () => {
      const began = turn("t", 60, { runsAtStart: 2 });
      const facts = { roster: rosterOf({ [AGENT]: { maxParallelTasks: 2 } }), executions: rows(began) };
      expect(mismatchOf(facts)).toBeNull();
      const notFull = rows(turn("t", 60, { runsAtStart: 1 }));
      expect(mismatchOf({ ...facts, executions: notFull })).toEqual({ redis: [], sql: ["t"] });
    });

    test("a turn for which nobody counted what ran at its start is unseen, neither lost nor healthy", () => {
      const facts = {
        roster: rosterOf({ [AGENT]: { maxParallelTasks: 2 } }),
        executions: rows(turn("t", 60, { runsAtStart: Infinity })),
      };
      expect(recordOf(judge(S01, facts))).toMatchObject({ status: "unknown", unseen: [`${AGENT}/sql:t`] });
    });

    test("the cap is the one that the platform honours: a ceiling of all agents can be lower", () => {
      const facts = { slots: held(slot("run-1")), executions: rows(running("run-1"), turn("t", 60)) };
      const ceiling = (maxParallelTasksCeiling: number | null | "unreadable") => ({
        ...facts,
        platformSettings: { maxParallelTasksCeiling },
      });
      expect(mismatchOf(ceiling(1))).toBeNull();
      expect(mismatchOf(ceiling(null))).toEqual({ redis: [], sql: ["t"] });
      expect(mismatchOf(ceiling(2))).toEqual({ redis: [], sql: ["t"] });
    });

    test("where the cap can't be read, a turn without a slot is unseen; a task is not", () => {
      for (const unknown of [
        { roster: rosterOf({ [AGENT]: { maxParallelTasks: null } }) },
        { platformSettings: { maxParallelTasksCeiling: "unreadable" as const } },
      ]) {
        const facts = { ...unknown, executions: rows(turn("t", 60), running("lost")) };
        expect(recordOf(judge(S01, facts))).toMatchObject({ status: "red", unseen: [`${AGENT}/sql:t`] });
        expect(mismatchOf(facts)).toEqual({ redis: [], sql: ["lost"] });
      }
    });

    test("members that can't be read fill the cap like any other", () => {
      const slots = slotsOf({ [AGENT]: [slot("run-1")] }, [], { unread: { [AGENT]: { unreadable: 1 } } });
      const facts = { ...full(), slots, executions: rows(running("run-1"), turn("t", 60)) };
      expect(mismatchOf(facts)).toBeNull();
    });
  });
});

describe("runs that are being dispatched", () => {
  const scheduled = (id: string, ageSeconds: number, hasSession: boolean | null = false) =>
    running(id, { ageSeconds, hasSession, triggeredBy: "schedule" });

  test("a burst of 50 of the scheduler: the rows come first, the slots seconds later", () => {
    const burst = Array.from({ length: 50 }, (_, n) => scheduled(`run-${n}`, 0.2 * n));
    expect(mismatchOf({ executions: rows(...burst) })).toBeNull();
    // Half of them have their slot, and with it their session.
    const half = burst.map((row, n) => (n % 2 === 0 ? { ...row, hasSession: true } : row));
    const slots = held(...half.filter((row) => row.hasSession).map(({ id }) => slot(id)));
    expect(mismatchOf({ slots, executions: rows(...half) })).toBeNull();
  });

  test.each([
    [59.999, false, null],
    [60, false, ["run"]],
    [59.999, null, null],
    [60, null, ["run"]],
    [2.999, true, null],
    [3, true, ["run"]],
    // Its start is in the future, further than a dispatch takes.
    [-60, false, ["run"]],
    [-59.999, false, null],
  ] as const)("a row %d s old, with a session: %j, without a slot: %j", (age, hasSession, sql) => {
    expect(mismatchOf({ executions: rows(scheduled("run", age, hasSession)) })).toEqual(
      sql && { redis: [], sql: [...sql] },
    );
  });

  test("a slow reading does not shorten the minute", () => {
    const times = { executions: readBetween(0, 8) };
    expect(mismatchOf({ executions: rows(scheduled("run", 59.999)) }, { times })).toBeNull();
    expect(mismatchOf({ executions: rows(scheduled("run", 60)) }, { times })).not.toBeNull();
  });

  test("a row that can't be aged counts, dispatched or not", () => {
    const undated = running("run", { ...NO_STARTED_AT, hasSession: false });
    expect(mismatchOf({ executions: rows(undated) })).toEqual({ redis: [], sql: ["run"] });
  });

  test("a slot without a row is no dispatch: it has three seconds", () => {
    expect(mismatchOf({ slots: held(slot("leak", { ageSeconds: 3 })) })).toEqual({
      redis: ["leak"],
      sql: [],
    });
  });
});

describe("rows of pull workers", () => {
  test.each([
    ["in the future", msAgo(-600)],
    ["long overdue", msAgo(86_400)],
    ["unreadable", null],
  ])("a row whose lease is %s holds no slot and is left out", (_when, expiresAtMs) => {
    const pulled = running("pulled", { lease: leaseUntil(expiresAtMs) });
    expect(mismatchOf({ executions: rows(pulled) })).toBeNull();
    const [observed] = observedOf(judge(S01, { executions: rows(pulled, running("lost")) }));
    expect(observed).toMatchObject({ sql_running_count: 1, in_sql_only: ["lost"] });
  });

  test("a slot under the id of a leased row is a slot without a row", () => {
    const facts = {
      slots: held(slot("pulled")),
      executions: rows(running("pulled", { lease: leaseUntil(NOW_MS) })),
    };
    expect(mismatchOf(facts)).toEqual({ redis: ["pulled"], sql: [] });
  });
});

describe("drain sentinels", () => {
  test.each([
    [0.005, false],
    [9.999, false],
    [10, true],
    [10.001, true],
    [3600, true],
  ])("a sentinel %d s old: a leak is %j", (ageSeconds, leak) => {
    const facts = {
      slots: held(sentinel("1", ageSeconds), slot("run-1")),
      executions: rows(running("run-1")),
    };
    expect(mismatchOf(facts)).toEqual(leak ? { redis: ["drain-1"], sql: [] } : null);
  });

  test("a leaked sentinel is counted with the slots, a fresh one is not", () => {
    const facts = { slots: held(sentinel("old", 60), sentinel("new", 1), slot("leak")) };
    expect(observedOf(judge(S01, facts))).toEqual([
      expect.objectContaining({ redis_slot_count: 2, in_redis_only: ["drain-old", "leak"] }),
    ]);
  });

  test("only the beginning of the id makes a sentinel", () => {
    const ids = ["drain", "my-drain-1", "Drain-1", "drain_1"];
    const slots = held(...ids.map((id) => slot(id, { ageSeconds: 5 })));
    expect(mismatchOf({ slots })).toEqual({ redis: ["Drain-1", "drain", "drain_1", "my-drain-1"], sql: [] });
  });
});

describe("parts that could not be read", () => {
  test("slots of one agent unread: that agent is unseen, never called leaked, and the others are judged", () => {
    const roster = rosterOf({ a: {}, c: {} });
    const slots = slotsOf({ c: [slot("leak")] }, ["a"]);
    const executions = executionsOf([running("run-a", { agent: "a" })]);
    const verdict = judge(S01, { roster, slots, executions });
    expect(recordOf(verdict)).toEqual({ status: "red", checked: 1, unseen: ["a"], reason: null });
    expect(verdict.findings.map((f) => f.subject)).toEqual(["c"]);
  });

  describe("a running row whose id can't be read", () => {
    const UNREAD = `${AGENT}/sql:(unreadable id)`;
    const beside = (slotIds: readonly string[], hidden = [withoutId(running("x"))]) => ({
      slots: held(slot("run-1"), ...slotIds.map((id) => slot(id))),
      executions: executionsOf([running("run-1")], hidden),
    });

    test("is unseen, and a slot without a row may be its slot: neither is called red", () => {
      expect(recordOf(judge(S01, beside([])))).toMatchObject({ status: "unknown", unseen: [UNREAD] });
      expect(recordOf(judge(S01, beside(["a"])))).toMatchObject({
        status: "unknown",
        unseen: [`${AGENT}/redis:a`, UNREAD],
      });
    });

    test("has one slot at most: of two slots without a row one has leaked", () => {
      const verdict = judge(S01, beside(["a", "b"]));
      expect(observedOf(verdict)).toEqual([
        expect.objectContaining({
          redis_slot_count: 3,
          sql_running_count: 2,
          in_redis_only: ["a", "b"],
          in_sql_only: [],
          unreadable_running_rows: 1,
        }),
      ]);
      expect(S01.explain(verdict.findings[0]!.observed)).toMatch(/1 running row whose id can't be read$/);
      expect(
        recordOf(judge(S01, beside(["a", "b"], [withoutId(running("x")), withoutId(running("y"))]))),
      ).toMatchObject({
        status: "unknown",
        unseen: [`${AGENT}/redis:a`, `${AGENT}/redis:b`, UNREAD],
      });
    });

    test("does not hide a run that lost its slot", () => {
      const facts = { executions: executionsOf([running("lost")], [withoutId(running("x"))]) };
      expect(mismatchOf(facts)).toEqual({ redis: [], sql: ["lost"] });
    });

    test("excuses no slot where it holds none itself, or is another agent's", () => {
      for (const other of [
        queued("x"),
        running("x", { lease: leaseUntil(NOW_MS) }),
        running("x", { agent: "other" }),
      ])
        expect(mismatchOf(beside(["leak"], [withoutId(other)]))).toEqual({ redis: ["leak"], sql: [] });
    });

    test("is counted again at the second look: one slot each time, but never the same two, is no leak", () => {
      const verdict = judgeTwice(S01, beside(["a", "b"]), beside(["b", "c"]));
      expect(recordOf(verdict)).toMatchObject({
        status: "unknown",
        unseen: expect.arrayContaining([UNREAD]),
      });
      expect(judgeTwice(S01, beside(["a", "b"]), beside(["a", "b", "c"])).findings[0]!.keys).toEqual([
        "redis:a",
        "redis:b",
      ]);
    });
  });

  test("a slot of a row whose agent can't be read is unseen, and so is the row", () => {
    const facts = {
      slots: held(slot("x"), slot("leak")),
      executions: executionsOf([], [withoutAgent(running("x"))]),
    };
    const verdict = judge(S01, facts);
    expect(observedOf(verdict)).toEqual([expect.objectContaining({ in_redis_only: ["leak"] })]);
    expect(recordOf(verdict).unseen).toEqual(["(unreadable name)/sql:x", `${AGENT}/redis:x`]);
    expect(verdict.coverage.saw("gone", "sql:x")).toBe(false);
  });

  test("nobody seen at all is unknown, not green", () => {
    const slots = slotsOf({}, [AGENT]);
    expect(recordOf(judge(S01, { slots }))).toMatchObject({ status: "unknown", checked: 0, unseen: [AGENT] });
  });

  test("a slot whose hash could not be read still is a slot", () => {
    const blurred = slot("run-1", { ttlSeconds: null, timeoutSeconds: null });
    expect(mismatchOf({ slots: held(blurred), executions: rows(running("run-1")) })).toBeNull();
  });

  test("scores that are no instant (inf) get no grace", () => {
    for (const score of [Infinity, -Infinity, 0])
      expect(mismatchOf({ slots: held(slot("odd", { score })) })).toEqual({ redis: ["odd"], sql: [] });
    expect(mismatchOf({ slots: held(slot("now", { score: secondsAgo(0) })) })).toBeNull();
  });
});

describe("members that could not be read", () => {
  const withUnread = (members: Partial<UnreadMembers>, ...slots: ReturnType<typeof slot>[]) =>
    slotsOf({ [AGENT]: slots }, [], { unread: { [AGENT]: members } });

  test("a slot that can be read and has no row is red all the same", () => {
    const facts = { slots: withUnread({ unreadable: 1 }, slot("leak")) };
    expect(observedOf(judge(S01, facts))).toEqual([
      expect.objectContaining({
        redis_slot_count: 2,
        unread_slot_count: 1,
        in_redis_only: ["leak"],
        in_sql_only: [],
      }),
    ]);
  });

  test("one row without a slot may be its run: neither red nor healthy, and no other row is hidden", () => {
    const facts = { slots: withUnread({ unreadable: 1 }), executions: rows(running("lost")) };
    const verdict = judge(S01, facts);
    expect(recordOf(verdict)).toMatchObject({
      status: "unknown",
      unseen: [`${AGENT}/redis:(unreadable)`, `${AGENT}/sql:lost`],
    });
    expect(verdict.coverage.saw(AGENT, "sql:lost")).toBe(false);
    expect(verdict.coverage.saw(AGENT, "sql:another")).toBe(true);
    expect(verdict.coverage.saw(AGENT, "redis:leak")).toBe(true);
  });

  test.each([
    [{ unreadable: 1 }, ["a", "b"]],
    [{ unreadable: 2 }, ["a"]],
    [{ unreadable: 1, beyond: 1 }, ["a"]],
    [{ unreadable: 3 }, null],
    [{ beyond: 1_000_000 }, null],
  ])("of three rows without a slot as many are held back as members are unread: %j", (members, sql) => {
    const facts = {
      slots: withUnread(members, slot("run")),
      executions: rows(running("c"), running("run"), running("a"), running("b")),
    };
    expect(mismatchOf(facts)).toEqual(sql && { redis: [], sql });
  });

  test("beyond those that are read there may be any slot: none that is absent was seen to be gone", () => {
    const verdict = judge(S01, { slots: withUnread({ beyond: 1 }, slot("leak")) });
    expect(recordOf(verdict)).toMatchObject({ status: "red", unseen: [AGENT] });
    expect(verdict.coverage.saw(AGENT, "redis:released")).toBe(false);
  });

  test("a set whose agent can't be read is an unseen part, and hides no agent of the roster", () => {
    const slots = slotsOf({}, [], { unreadKeys: ["od\ufffd"] });
    const verdict = judge(S01, { slots });
    expect(recordOf(verdict)).toMatchObject({ status: "green", checked: 1, unseen: ["od\ufffd"] });
    expect(mismatchOf({ slots, executions: rows(running("lost")) })).toEqual({ redis: [], sql: ["lost"] });
  });

  test("the slots of an agent whose name is too long to be read are unseen, not none", () => {
    const name = "n".repeat(1_001);
    const facts = { roster: rosterOf({ [name]: {} }), executions: rows(running("run", { agent: name })) };
    expect(recordOf(judge(S01, facts))).toMatchObject({ status: "unknown", unseen: [name] });
  });
});
