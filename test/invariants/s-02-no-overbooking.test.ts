import { describe, expect, test } from "vitest";
import { noOverbooking as S02 } from "../../shared/invariants/s-02-no-overbooking.ts";
import {
  AGENT,
  judge,
  judgeTwice,
  observedOf,
  readBetween,
  recordOf,
  rosterOf,
  sentinel,
  slot,
  slotsOf,
  testUnreadFacts,
  violationsOf,
} from "../support/facts.ts";

testUnreadFacts(S02);

test("S-02 is of tier A, critical", () => {
  expect(S02).toMatchObject({ tier: "A", severity: "critical" });
});

const capOf = (maxParallelTasks: number | null) => rosterOf({ [AGENT]: { maxParallelTasks } });
const held = (...ids: string[]) => slotsOf({ [AGENT]: ids.map((id) => slot(id)) });

describe("no more slots than max_parallel_tasks", () => {
  test("an agent filled up to its cap is green", () => {
    const verdict = judge(S02, { roster: capOf(2), slots: held("run-1", "run-2") });
    expect(recordOf(verdict)).toEqual({ status: "green", checked: 1, unseen: [], reason: null });
  });

  test("three slots with a cap of two, as in the seed", () => {
    const verdict = judge(S02, { roster: capOf(2), slots: held("eid-c", "eid-a", "eid-b") });
    expect(violationsOf(verdict)).toEqual([
      {
        invariant_id: "S-02",
        tier: "A",
        severity: "critical",
        subject: AGENT,
        snapshot_time: "2026-11-23T12:00:00.000Z",
        observed_state: {
          agent_name: AGENT,
          slot_count: 3,
          max_parallel_tasks: 2,
          overbooked_by: 1,
          slot_ids: ["eid-a", "eid-b", "eid-c"],
          snapshot_time: "2026-11-23T12:00:00.000Z",
        },
        signal_query: `ZCARD(agent:slots:${AGENT}) - drain sentinels = 3 > max_parallel_tasks = 2`,
      },
    ]);
  });

  test.each([
    [0, 0, 0],
    [0, 1, 1],
    [1, 1, 0],
    [1, 4, 3],
    [10, 10, 0],
    [10, 11, 1],
  ])("cap %d, %d slots: overbooked by %d", (cap, count, by) => {
    const ids = Array.from({ length: count }, (_, i) => `run-${i}`);
    const found = observedOf(judge(S02, { roster: capOf(cap), slots: held(...ids) }));
    expect(found.map((o) => o.overbooked_by)).toEqual(by > 0 ? [by] : []);
  });

  test("each agent is held to its own cap, and each overbooked one is named", () => {
    const verdict = judge(S02, {
      roster: rosterOf({
        b: { maxParallelTasks: 1 },
        a: { maxParallelTasks: 1 },
        c: { maxParallelTasks: 5 },
      }),
      slots: slotsOf({ a: [slot("1"), slot("2")], b: [slot("3"), slot("4")], c: [slot("5"), slot("6")] }),
    });
    expect(verdict.findings.map((f) => f.subject)).toEqual(["a", "b"]);
  });

  test("slots of an agent that is not on the roster are L-03's business", () => {
    const slots = slotsOf({ ghost: ["1", "2", "3", "4"].map((id) => slot(id)) });
    expect(judge(S02, { slots }).status).toBe("green");
  });

  test("a slot taken over between two reads (caps and slots come from two servers) is gone at the second look", () => {
    expect(S02.confirm).toBe(true);
    const over = { roster: capOf(1), slots: held("a", "b") };
    expect(judgeTwice(S02, over, { roster: capOf(2), slots: held("a", "b") }).status).toBe("green");
    expect(judgeTwice(S02, over, { roster: capOf(1), slots: held("b", "c") }).status).toBe("red");
  });
});

describe("drain sentinels", () => {
  test.each([
    [0.005, false],
    [9.999, false],
    [10, true],
    [10.001, true],
  ])("a sentinel %d s old beside a full cap: overbooked is %j", (ageSeconds, overbooked) => {
    const slots = slotsOf({ [AGENT]: [slot("run-1"), slot("run-2"), sentinel("x", ageSeconds)] });
    const found = observedOf(judge(S02, { roster: capOf(2), slots }));
    expect(found.map((o) => o.slot_ids)).toEqual(overbooked ? [["drain-x", "run-1", "run-2"]] : []);
  });

  test("its age is measured at the start of a slow reading", () => {
    const slots = slotsOf({ [AGENT]: [slot("run-1"), sentinel("x", 9)] });
    const options = { times: { slots: readBetween(0, 8) } };
    expect(judge(S02, { roster: capOf(1), slots }, options).status).toBe("green");
  });
});

describe("parts that could not be read", () => {
  test("an unreadable max_parallel_tasks is unseen, neither 0 nor unlimited, and the others are judged", () => {
    const verdict = judge(S02, {
      roster: rosterOf({ broken: { maxParallelTasks: null }, full: { maxParallelTasks: 1 } }),
      slots: slotsOf({ broken: [slot("1"), slot("2")], full: [slot("3"), slot("4")] }),
    });
    expect(recordOf(verdict)).toEqual({ status: "red", checked: 1, unseen: ["broken"], reason: null });
    expect(verdict.findings.map((f) => f.subject)).toEqual(["full"]);
  });

  test("an agent whose slots were not read is unseen, and if it is the only one the verdict is unknown", () => {
    expect(recordOf(judge(S02, { slots: slotsOf({}, [AGENT]) }))).toMatchObject({
      status: "unknown",
      unseen: [AGENT],
    });
    const roster = rosterOf({ [AGENT]: {}, other: {} });
    expect(recordOf(judge(S02, { roster, slots: slotsOf({}, [AGENT]) }))).toMatchObject({
      status: "green",
      checked: 1,
      unseen: [AGENT],
    });
  });
});

describe("members that could not be read", () => {
  test.each([
    [{ unreadable: 1 }, 1],
    [{ unreadable: 1, beyond: 2 }, 3],
  ])("count: two slots of two, and %j", (members, by) => {
    const slots = slotsOf({ [AGENT]: [slot("a"), slot("b")] }, [], { unread: { [AGENT]: members } });
    const verdict = judge(S02, { roster: capOf(2), slots });
    expect(observedOf(verdict)).toEqual([
      expect.objectContaining({
        slot_count: 2 + by,
        overbooked_by: by,
        slot_ids: ["a", "b"],
        unread_slot_count: by,
      }),
    ]);
    expect(verdict.findings[0]?.signalQuery).toContain(`= ${2 + by} > max_parallel_tasks = 2`);
  });

  test("within the cap they are green, and the agent was seen whole", () => {
    const slots = slotsOf({ [AGENT]: [slot("a")] }, [], { unread: { [AGENT]: { unreadable: 1 } } });
    const verdict = judge(S02, { roster: capOf(2), slots });
    expect(recordOf(verdict)).toEqual({ status: "green", checked: 1, unseen: [], reason: null });
  });

  test("a set whose agent can't be read is an unseen part", () => {
    const slots = slotsOf({}, [], { unreadKeys: ["od\ufffd"] });
    expect(recordOf(judge(S02, { slots }))).toMatchObject({ status: "green", unseen: ["od\ufffd"] });
  });
});
