import { describe, expect, test } from "vitest";
import type { Facts, Slot } from "../../shared/facts/facts.ts";
import { databaseIsThePlatforms as H02 } from "../../shared/invariants/h-02-database-is-the-platforms.ts";
import {
  AGENT,
  executionsOf,
  judge,
  judgeTwice,
  msAgo,
  observedOf,
  queued,
  recordOf,
  rememberedOf,
  rosterOf,
  running,
  sentinel,
  slot,
  slotsOf,
  testUnreadFacts,
  violationsOf,
  withoutAgent,
} from "../support/facts.ts";

testUnreadFacts(H02);

test("H-02 is of tier A, critical", () => {
  expect(H02).toMatchObject({ tier: "A", severity: "critical" });
});

const ROSTER = rosterOf({ ada: {}, ruby: {} });
/** Slots that were acquired so many seconds ago, two of ruby and one of ada. */
const threeSlots = (ageSeconds: number, differs: Partial<Slot> = {}) =>
  slotsOf({
    ruby: [slot("e-3", { ageSeconds, ...differs }), slot("e-1", { ageSeconds, ...differs })],
    ada: [slot("e-2", { ageSeconds, ...differs })],
  });
/** A copy of the database that was made an hour and a half ago, and a Redis that goes on. */
const leftBehind = (differs: Partial<Facts> = {}): Partial<Facts> => ({
  roster: ROSTER,
  newestStart: msAgo(5400),
  slots: threeSlots(0),
  ...differs,
});
const statusOf = (differs: Partial<Facts> = {}) => judge(H02, leftBehind(differs)).status;

describe("slots come, and rows don't", () => {
  test("a database that was left behind by a migration", () => {
    expect(violationsOf(judge(H02, leftBehind()))).toEqual([
      {
        invariant_id: "H-02",
        tier: "A",
        severity: "critical",
        subject: "database",
        snapshot_time: "2026-11-23T12:00:00.000Z",
        observed_state: {
          slot_count: 3,
          agent_count: 2,
          newest_slot_at: "2026-11-23T12:00:00.000Z",
          newest_row_at: "2026-11-23T10:30:00.000Z",
          behind_seconds: 5400,
          sample: ["ada/e-2", "ruby/e-1", "ruby/e-3"],
          snapshot_time: "2026-11-23T12:00:00.000Z",
        },
        signal_query:
          "3 slot(s) of 2 agent(s) without a row; newest slot 2026-11-23T12:00:00.000Z is 5400s after the newest row 2026-11-23T10:30:00.000Z",
      },
    ]);
  });

  test("a database of the same schema whose executions have no row", () => {
    const verdict = judge(H02, leftBehind({ newestStart: null }));
    expect(observedOf(verdict)).toEqual([
      expect.objectContaining({ newest_row_at: null, behind_seconds: null, slot_count: 3 }),
    ]);
    expect(verdict.findings[0]!.signalQuery).toMatch(/; there is no row$/);
  });

  test.each([
    [300, "green"],
    [300.999, "green"],
    [301, "red"],
  ])("the newest row is %d s older than the newest of the slots: %s", (seconds, status) => {
    expect(statusOf({ newestStart: msAgo(seconds) })).toBe(status);
  });

  test("a live row that is newer than those of the table's end counts as well", () => {
    const live = executionsOf([queued("other", { waitedSeconds: 300 })]);
    expect(statusOf({ executions: live })).toBe("green");
    expect(statusOf({ executions: executionsOf([queued("other", { waitedSeconds: 301 })]) })).toBe("red");
  });

  test("a live row that begins in ten years hides nothing", () => {
    const live = executionsOf([running("garbage", { ageSeconds: -10 * 365 * 86_400 })]);
    expect(statusOf({ executions: live })).toBe("red");
  });

  test("a platform whose clock is two minutes ahead of ours", () => {
    expect(statusOf({ slots: threeSlots(-120) })).toBe("red");
    expect(statusOf({ slots: threeSlots(-120), newestStart: msAgo(-120) })).toBe("green");
  });

  test("the sample has ten, the counts all", () => {
    const many = Array.from({ length: 12 }, (_, n) => slot(`e-${String(n).padStart(2, "0")}`));
    const verdict = judge(H02, leftBehind({ slots: slotsOf({ ruby: many, ada: [slot("e-x")] }) }));
    expect(observedOf(verdict)[0]).toMatchObject({ slot_count: 13, agent_count: 2 });
    expect(observedOf(verdict)[0]!.sample).toHaveLength(10);
  });
});

describe("in a lull, with fewer than three such slots", () => {
  /** Whether a database that was red would be green again. */
  const saw = (differs: Partial<Facts>) =>
    judge(H02, { roster: ROSTER, slots: slotsOf({}), newestStart: msAgo(3600), ...differs }).coverage.saw(
      "database",
    );

  test("a row that is as new as the newest slot that was ever seen proves it", () => {
    expect(saw({ newestSlotSeen: msAgo(3600) })).toBe(true);
    expect(saw({ newestSlotSeen: msAgo(3300) })).toBe(true);
    expect(saw({ newestSlotSeen: msAgo(3299) })).toBe(false);
    expect(saw({ newestSlotSeen: msAgo(3600), newestStart: null })).toBe(false);
  });

  test("a slot that is held now counts as well, and where none was ever seen nothing is proven", () => {
    const slots = slotsOf({ ruby: [slot("e", { ageSeconds: 60 })] });
    expect(saw({ slots, newestSlotSeen: msAgo(3600) })).toBe(false);
    expect(saw({ slots, newestStart: msAgo(60) })).toBe(true);
    // The memory is an older version's, which did not have it.
    expect(saw({ newestSlotSeen: null })).toBe(false);
  });
});

