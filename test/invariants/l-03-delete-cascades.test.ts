import { describe, expect, test } from "vitest";
import { deleteCascades as L03 } from "../../shared/invariants/l-03-delete-cascades.ts";
import {
  AGENT,
  judge,
  judgeTwice,
  observedOf,
  orphansOf,
  recordOf,
  rosterOf,
  sentinel,
  slot,
  slotsOf,
  testUnreadFacts,
  violationsOf,
} from "../support/facts.ts";

testUnreadFacts(L03);

test("L-03 is of tier A, critical", () => {
  expect(L03).toMatchObject({ tier: "A", severity: "critical" });
});

describe("nothing names an agent that does not exist", () => {
  test("slots of agents on the roster are green", () => {
    const slots = slotsOf({ [AGENT]: [slot("run-1")] });
    expect(recordOf(judge(L03, { slots }))).toEqual({
      status: "green",
      checked: 1,
      unseen: [],
      reason: null,
    });
  });

  test("a deleted agent that left two rows and a slot", () => {
    const samples = [
      { table: "schedule_executions", column: "agent_name", rowId: "E" },
      { table: "agent_tags", column: "agent_name", rowId: "agent_name=G, tag=prod" },
    ];
    const facts = {
      orphans: orphansOf({ G: { rows: { schedule_executions: 1, agent_tags: 1 }, samples } }),
      slots: slotsOf({ G: [slot("E")] }),
    };
    expect(violationsOf(judge(L03, facts))).toEqual([
      {
        invariant_id: "L-03",
        tier: "A",
        severity: "critical",
        subject: "G",
        snapshot_time: "2026-11-23T12:00:00.000Z",
        observed_state: {
          ghost_agent_name: "G",
          orphan_count: 2,
          redis_slot_count: 1,
          tables_hit: ["agent_tags", "redis:agent:slots", "schedule_executions"],
          sample_refs: [
            { table: "schedule_executions", column: "agent_name", row_id: "E" },
            { table: "agent_tags", column: "agent_name", row_id: "agent_name=G, tag=prod" },
          ],
          snapshot_time: "2026-11-23T12:00:00.000Z",
        },
        signal_query:
          "agent_name 'G' referenced by 2 SQL row(s) and 1 Redis slot(s) but absent from agent_ownership",
      },
    ]);
  });

  test.each([
    ["live rows of schedule_executions", "critical", { schedule_executions: 1 }, 0],
    ["live rows among others", "critical", { agent_tags: 9, schedule_executions: 1 }, 0],
    ["Redis slots only", "critical", {}, 1],
    ["tags and shares", "major", { agent_tags: 2, agent_sharing: 3 }, 0],
    ["schedules", "major", { agent_schedules: 5 }, 0],
    ["API keys", "major", { mcp_api_keys: 1 }, 0],
  ] as const)("%s left behind are %s", (_what, severity, rows, slotCount) => {
    const facts = {
      orphans: orphansOf(Object.keys(rows).length > 0 ? { G: { rows } } : {}),
      slots: slotsOf(slotCount > 0 ? { G: [slot("E")] } : {}),
    };
    expect(violationsOf(judge(L03, facts))).toEqual([expect.objectContaining({ subject: "G", severity })]);
  });

  test("each ghost is one violation, with all that it left", () => {
    const verdict = judge(L03, {
      orphans: orphansOf({
        g2: { rows: { agent_tags: 3, chat_sessions: 4 } },
        g1: { rows: { agent_skills: 1 } },
      }),
      slots: slotsOf({ g3: [slot("a"), slot("b")], g2: [slot("c")] }),
    });
    expect(
      observedOf(verdict).map((o) => [o.ghost_agent_name, o.orphan_count, o.redis_slot_count, o.tables_hit]),
    ).toEqual([
      ["g1", 1, 0, ["agent_skills"]],
      ["g2", 7, 1, ["agent_tags", "chat_sessions", "redis:agent:slots"]],
      ["g3", 0, 2, ["redis:agent:slots"]],
    ]);
    expect(verdict.coverage.subjects).toEqual(new Set([AGENT, "g1", "g2", "g3"]));
  });

  test("a slot key that holds a drain sentinel names a ghost all the same", () => {
    const slots = slotsOf({ G: [sentinel("x", 0)] });
    expect(observedOf(judge(L03, { slots }))).toEqual([
      expect.objectContaining({ ghost_agent_name: "G", redis_slot_count: 1 }),
    ]);
  });

  test("a slot key without members is no ghost: it was emptied between two reads", () => {
    expect(recordOf(judge(L03, { slots: slotsOf({ G: [], [AGENT]: [] }) }))).toEqual({
      status: "green",
      checked: 1,
      unseen: [],
      reason: null,
    });
  });

  test("a ghost's empty slot key adds nothing to the rows that it left", () => {
    const facts = { orphans: orphansOf({ G: { rows: { agent_tags: 1 } } }), slots: slotsOf({ G: [] }) };
    expect(violationsOf(judge(L03, facts))).toMatchObject([
      { severity: "major", observed_state: { redis_slot_count: 0, tables_hit: ["agent_tags"] } },
    ]);
  });

  test.each(["__proto__", "constructor", "toString", "123", ""])("a ghost called %j is found", (name) => {
    const slots = { ...slotsOf({}), byAgent: new Map([[name, [slot("E")]]]) };
    expect(judge(L03, { slots }).findings.map((f) => f.subject)).toEqual([name]);
  });

  test.each(["__proto__", "constructor"])("an agent called %j on the roster is no ghost", (name) => {
    const roster = rosterOf(Object.fromEntries([[name, {}]]));
    const slots = { ...slotsOf({}), byAgent: new Map([[name, [slot("E")]]]) };
    expect(judge(L03, { roster, slots }).status).toBe("green");
  });
});

