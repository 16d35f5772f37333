/** The judge on runs that need no slot of their own id: chat turns, runs that are being dispatched, leased runs. */
import { expect, test } from "vitest";
import type { SoakEvent } from "../../../infra/soak/timeline.ts";
import {
  at,
  cycle,
  finding,
  fleet,
  judged,
  LATER,
  made,
  only,
  QUIET,
  row,
  ruby,
  run,
  SILENT,
  T0,
} from "../../support/soak-journal.ts";

/** A chat turn: the slot `slot-N`, and 40 ms later the row `turn-N`. Either part can be left out. */
const turn = (n: number, startMs: number, { slot = true, row: hasRow = true } = {}): SoakEvent[] => {
  const [taken, made] = [
    { ...ruby, executionId: `slot-${n}` },
    { ...ruby, executionId: `turn-${n}` },
  ];
  return [
    ...(slot
      ? [
          at(startMs, { what: "slot taken", ...taken, scoreSeconds: (T0 + startMs) / 1000 }),
          at(startMs, { what: "hash written", ...taken, timeoutSeconds: 60 }),
          at(startMs, { what: "hash expires", ...taken, ttlSeconds: 360 }),
        ]
      : []),
    ...(hasRow
      ? [
          at(startMs + 40, {
            what: "row",
            ...made,
            status: "running",
            startedAtMs: T0 + startMs + 40,
            triggeredBy: "chat",
          }),
          at(startMs + 45, { what: "session", ...made }),
        ]
      : []),
  ];
};
test("the slot of a chat turn and its row are a pair, though nothing links them", () => {
  const turns = [...turn(1, -20_000), ...turn(2, -19_950), ...turn(3, -8_000)];
  expect(judged([...fleet(), ...turns], [cycle(...LATER)])).toEqual(QUIET);
  for (const key of ["redis:slot-1", "sql:turn-2"])
    expect(judged([...fleet(), ...turns], [cycle(...LATER, [finding("S-01", key)])]).falseReds).toEqual([
      `S-01 ${key}`,
    ]);
});

test("a turn whose dispatch was parked stays the pair of its slot, which is not renewed", () => {
  const moved = at(-8_000, { what: "start moved", ...ruby, executionId: "turn-1", startedAtMs: T0 - 8_000 });
  const events = [...fleet(), ...turn(1, -60_000), moved];
  expect(judged(events, [cycle(...LATER)])).toEqual(QUIET);
  const red = cycle(...LATER, [finding("S-01", "sql:turn-1")]);
  expect(judged(events, [red]).falseReds).toEqual(["S-01 sql:turn-1"]);
});

test("a turn whose row is dated by another clock is alone, whatever slot comes and goes beside it", () => {
  const lost = [...turn(1, -5_000, { row: false }), ...turn(2, -60_000, { slot: false })];
  const passing = turn(3, -59_900, { row: false }).map(
    (event, i) => ({ ...event, sentAtMs: T0 + 100 + i, ackedAtMs: T0 + 101 + i }) as SoakEvent,
  );
  const given = at(200, { what: "slot given back", ...ruby, executionId: "slot-3" });
  const red = cycle(...LATER, [finding("S-01", "sql:turn-2")]);
  expect(only("S-01", [...fleet(), ...lost, ...passing, given], [red]).falseReds).toEqual([]);
});

test("a leaked slot among chat turns is the one that is farthest from a row", () => {
  const events = [...fleet(), ...turn(1, -20_000), ...turn(2, -17_000, { row: false })];
  const leaked = finding("S-01", "redis:slot-2");
  expect(only("S-01", events, [cycle(...LATER, [leaked])])).toEqual(SILENT);
  expect(only("S-01", events, [cycle(...LATER)]).missed).toEqual(["S-01 redis:slot-2"]);
  expect(only("S-01", events, [cycle(...LATER, [finding("S-01", "redis:slot-1")])]).falseReds).toEqual([
    "S-01 redis:slot-1",
  ]);
});

