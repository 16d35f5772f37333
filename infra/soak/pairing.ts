/**
 * Chat turns in the journal. Nothing links the slot of a turn with its row, so that a reader can only pair slots without
 * a row with rows without a slot: the closest in time first, each once.
 */
import { mapped } from "./conditions.ts";
import { type Bounds, type Interval, intersection, lifetimes, NEVER, not, union } from "./intervals.ts";
import type { ExecutionTimeline } from "./timeline.ts";

/** A row may start that much before the score of its slot, and that much after it. */
const BEFORE_MS = 2_000;
const AFTER_MS = 10_000;
/** Slots and rows are read apart from each other: of a pair that lasts less, a reader may see one part only. */
const READ_APART_MS = 250;
/** Where more are in doubt at once, no combination is tried, and the journal can't tell. */
const MOST_IN_DOUBT = 6;

/** A slot or a row that may be part of a turn, with one value of its instant. */
interface Candidate {
  readonly id: string;
  readonly side: "slot" | "row";
  /** The score, or started_at. */
  readonly atMs: number;
  /** When it is there unpaired, with that value. */
  readonly alone: Bounds;
}

/** When a turn was admitted: a dispatch that was parked moves the start of its row, which says the first one all the same. */
const admittedAtMs = ({ startedAtMs }: ExecutionTimeline): ExecutionTimeline["startedAtMs"] => {
  const first = startedAtMs.writes.find(({ value }) => value !== null)?.value ?? null;
  return mapped(startedAtMs, (atMs) => (atMs === null ? null : first));
};

/** Gives for each value of an instant the time in which the candidate has it. */
function candidatesOf(
  { id }: ExecutionTimeline,
  side: Candidate["side"],
  register: ExecutionTimeline["slot"],
  alone: Bounds,
): Candidate[] {
  const values = lifetimes(register);
  return values.flatMap(({ value, interval }, i) => {
    if (value === null) return [];
    const certain: Interval = [
      register.writes[i - 1]?.ackedAtMs ?? -Infinity,
      register.writes[i]?.sentAtMs ?? Infinity,
    ];
    const possibly = intersection([interval], alone.possibly);
    if (possibly.length === 0) return [];
    const definitely = certain[0] < certain[1] ? intersection([certain], alone.definitely) : [];
    return [{ id, side, atMs: value, alone: { possibly, definitely } }];
  });
}

/** Pairs what is there. @returns those that are paired */
function pair(there: readonly Candidate[]): Set<Candidate> {
  const rows = there.filter(({ side }) => side === "row");
  const pairs = there
    .filter(({ side }) => side === "slot")
    .flatMap((slot) =>
      rows
        .filter(({ atMs }) => atMs >= slot.atMs - BEFORE_MS && atMs <= slot.atMs + AFTER_MS)
        .map((row) => ({ slot, row, apartMs: Math.abs(row.atMs - slot.atMs) })),
    )
    .sort((a, b) => a.apartMs - b.apartMs);
  const paired = new Set<Candidate>();
  for (const { slot, row } of pairs) {
    if (paired.has(slot) || paired.has(row)) continue;
    paired.add(slot).add(row);
  }
  return paired;
}

/** Tries every combination of what may be there. @returns who may be paired, and who is whenever he is there */
function pairInDoubt(sure: readonly Candidate[], inDoubt: readonly Candidate[]) {
  const [possibly, never] = [new Set<Candidate>(), new Set<Candidate>()];
  for (let chosen = 0; chosen < 2 ** inDoubt.length; chosen += 1) {
    const there = [...sure, ...inDoubt.filter((_, i) => chosen & (1 << i))];
    const paired = pair(there);
    for (const one of there) (paired.has(one) ? possibly : never).add(one);
  }
  return { possibly, definitely: new Set([...possibly].filter((one) => !never.has(one))) };
}

/** When each candidate of one agent is paired, by `side:id`. */
function sweep(candidates: readonly Candidate[]): Map<string, Bounds> {
  type Edge = readonly [atMs: number, step: 1 | -1, kind: "possibly" | "definitely", of: Candidate];
  const edges = candidates
    .flatMap((of) =>
      (["possibly", "definitely"] as const).flatMap((kind) =>
        of.alone[kind].flatMap(([fromMs, toMs]): Edge[] => [
          [fromMs, 1, kind, of],
          [toMs, -1, kind, of],
        ]),
      ),
    )
    .sort((a, b) => a[0] - b[0]);
  const there = { possibly: new Set<Candidate>(), definitely: new Set<Candidate>() };
  const found = new Map<string, { possibly: Interval[]; definitely: Interval[] }>();
  const add = (kind: "possibly" | "definitely", one: Candidate, interval: Interval) => {
    const name = `${one.side}:${one.id}`;
    const of = found.get(name) ?? { possibly: [], definitely: [] };
    of[kind].push(interval);
    found.set(name, of);
  };
  edges.forEach(([atMs, step, kind, of], i) => {
    if (step === 1) there[kind].add(of);
    else there[kind].delete(of);
    const until = edges[i + 1]?.[0] ?? Infinity;
    if (atMs >= until || ![...there.possibly].some(({ side }) => side === "row")) return;
    const sure = [...there.definitely];
    const inDoubt = [...there.possibly].filter((one) => !there.definitely.has(one));
    const paired =
      inDoubt.length > MOST_IN_DOUBT
        ? { possibly: there.possibly, definitely: new Set<Candidate>() }
        : pairInDoubt(sure, inDoubt);
    for (const one of paired.possibly) add("possibly", one, [atMs, until]);
    for (const one of paired.definitely) add("definitely", one, [atMs, until]);
  });
  return new Map(
    [...found].map(([name, { possibly, definitely }]) => [
      name,
      {
        possibly: union(possibly),
        definitely: union(definitely).filter(([fromMs, toMs]) => toMs - fromMs >= READ_APART_MS),
      },
    ]),
  );
}

export interface Pairing {
  /** Bounds when the slot of that id is not paired with a row. */
  slotIsAlone(id: string): Bounds;
  /** Bounds when the row of that id is not paired with a slot. */
  rowIsAlone(id: string): Bounds;
}

/**
 * Pairs the slots and rows of one agent at every instant.
 * @param slotWithoutRow bounds when an execution holds a slot and has no running row
 * @param rowWithoutSlot bounds when an execution has a running row and holds no slot
 */
export function pairingOf(
  executions: readonly ExecutionTimeline[],
  slotWithoutRow: (execution: ExecutionTimeline) => Bounds,
  rowWithoutSlot: (execution: ExecutionTimeline) => Bounds,
): Pairing {
  const turns = executions.filter(({ isChatTurn }) => isChatTurn);
  const paired =
    turns.length === 0
      ? new Map<string, Bounds>()
      : sweep([
          ...turns.flatMap((turn) => candidatesOf(turn, "row", admittedAtMs(turn), rowWithoutSlot(turn))),
          ...executions.flatMap((one) => candidatesOf(one, "slot", one.slot, slotWithoutRow(one))),
        ]);
  const isAlone = (name: string) => not(paired.get(name) ?? NEVER);
  return {
    slotIsAlone: (id) => isAlone(`slot:${id}`),
    rowIsAlone: (id) => isAlone(`row:${id}`),
  };
}
