/** What the pages, the badge and the metrics show, read in a number of requests that does not grow with what is red. */

import { isSilenced, type Silence } from "../alerts/silence.ts";
import type { Canary } from "../canary.ts";
import type { RedSubject } from "../cycle/memory.ts";
import { INVARIANTS } from "../invariants/index.ts";
import type { Invariant } from "../invariants/invariant.ts";
import { dayOf, keptRange } from "../store/table.ts";
import { formatInstant } from "../time.ts";
import type {
  CycleOutline,
  CycleRecord,
  InvariantStatus,
  StatusBody,
  ViolationRecord,
} from "../wire/schemas.ts";
import { describeStatus, isFresh } from "./describe-status.ts";
import { STRIP_MS, type Strip, stripsOf } from "./uptime.ts";

const IDS = INVARIANTS.map(({ id }) => id);
const DAY_MS = 86_400_000;

/** What an operator is shown: from what wants attention first to what wants none. */
export const SHOWN = ["red", "unknown", "silenced", "green", "off"] as const;
export type Shown = (typeof SHOWN)[number];

/** One invariant now. */
export interface Standing extends InvariantStatus {
  /** Silenced: it is red or unknown, and nobody is told of any of it. */
  readonly shown: Shown;
  readonly red: Readonly<Record<string, RedSubject>>;
  /** With those that the store could only count. */
  readonly redCount: number;
  /** In force, of the whole or of one subject. */
  readonly silences: readonly Silence[];
}

/** Everything that one reading of the memory tells. */
export interface Standings {
  readonly environment: string;
  readonly nowMs: number;
  readonly status: StatusBody;
  /** Null before the first full cycle. */
  readonly checkedAtMs: number | null;
  /** The last full cycle is younger than 15 minutes. */
  readonly isFresh: boolean;
  /** In the registry's order. */
  readonly invariants: readonly Standing[];
  /** Waiting alerts, oldest first. */
  readonly pending: readonly {
    readonly title: string;
    readonly sinceMs: number;
    readonly channels: string[];
  }[];
}

function shownAs(
  { status, red_subjects }: InvariantStatus,
  redCount: number,
  silenced: (subject: string | null) => boolean,
): Shown {
  if (status !== "red" && status !== "unknown") return status;
  const isAllSilenced =
    status === "red" && redCount === red_subjects.length && redCount > 0 && red_subjects.every(silenced);
  return silenced(null) || isAllSilenced ? "silenced" : status;
}

/** One request. */
export async function readStandings({ store, alerts, now }: Canary): Promise<Standings> {
  const nowMs = now();
  const { memory, silences } = await store.readMemory();
  const status = describeStatus(memory, silences, alerts.senders, nowMs);
  return {
    environment: alerts.environment,
    nowMs,
    status,
    checkedAtMs: memory.lastFullCycle?.atMs ?? null,
    isFresh: isFresh(memory.lastFullCycle, nowMs),
    invariants: status.invariants.map((invariant) => {
      const state = invariant.status === "off" ? undefined : memory.states[invariant.id];
      const redCount = invariant.red_subjects.length + (state?.redBesides ?? 0);
      const silenced = (subject: string | null) => isSilenced(silences, invariant.id, subject, nowMs);
      return {
        ...invariant,
        shown: shownAs(invariant, redCount, silenced),
        red: state?.red ?? {},
        redCount,
        silences: silences.filter((s) => s.invariantId === invariant.id && s.untilMs > nowMs),
      };
    }),
    pending: memory.outbox.map(({ alert, createdAtMs, channels }) => ({
      title: alert.invariantId === null ? alert.title : `${alert.invariantId} ${alert.title}: ${alert.kind}`,
      sinceMs: createdAtMs,
      channels: Object.keys(channels),
    })),
  };
}

/** The whole in a few words, for a heading, a tab and a badge. */
export interface Health {
  readonly state: "red" | "unknown" | "silenced" | "green" | "off" | "stale";
  /** `2 red, 1 unknown` */
  readonly text: string;
}

export function healthOf({ invariants, checkedAtMs, isFresh }: Standings): Health {
  const count = (shown: Shown) => invariants.filter((i) => i.shown === shown).length;
  if (checkedAtMs === null) return { state: "unknown", text: "never checked" };
  const wanting = (["red", "unknown", "silenced"] as const).filter((shown) => count(shown) > 0);
  const rest = count("green") > 0 ? "green" : "off";
  const counts = (states: readonly Shown[]) => states.map((shown) => `${count(shown)} ${shown}`).join(", ");
  const isMixed = rest === "green" && count("off") > 0;
  const named = wanting.length > 0 ? counts(wanting) : isMixed ? counts(["green", "off"]) : rest;
  return isFresh
    ? { state: wanting[0] ?? rest, text: named }
    : { state: wanting[0] === "red" ? "red" : "stale", text: `stale, ${named}` };
}

export interface Row extends Standing {
  readonly strip: Strip;
  /** The newest cycle of the last day that found something, and what. */
  readonly latest: { readonly cycle: string; readonly words: string; readonly violations: number } | null;
}

/** What the first page shows. */
export interface Overview {
  readonly standings: Standings;
  /** What wants attention first. */
  readonly rows: readonly Row[];
  /** Of the last day, newest first. */
  readonly cycles: readonly CycleOutline[];
}

const lastDay = (nowMs: number) => ({ startMs: nowMs - STRIP_MS, endMs: nowMs, nowMs });

function latestIn(cycles: readonly CycleOutline[], id: string): Row["latest"] {
  for (const { snapshot_time, found } of cycles) {
    const of = found?.[id];
    if (of) return { cycle: snapshot_time, words: of.summary, violations: of.violations };
  }
  return null;
}

