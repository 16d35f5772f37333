import { describe, expect, test } from "vitest";
import { queueStatusCoherence as B01 } from "../../shared/invariants/b-01-queue-status-coherence.ts";
import {
  AGENT,
  countsOf,
  executionsOf,
  httpCountsOf,
  judge,
  judgeTwice,
  observedOf,
  queued,
  recordOf,
  rosterOf,
  running,
  testUnreadFacts,
  violationsOf,
  withoutAgent,
  withoutId,
} from "../support/facts.ts";

testUnreadFacts(B01);

test("B-01 is of tier A, critical", () => {
  expect(B01).toMatchObject({ tier: "A", severity: "critical" });
});

const waiting = (n: number) => executionsOf(Array.from({ length: n }, (_, i) => queued(`q-${i}`)));

describe("the accessor counts what is queued", () => {
  test("a queue of two that the accessor calls two is green, and so is an empty one that it leaves out", () => {
    const facts = {
      roster: rosterOf({ [AGENT]: {}, idle: {} }),
      executions: executionsOf([queued("a"), queued("b"), running("c")]),
      queueCounts: countsOf({ [AGENT]: 2 }),
    };
    expect(recordOf(judge(B01, facts))).toEqual({ status: "green", checked: 2, unseen: [], reason: null });
  });

  test("an accessor that returns one too few, as in the seed", () => {
    const facts = { executions: executionsOf([queued("q")]), queueCounts: countsOf({ [AGENT]: 0 }) };
    expect(violationsOf(judge(B01, facts))).toEqual([
      {
        invariant_id: "B-01",
        tier: "A",
        severity: "critical",
        subject: AGENT,
        snapshot_time: "2026-11-23T12:00:00.000Z",
        observed_state: {
          agent_name: AGENT,
          service_count: 0,
          snapshot_count: 1,
          snapshot_queued_ids: ["q"],
          snapshot_time: "2026-11-23T12:00:00.000Z",
        },
        signal_query: `db.get_queued_count('${AGENT}') = 0 != |queued ids in snapshot| = 1`,
      },
    ]);
  });

  test.each([
    [2, 1, true],
    [2, 2, false],
    [2, 3, true],
    [0, 0, false],
    [0, 1, true],
  ])("%d queued, the accessor says %d: red is %j", (n, said, red) => {
    const verdict = judge(B01, { executions: waiting(n), queueCounts: countsOf({ [AGENT]: said }) });
    expect(verdict.status).toBe(red ? "red" : "green");
  });

  test("the SQL accessor has no row for an empty queue: left out means 0", () => {
    const [observed] = observedOf(judge(B01, { executions: waiting(2) }));
    expect(observed).toMatchObject({
      service_count: 0,
      snapshot_count: 2,
      snapshot_queued_ids: ["q-0", "q-1"],
    });
  });

  test("running rows are not queued, and ids are sorted", () => {
    const facts = {
      executions: executionsOf([queued("b"), running("x"), queued("a")]),
      queueCounts: countsOf({ [AGENT]: 3 }),
    };
    expect(observedOf(judge(B01, facts))[0]).toMatchObject({ snapshot_queued_ids: ["a", "b"] });
  });

  test("a queue that only the accessor or only the table knows is looked at, on the roster or not", () => {
    const verdict = judge(B01, {
      executions: executionsOf([queued("q", { agent: "in-sql" })]),
      queueCounts: countsOf({ "in-accessor": 4 }),
    });
    expect(observedOf(verdict).map((o) => [o.agent_name, o.service_count, o.snapshot_count])).toEqual([
      ["in-accessor", 4, 0],
      ["in-sql", 0, 1],
    ]);
  });

  test("rows queued between the two statements are gone at the second look", () => {
    expect(B01.confirm).toBe(true);
    const busy = { executions: waiting(2), queueCounts: countsOf({ [AGENT]: 1 }) };
    const settled = { executions: waiting(2), queueCounts: countsOf({ [AGENT]: 2 }) };
    expect(judgeTwice(B01, busy, settled).status).toBe("green");
    expect(judgeTwice(B01, busy, busy).status).toBe("red");
  });
});