test("a slot pairs with no row that started too long before or after it, and with none of another kind", () => {
  const lost = (startMs: number) => turn(2, startMs, { slot: false });
  const alone = turn(1, -30_000, { row: false });
  const both = cycle(...LATER, [finding("S-01", "redis:slot-1"), finding("S-01", "sql:turn-2")]);
  expect(only("S-01", [...fleet(), ...alone, ...lost(-33_000)], [both])).toEqual(SILENT);
  expect(only("S-01", [...fleet(), ...alone, ...lost(-19_000)], [both])).toEqual(SILENT);
  expect(only("S-01", [...fleet(), ...alone, ...lost(-31_000)], [both]).falseReds).toHaveLength(2);
  expect(only("S-01", [...fleet(), ...alone, ...lost(-21_000)], [both]).falseReds).toHaveLength(2);
  const manual = lost(-31_000).map((event) =>
    event.what === "row" ? ({ ...event, triggeredBy: "manual" } as SoakEvent) : event,
  );
  expect(only("S-01", [...fleet(), ...alone, ...manual], [both])).toEqual(SILENT);
});

test("up to three chat turns without a slot are healthy while the slots are full, and where they were when it began", () => {
  const full = [...fleet(1), ...turn(1, -20_000)];
  const extra = [2, 3, 4].flatMap((n) => turn(n, -19_000 + n, { slot: false }));
  const red = cycle(...LATER, [finding("S-01", "sql:turn-3")]);
  expect(only("S-01", [...full, ...extra], [cycle(...LATER)])).toEqual(SILENT);
  expect(only("S-01", [...full, ...extra], [red]).falseReds).toEqual(["S-01 sql:turn-3"]);
  // Of four, nobody can say which one is too many.
  const four = [...full, ...extra, ...turn(5, -18_000, { slot: false })];
  expect(only("S-01", four, [red])).toEqual(SILENT);
  expect(only("S-01", four, [cycle(...LATER)])).toEqual(SILENT);
  // There was room for them when they began: they have lost their slot.
  const free = [...fleet(9), ...turn(1, -20_000), ...extra];
  expect(only("S-01", free, [red]).falseReds).toEqual([]);
  expect(only("S-01", free, [cycle(...LATER)]).missed).toEqual([
    "S-01 sql:turn-2",
    "S-01 sql:turn-3",
    "S-01 sql:turn-4",
  ]);
  // They found the slots full, and go on when one is free again.
  const later = [...full, ...extra, at(-5_000, made("ruby", 2))];
  for (const reported of [red, cycle(...LATER)]) expect(only("S-01", later, [reported])).toEqual(SILENT);
});

test("a run that the scheduler has not dispatched yet needs no slot for a minute", () => {
  const dispatching = (ageMs: number) => [...fleet(), at(-ageMs, row("running", -ageMs))];
  const red = cycle(...LATER, [finding("S-01", "sql:run-1")]);
  expect(only("S-01", dispatching(50_000), [cycle(...LATER)])).toEqual(SILENT);
  expect(only("S-01", dispatching(50_000), [red]).falseReds).toEqual(["S-01 sql:run-1"]);
  expect(only("S-01", dispatching(62_000), [cycle(...LATER)]).missed).toEqual(["S-01 sql:run-1"]);
  const dispatched = [...dispatching(50_000), at(-49_000, { what: "session", ...run })];
  expect(only("S-01", dispatched, [cycle(...LATER)]).missed).toEqual(["S-01 sql:run-1"]);
});

test("a leased run needs no slot and no session, and its reaper has ten minutes after the lease", () => {
  const leased = (ageMs: number, endsMs: number) => [
    ...fleet(),
    at(-5_000, { what: "lease", ...run, expiresAtMs: T0 + endsMs }),
    at(-5_000, row("running", -ageMs)),
  ];
  const reds = ["S-01", "E-05", "E-01"].map((id) => finding(id, id === "S-01" ? "sql:run-1" : "run-1"));
  expect(judged(leased(400_000, 60_000), [cycle(...LATER)])).toEqual(QUIET);
  expect(judged(leased(400_000, -500_000), [cycle(...LATER, reds)]).falseReds).toHaveLength(3);
  expect(judged(leased(400_000, -605_000), [cycle(...LATER)]).missed).toEqual(["E-01 run-1"]);
});
