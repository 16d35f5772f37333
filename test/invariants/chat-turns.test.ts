/** Which slots and rows of an agent are one chat turn, and which turns may go on without a slot. */
import { describe, expect, test } from "vitest";
import type { Execution, Slot } from "../../shared/facts/facts.ts";
import { turnsWithoutSlot, withoutChatTurns } from "../../shared/invariants/chat-turns.ts";
import { NO_STARTED_AT, running, sentinel, slot } from "../support/facts.ts";

/** A chat turn that began so many seconds ago. */
const turn = (id: string, ageSeconds: number, differs: Partial<Execution> = {}) =>
  running(id, { ageSeconds, triggeredBy: "chat", ...differs });
const at = (id: string, ageSeconds: number) => slot(id, { ageSeconds });
const paired = (slots: readonly Slot[], rows: readonly Execution[]) => {
  const left = withoutChatTurns(slots, rows);
  return [left.slots.map(({ id }) => id).sort(), left.rows.map(({ id }) => id).sort(), left.paired];
};

describe("a slot and a row are one chat turn", () => {
  test("where the row begins just after its slot was acquired", () => {
    expect(paired([at("s", 60.04)], [turn("r", 60)])).toEqual([[], [], 1]);
  });

  test.each(["chat", "mcp", "agent"])("that %s starts", (triggeredBy) => {
    expect(paired([at("s", 60)], [turn("r", 60, { triggeredBy })])).toEqual([[], [], 1]);
  });

  test.each(["schedule", "manual", "webhook", "retry", "public", "session", "", null])(
    "but not one that %s starts",
    (triggeredBy) => {
      expect(paired([at("s", 60)], [turn("r", 60, { triggeredBy })])).toEqual([["s"], ["r"], 0]);
    },
  );

  test.each([
    [-2.001, 0],
    [-2, 1],
    [0, 1],
    [10, 1],
    [10.001, 0],
  ])("the row begins %d s after the slot: pairs %d", (laterSeconds, pairs) => {
    expect(paired([at("s", 60)], [turn("r", 60 - laterSeconds)])[2]).toBe(pairs);
  });

  test("however late it was dispatched: queued_at keeps when a parked turn was admitted", () => {
    const parked = turn("r", 5, { queuedAtMs: turn("r", 600).startedAtMs });
    expect(paired([at("s", 600.04)], [parked])).toEqual([[], [], 1]);
    expect(paired([at("s", 5)], [parked])).toEqual([["s"], ["r"], 0]);
  });

  test("each once: two slots and one row leave a slot, one slot and two rows leave a row", () => {
    expect(paired([at("near", 60), at("far", 65)], [turn("r", 60)])).toEqual([["far"], [], 1]);
    expect(paired([at("s", 60)], [turn("near", 60), turn("far", 55)])).toEqual([[], ["far"], 1]);
  });

  test("the closest in time first, whoever comes first in the lists", () => {
    const slots = [at("a", 60), at("b", 58)];
    const rows = [turn("of-b", 57.9), turn("of-a", 59.9)];
    expect(paired(slots, rows)).toEqual([[], [], 2]);
    expect(paired([...slots, at("c", 50)].reverse(), rows.reverse())).toEqual([["c"], [], 2]);
  });

  test("of several that are as close, it is the same one in any order", () => {
    const slots = [at("a", 60), at("b", 60), at("c", 60)];
    const rows = [turn("y", 60), turn("x", 60)];
    const left = paired(slots, rows);
    expect(left).toEqual([["c"], [], 2]);
    expect(paired([...slots].reverse(), [...rows].reverse())).toEqual(left);
    expect(paired([at("s", 60)], [turn("y", 60), turn("x", 60)])).toEqual([[], ["y"], 1]);
  });

  test("a drain sentinel is nobody's slot, and a row without a readable start has none by time", () => {
    expect(paired([sentinel("1", 60)], [turn("r", 60)])).toEqual([["drain-1"], ["r"], 0]);
    expect(paired([at("s", 60)], [turn("r", 60, NO_STARTED_AT)])).toEqual([["s"], ["r"], 0]);
  });

  test("scores that are no instant pair with nothing", () => {
    const odd = [Infinity, -Infinity, 1e300].map((score) => slot(String(score), { score }));
    expect(paired(odd, [turn("r", 60)])[2]).toBe(0);
  });

  test("no more is compared than a cycle has time for", () => {
    const slots = Array.from({ length: 3_000 }, (_, n) => at(`s-${n}`, 60));
    const rows = Array.from({ length: 3_000 }, (_, n) => turn(`r-${n}`, 60));
    expect(withoutChatTurns(slots, rows).paired).toBeLessThanOrEqual(3_000);
  });
});

describe("a turn that may go on without a slot", () => {
  const named = (rows: readonly Execution[], cap: number | null, slotCount: number) =>
    [...turnsWithoutSlot(rows, cap, slotCount)].map(({ id }) => id).sort();

  test("while every slot is taken", () => {
    expect(named([turn("r", 60)], 2, 2)).toEqual(["r"]);
    expect(named([turn("r", 60)], 2, 3)).toEqual(["r"]);
    expect(named([turn("r", 60)], 2, 1)).toEqual([]);
  });

  test("that began while as many other runs were under way, although slots are free now", () => {
    expect(named([turn("r", 60, { runsAtStart: 2 })], 2, 0)).toEqual(["r"]);
    expect(named([turn("r", 60, { runsAtStart: 1 })], 2, 0)).toEqual([]);
    expect(named([turn("r", 60, { runsAtStart: null })], 2, 0)).toEqual([]);
  });

  test("only a chat turn", () => {
    expect(named([running("r", { runsAtStart: 9 })], 2, 2)).toEqual([]);
  });

  test("three of an agent, the newest; of those that are as new, the same in any order", () => {
    const rows = [turn("d", 240), turn("a", 60), turn("c", 180), turn("b", 120)];
    expect(named(rows, 1, 1)).toEqual(["a", "b", "c"]);
    const same = ["z", "w", "y", "x"].map((id) => turn(id, 60));
    expect(named(same, 1, 1)).toEqual(["w", "x", "y"]);
    expect(named(same.reverse(), 1, 1)).toEqual(["w", "x", "y"]);
    expect(named([...rows, turn("e", 0, NO_STARTED_AT)], 1, 1)).toEqual(["a", "b", "c"]);
  });

  test("any, where the cap is not known; all, where it is 0", () => {
    expect(named([turn("r", 60)], null, 0)).toEqual(["r"]);
    expect(named([turn("r", 60)], 0, 0)).toEqual(["r"]);
  });
});