describe("over HTTP the two counts are of different moments", () => {
  const judgeHttp = (said: number, before: number, after: number, inSnapshot = before) =>
    judge(B01, {
      executions: waiting(inSnapshot),
      queueCounts: httpCountsOf({ [AGENT]: said }, { [AGENT]: before }, { [AGENT]: after }),
    }).status;

  test.each([
    // said, before, after
    [4, 5, 7, "red"],
    [5, 5, 7, "green"],
    [6, 5, 7, "green"],
    [7, 5, 7, "green"],
    [8, 5, 7, "red"],
    [6, 7, 5, "green"],
    [4, 7, 5, "red"],
    [3, 3, 3, "green"],
    [2, 3, 3, "red"],
    [4, 3, 3, "red"],
  ])("the accessor says %d between counts of %d and %d: %s", (said, before, after, status) => {
    expect(judgeHttp(said, before, after)).toBe(status);
  });

  test.each([
    // said, before, after, rows in the snapshot
    [3, 5, 5, 1, "red"],
    [1, 2, 2, 0, "red"],
    [7, 5, 6, 9, "red"],
    [5, 5, 5, 9, "green"],
    [9, 5, 5, 9, "green"],
  ])(
    "the accessor says %d between counts of %d and %d, with %d rows in the snapshot: %s",
    // Only what was counted around the accessor's answer is of its moment: an older or newer snapshot excuses nothing.
    (said, before, after, inSnapshot, status) => {
      expect(judgeHttp(said, before, after, inSnapshot)).toBe(status);
    },
  );

  test("an accessor that is one too few while the queue grows by one: the rows of the snapshot don't excuse it", () => {
    const verdict = judge(B01, {
      executions: waiting(1),
      queueCounts: httpCountsOf({ [AGENT]: 2 }, { [AGENT]: 3 }, { [AGENT]: 4 }),
    });
    expect(observedOf(verdict)).toMatchObject([{ service_count: 2, snapshot_count: 1 }]);
  });

  test("a queue that has moved on since the snapshot is not the accessor's fault", () => {
    expect(judgeHttp(6, 6, 6, 2)).toBe("green");
  });

  test("an agent without rows before or after has a queue of 0 there", () => {
    const facts = (said: number) => ({ queueCounts: httpCountsOf({ [AGENT]: said }, {}, { [AGENT]: 2 }) });
    expect(judge(B01, facts(0)).status).toBe("green");
    expect(judge(B01, facts(1)).status).toBe("green");
    expect(judge(B01, facts(3)).status).toBe("red");
  });

  test("an agent for which the accessor gave no number is unseen, not 0", () => {
    const facts = {
      roster: rosterOf({ [AGENT]: {}, other: {} }),
      executions: waiting(1),
      queueCounts: httpCountsOf({ other: 0 }, { [AGENT]: 1 }),
    };
    expect(recordOf(judge(B01, facts))).toEqual({
      status: "green",
      checked: 1,
      unseen: [AGENT],
      reason: null,
    });
  });

  test("an accessor that gave no number at all is unknown, not green", () => {
    expect(recordOf(judge(B01, { queueCounts: httpCountsOf({}, {}) }))).toMatchObject({
      status: "unknown",
      unseen: [AGENT],
    });
  });
});

test("a queued row whose id can't be read is one queued row, as the accessor counts it", () => {
  const executions = executionsOf([queued("q")], [withoutId(queued("x")), withoutId(running("y"))]);
  const said = (n: number) => judge(B01, { executions, queueCounts: countsOf({ [AGENT]: n }) });
  expect(recordOf(said(2))).toMatchObject({ status: "green", checked: 1, unseen: [] });
  expect(observedOf(said(1))).toMatchObject([
    { service_count: 1, snapshot_count: 2, snapshot_queued_ids: ["q"] },
  ]);
});

test("queued rows of an agent whose name can't be read: a name that only the accessor knows is unseen", () => {
  const queueCounts = httpCountsOf({ [AGENT]: 0, "ru\ufffdby": 1 }, {});
  const hidden = executionsOf([], [withoutAgent(queued("q"))]);
  expect(recordOf(judge(B01, { executions: hidden, queueCounts }))).toMatchObject({
    status: "green",
    unseen: ["ru\ufffdby"],
  });
  const wrong = httpCountsOf({ [AGENT]: 1, "ru\ufffdby": 1 }, {});
  expect(judge(B01, { executions: hidden, queueCounts: wrong }).findings.map((f) => f.subject)).toEqual([
    AGENT,
  ]);
  expect(judge(B01, { queueCounts }).findings.map((f) => f.subject)).toEqual(["ru\ufffdby"]);
});