describe("what is not a left-behind database", () => {
  test("three slots that somebody adds for one agent of a quiet platform (S-02's scenario)", () => {
    const fake = slotsOf({ ruby: ["a", "b", "c"].map((id) => slot(id, { ageSeconds: 0 })) });
    expect(recordOf(judge(H02, leftBehind({ slots: fake })))).toMatchObject({ status: "green", unseen: [] });
  });

  test("two slots of two agents", () => {
    const two = slotsOf({ ruby: [slot("a")], ada: [slot("b")] });
    expect(statusOf({ slots: two })).toBe("green");
  });

  test("slots of two agents that leaked: they are as old as the rows of their runs", () => {
    const slots = threeSlots(5400);
    expect(statusOf({ slots, newestStart: msAgo(5400.06) })).toBe("green");
  });

  test("slots of runs whose rows are live, or were seen finished", () => {
    const live = executionsOf([running("e-1", { agent: "ruby", ageSeconds: 5400 })]);
    expect(statusOf({ executions: live })).toBe("green");
    expect(statusOf({ finishedRuns: rememberedOf({ "e-2": "success" }) })).toBe("green");
  });

  test("a slot whose row's agent can't be read has its row", () => {
    const executions = executionsOf([], [withoutAgent(running("e-1", { ageSeconds: 5400 }))]);
    expect(statusOf({ executions })).toBe("green");
  });

  test("chat turns: their slots have ids of their own, but their rows are new", () => {
    const turns = ["t-1", "t-2", "t-3"].map((id) =>
      running(id, { agent: "ruby", triggeredBy: "chat", ageSeconds: 120 }),
    );
    const facts = { slots: threeSlots(120.05), executions: executionsOf(turns), newestStart: msAgo(120) };
    expect(statusOf(facts)).toBe("green");
  });

  test("chat turns that have just begun, on a platform that was quiet: their rows are there at the second look", () => {
    const first = leftBehind({ slots: threeSlots(0.05) });
    expect(judge(H02, first).status).toBe("red");
    expect(judgeTwice(H02, first, { ...first, newestStart: msAgo(0) }).status).toBe("green");
    expect(judgeTwice(H02, first, first).status).toBe("red");
  });

  test("drain sentinels, and scores that are no instant of the platform", () => {
    const sentinels = slotsOf({ ruby: [sentinel("1", 20), sentinel("2", 20)], ada: [sentinel("3", 20)] });
    expect(statusOf({ slots: sentinels })).toBe("green");
    for (const score of [Infinity, 1e300, -Infinity, -1e300]) {
      expect(recordOf(judge(H02, leftBehind({ slots: threeSlots(0, { score }) })))).toMatchObject({
        status: "green",
        reason: null,
      });
      expect(statusOf({ slots: threeSlots(0, { score }), newestStart: null })).toBe("green");
    }
  });

  test("an idle platform, with or without rows", () => {
    expect(statusOf({ slots: slotsOf({}) })).toBe("green");
    expect(statusOf({ slots: slotsOf({}), newestStart: null })).toBe("green");
  });
});

describe("parts that could not be read", () => {
  test("an empty roster is H-01's", () => {
    expect(judge(H02, leftBehind({ roster: rosterOf({}) }))).toMatchObject({
      status: "unknown",
      reason: "the roster is empty: H-01 judges that",
    });
  });

  test("what can be read is enough to be red", () => {
    const slots = { ...threeSlots(0), unseenAgents: new Set(["opal"]) };
    expect(statusOf({ slots })).toBe("red");
  });

  test("one agent's slots can't be read, and no other's are without a row: it alone makes no second agent", () => {
    for (const slots of [
      slotsOf({}, ["opal"]),
      slotsOf({}, [], { unread: { opal: { unreadable: 9 } } }),
      slotsOf({}, [], { unreadKeys: ["od\ufffd"] }),
    ])
      expect(recordOf(judge(H02, leftBehind({ slots })))).toMatchObject({ status: "green", reason: null });
  });

  test("where unread slots could make it red, it is unknown", () => {
    const one = { ruby: [slot("e-1", { ageSeconds: 0 })] };
    for (const slots of [
      slotsOf(one, ["opal"]),
      slotsOf({}, ["opal", "ada"]),
      slotsOf(one, [], { unread: { ruby: { unreadable: 1 }, opal: { beyond: 1 } } }),
      slotsOf(one, [], { unreadKeys: ["od\ufffd"] }),
    ])
      expect(judge(H02, leftBehind({ slots }))).toMatchObject({
        status: "unknown",
        reason: expect.stringMatching(/slots .*not read/),
      });
  });

  test("a row of the last five minutes proves it, whatever can't be read of the slots", () => {
    const slots = slotsOf({}, ["opal", "ada"]);
    expect(statusOf({ slots, newestStart: msAgo(200) })).toBe("green");
  });

  test("the default platform is green", () => {
    expect(recordOf(judge(H02, { slots: slotsOf({ [AGENT]: [slot("x")] }) }))).toMatchObject({
      status: "green",
      checked: 1,
    });
  });
});