describe("when it can't judge", () => {
  test("with an empty roster every row would be an orphan: unknown, and nobody is called a ghost", () => {
    const facts = {
      roster: rosterOf({}),
      orphans: orphansOf({ [AGENT]: { rows: { schedule_executions: 4 } } }),
      slots: slotsOf({ [AGENT]: [slot("a")] }),
    };
    expect(recordOf(judge(L03, facts))).toEqual({
      status: "unknown",
      checked: 0,
      unseen: [],
      reason: "the roster is empty: every row would be an orphan",
    });
  });

  test("a table that could not be searched: no ghost elsewhere is unknown, a ghost elsewhere is red", () => {
    const blind = judge(L03, { orphans: orphansOf({}, ["chat_sessions"]) });
    expect(blind).toMatchObject({
      status: "unknown",
      reason: "not searched: chat_sessions",
      coverage: { isWhole: false },
    });
    const red = judge(L03, { orphans: orphansOf({ G: { rows: { agent_tags: 1 } } }, ["chat_sessions"]) });
    expect(red).toMatchObject({ status: "red", coverage: { isWhole: false } });
  });

  test("a key of another type under agent:slots:* is one unseen ghost, not a blind fleet", () => {
    const facts = { orphans: orphansOf({ G: { rows: { agent_tags: 1 } } }), slots: slotsOf({}, ["backup"]) };
    expect(recordOf(judge(L03, facts))).toEqual({
      status: "red",
      checked: 2,
      unseen: ["backup"],
      reason: null,
    });
    expect(recordOf(judge(L03, { slots: slotsOf({}, ["backup"]) }))).toMatchObject({
      status: "green",
      checked: 1,
      unseen: ["backup"],
    });
  });

  test("rows of agents whose name can't be read are an unseen part for each table, and hide no ghost", () => {
    const unseen = ["(unreadable name)/agent_tags", "(unreadable name)/schedule_executions"];
    const tables = ["schedule_executions", "agent_tags"];
    expect(recordOf(judge(L03, { orphans: orphansOf({}, [], tables) }))).toMatchObject({
      status: "green",
      unseen,
    });
    const verdict = judge(L03, { orphans: orphansOf({ G: { rows: { agent_tags: 1 } } }, [], tables) });
    expect(recordOf(verdict)).toMatchObject({ status: "red", unseen });
    expect(verdict.coverage.isWhole).toBe(false);
  });

  test("a known agent's unreadable key is not L-03's: it is no ghost either way", () => {
    expect(recordOf(judge(L03, { slots: slotsOf({}, [AGENT]) }))).toMatchObject({
      status: "green",
      unseen: [],
    });
  });
});

describe("an agent made between two reads", () => {
  test("is no ghost: its slot was seen before its roster row, and the second look knows it", () => {
    expect(L03.confirm).toBe(true);
    const slots = slotsOf({ newborn: [slot("E", { ageSeconds: 0 })] });
    const roster = rosterOf({ [AGENT]: {}, newborn: {} });
    expect(judge(L03, { slots }).status).toBe("red");
    expect(judgeTwice(L03, { slots }, { slots, roster }).status).toBe("green");
    expect(judgeTwice(L03, { slots }, { slots }).status).toBe("red");
  });

  test("is no ghost where the rows were searched before the roster was read", () => {
    const facts = {
      roster: rosterOf({ newborn: {} }),
      orphans: orphansOf({ newborn: { rows: { agent_schedules: 1 } } }),
    };
    expect(judge(L03, facts).status).toBe("green");
  });
});

describe("slots that could not be read", () => {
  test("a set whose agent can't be read is an unseen part: it may be a ghost's", () => {
    const slots = slotsOf({}, [], { unreadKeys: ["od\ufffd"] });
    const verdict = judge(L03, { slots });
    expect(recordOf(verdict)).toMatchObject({ status: "green", checked: 1, unseen: ["od\ufffd"] });
    expect(verdict.coverage.isWhole).toBe(false);
  });

  test("a ghost's members count, whether their ids can be read or not", () => {
    const some = slotsOf({ G: [slot("E")] }, [], { unread: { G: { unreadable: 1, beyond: 5 } } });
    expect(observedOf(judge(L03, { slots: some }))).toMatchObject([
      { ghost_agent_name: "G", redis_slot_count: 7, tables_hit: ["redis:agent:slots"] },
    ]);
    const none = slotsOf({}, [], { unread: { G: { unreadable: 1 } } });
    expect(violationsOf(judge(L03, { slots: none }))).toMatchObject([
      { severity: "critical", observed_state: { redis_slot_count: 1 } },
    ]);
  });

  test("an unread member of an agent on the roster is not L-03's", () => {
    const slots = slotsOf({}, [], { unread: { [AGENT]: { unreadable: 1 } } });
    expect(recordOf(judge(L03, { slots }))).toMatchObject({ status: "green", unseen: [] });
  });
});