const rowsOf = (standings: Standings, cycles: readonly CycleOutline[]): Row[] => {
  const strips = stripsOf(cycles, IDS, standings.nowMs);
  return standings.invariants.map((i) => ({ ...i, strip: strips[i.id]!, latest: latestIn(cycles, i.id) }));
};

/** Two or three requests at once. */
export async function readOverview(canary: Canary): Promise<Overview> {
  const [standings, cycles] = await Promise.all([
    readStandings(canary),
    canary.store.outlineCycles(lastDay(canary.now()), IDS),
  ]);
  const rows = rowsOf(standings, cycles).sort((a, b) => SHOWN.indexOf(a.shown) - SHOWN.indexOf(b.shown));
  return { standings, rows, cycles };
}

/** Violations of one invariant that one page shows, and how many cycles it looks into for them. */
const MAX_VIOLATIONS = 25;
const MAX_CYCLES = 10;

export interface InvariantView {
  readonly standings: Standings;
  readonly invariant: Invariant;
  readonly row: Row;
  /** Of each of the last 90 days, oldest first. */
  readonly days: readonly { readonly day: string; readonly count: number }[];
  /** Newest first. */
  readonly violations: readonly ViolationRecord[];
  /** How many violations the cycles have that these are of. */
  readonly violationsInCycles: number;
  /** Where the next page starts; null at the end. */
  readonly olderThan: string | null;
}

/**
 * Some fifteen requests at most: a cycle's record knows which violations are its own.
 * @param before only violations of cycles before that instant (unix ms); all where it is left out
 */
export async function readInvariant(
  canary: Canary,
  invariant: Invariant,
  before?: number,
): Promise<InvariantView> {
  const { store, now } = canary;
  const nowMs = now();
  const { id } = invariant;
  const [standings, cycles, stats] = await Promise.all([
    readStandings(canary),
    store.outlineCycles(lastDay(nowMs), IDS),
    store.stats(keptRange(undefined, undefined, nowMs)),
  ]);
  const counts = new Map(
    stats.map(({ day, counts }) => [
      day,
      counts.filter((c) => c.invariantId === id).reduce((sum, c) => sum + c.count, 0),
    ]),
  );
  const hasFound = (cycle: CycleOutline) => cycle.found?.[id] !== undefined;
  const daysBefore = (ms: number) =>
    [...counts]
      .filter(([day, count]) => count > 0 && day <= dayOf(ms))
      .map(([day]) => day)
      .reverse();

  /** A day's cycles are one request; the day of `before` may have none before it. */
  const searched: string[] = [];
  let found = before === undefined ? cycles.filter(hasFound) : [];
  const endMs = before === undefined ? nowMs : before - 1;
  for (const day of daysBefore(endMs)) {
    if (found.length > 0 || searched.length === 2) break;
    searched.push(day);
    const startMs = Date.parse(day);
    const range = { startMs, endMs: Math.min(endMs, startMs + DAY_MS - 1), nowMs };
    found = (await store.outlineCycles(range, [id])).filter(hasFound);
  }

  const shown: CycleOutline[] = [];
  let inCycles = 0;
  for (const cycle of found) {
    if (inCycles >= MAX_VIOLATIONS || shown.length === MAX_CYCLES) break;
    shown.push(cycle);
    inCycles += cycle.found![id]!.violations;
  }
  const violations = await Promise.all(
    shown.map(({ found }) => {
      const { first_violation_id, violations } = found![id]!;
      return store.listViolationsFrom(first_violation_id, Math.min(violations, MAX_VIOLATIONS), nowMs);
    }),
  );
  const last = shown.at(-1);
  // The last 24 hours begin in the middle of a day, which may have had more before.
  const firstDay = dayOf(nowMs - DAY_MS);
  const inFirstDay = found
    .filter((cycle) => cycle.snapshot_time.startsWith(firstDay))
    .reduce((sum, cycle) => sum + cycle.found![id]!.violations, 0);
  const isCut = before === undefined && searched.length === 0 && (counts.get(firstDay) ?? 0) > inFirstDay;
  const isMore =
    last !== undefined &&
    (isCut ||
      shown.length < found.length ||
      daysBefore(Date.parse(last.snapshot_time.slice(0, 10)) - 1).length > 0);
  return {
    standings,
    invariant,
    row: rowsOf(standings, cycles).find((row) => row.id === id)!,
    days: Array.from({ length: 90 }, (_, i) => {
      const day = dayOf(nowMs - (89 - i) * DAY_MS);
      return { day, count: counts.get(day) ?? 0 };
    }),
    violations: violations.flat().slice(0, MAX_VIOLATIONS),
    violationsInCycles: inCycles,
    olderThan: isMore ? last.snapshot_time : null,
  };
}

export interface CycleView {
  readonly standings: Standings;
  readonly cycle: CycleRecord;
  /** The first of them. */
  readonly violations: readonly ViolationRecord[];
}

const MAX_VIOLATIONS_OF_CYCLE = 25;

/**
 * Three requests.
 * @returns null where there is no such cycle, or it is older than 90 days
 */
export async function readCycle(canary: Canary, atMs: number): Promise<CycleView | null> {
  const { store, now } = canary;
  const [standings, cycle] = await Promise.all([
    readStandings(canary),
    store.getCycle(formatInstant(atMs), now()),
  ]);
  if (!cycle) return null;
  const firstIds = Object.values(cycle.found ?? {}).map((f) => f.first_violation_id);
  const most = Math.min(cycle.violation_count, MAX_VIOLATIONS_OF_CYCLE);
  const violations =
    firstIds.length > 0 ? await store.listViolationsFrom(Math.min(...firstIds), most, now()) : [];
  return { standings, cycle, violations };
}
