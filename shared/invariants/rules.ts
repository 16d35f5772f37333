/** Rules of the platform that more than one invariant rests on. */
import type { Unseen } from "../facts/coverage.ts";
import {
  type Execution,
  type Executions,
  isDrainSentinel,
  isReadableName,
  type PlatformSettings,
  type ReadingTime,
  type Roster,
  type RosterAgent,
  type RowName,
  type Slot,
  type Slots,
  type UnreadableRow,
} from "../facts/facts.ts";
import { listed, plural } from "../text.ts";
import type { Checked, Finding } from "./invariant.ts";

/** What the platform adds to a timeout before it cleans a slot up (its SLOT_TTL_BUFFER). */
export const SLOT_TTL_BUFFER_SECONDS = 300;

/** Writes of one start or stop lie milliseconds apart; what is younger than this may still be in flight. */
const IN_FLIGHT_MS = 3000;

/** The drain holds its sentinel for milliseconds; one this old is a leak that fills the cap. */
const SENTINEL_LEAK_MS = 10_000;

/**
 * @param atMs when something was written, by the platform's clock
 * @param time the reading of the fact that it was seen in: a slow collection must not shorten the grace
 */
export const isInFlight = (atMs: number, time: ReadingTime): boolean =>
  atMs > time.fromMs - IN_FLIGHT_MS && atMs < time.toMs + IN_FLIGHT_MS;

/**
 * The cap that the platform honours: the smaller of the agent's and the ceiling of all agents. Null where it can't be known.
 */
export function effectiveCap(
  { maxParallelTasks }: RosterAgent,
  { maxParallelTasksCeiling: ceiling }: PlatformSettings,
): number | null {
  if (maxParallelTasks === null || ceiling === "unreadable") return null;
  return Math.min(maxParallelTasks, ceiling ?? maxParallelTasks);
}

/** How long the platform may take to dispatch a run. Until then it has no session, and may have no slot. */
export const DISPATCH_SECONDS = 60;

/** The agent's slots that count against its cap: those of executions, and drain sentinels that leaked. */
export function realSlots(slots: Slots, agent: string, time: ReadingTime): readonly Slot[] {
  const held = slots.byAgent.get(agent) ?? [];
  const isReal = ({ id, score }: Slot) =>
    !isDrainSentinel(id) || score * 1000 <= time.fromMs - SENTINEL_LEAK_MS;
  return held.every(isReal) ? held : held.filter(isReal);
}

/** Says whether nothing is known of the agent's slots. */
export const hasUnseenSlots = (slots: Slots, agent: string): boolean =>
  slots.unseenAgents.has(agent) || !isReadableName(agent);

/** Counts the members of the agent's set that were not read. Each of them holds a slot. */
export function unreadSlotCount(slots: Slots, agent: string): number {
  const { unreadable = 0, beyond = 0 } = slots.unread.get(agent) ?? {};
  return unreadable + beyond;
}

/** What observed_state shows of them, where there are any. */
export const unreadSlotsShown = (count: number): { unread_slot_count?: number } =>
  count > 0 ? { unread_slot_count: count } : {};

/**
 * The unseen parts of a check that judges an agent's slots one by one.
 * @param key of a member whose id can't be read; no slot that can be read is that one
 */
export function unreadSlots(slots: Slots, agent: string, key: string): Unseen[] {
  const { unreadable = 0, beyond = 0 } = slots.unread.get(agent) ?? {};
  // Any slot may be one of those beyond.
  if (beyond > 0) return [{ subject: agent }];
  return unreadable > 0 ? [{ subject: agent, key }] : [];
}

/** Sets of slots whose agent can't be read. */
export const unreadSlotKeys = (slots: Slots): Unseen[] => slots.unreadKeys.map((subject) => ({ subject }));

/** A number as observed_state may hold it: whole, or as text where it is too large for that. */
export function wholeOrText(value: number): number | string {
  const whole = Math.floor(value);
  return Number.isSafeInteger(whole) ? whole : String(value);
}

/** Whole seconds from then to the reading, at least 0. */
export const secondsBetween = (thenMs: number, readAtMs: number): number =>
  Math.max(0, Math.floor((readAtMs - thenMs) / 1000));

/** Says whether both names of the row can be read. */
export const isNamed = <R extends RowName>(row: R): row is R & { id: string; agent: string } =>
  row.id !== null && row.agent !== null;

/** Several checks ask the same of one reading. */
function once<Of extends object, Made>(make: (of: Of) => Made): (of: Of) => Made {
  const made = new WeakMap<Of, Made>();
  return (of) => {
    let one = made.get(of);
    if (one === undefined) {
      one = make(of);
      made.set(of, one);
    }
    return one;
  };
}

/** The names of the roster, for the coverage of a check that looks at all of it. */
export const namesOf = once((roster: Roster): ReadonlySet<string> => new Set(roster.keys()));

/** Groups the live rows that can be named by agent. */
export const liveByAgent = once(({ live }: Executions) => byAgent(live));

/** Groups all live rows by agent, those whose id can't be read among them. */
export const rowsByAgent = (
  executions: Executions,
): ReadonlyMap<string, readonly (Execution | UnreadableRow)[]> =>
  executions.unreadable.length === 0
    ? liveByAgent(executions)
    : byAgent<Execution | UnreadableRow>([...executions.live, ...executions.unreadable]);

/** Groups the rows by agent. A row whose agent can't be read is in no group. */
function byAgent<R extends { readonly agent: string | null }>(
  rows: readonly R[],
): ReadonlyMap<string, readonly R[]> {
  const groups = new Map<string, R[]>();
  for (const row of rows) {
    if (row.agent === null) continue;
    const group = groups.get(row.agent);
    if (group) group.push(row);
    else groups.set(row.agent, [row]);
  }
  return groups;
}

/** What stands for a name, or for an id, that can't be read. */
export const UNREADABLE_AGENT = "(unreadable name)";
export const UNREADABLE_ID = "(unreadable id)";

/** The parts that such rows are, each once. @param keyOf makes the key of a finding from an id */
export function partsOf(rows: readonly RowName[], keyOf = (id: string) => id): Unseen[] {
  const parts = rows.map(({ id, agent }) => ({
    subject: agent ?? UNREADABLE_AGENT,
    key: keyOf(id ?? UNREADABLE_ID),
    ...(agent === null && { ofAnySubject: true as const }),
  }));
  return [...new Map(parts.map((part) => [`${part.subject}/${part.key}`, part])).values()];
}

/**
 * Judges the queued rows in which the database found something.
 * @param rows those with something in them, and those that could not be searched
 * @param foundIn what was found in the row; null where it could not be searched
 * @param describe the part of a finding that differs between invariants
 */
export function judgeQueued<R extends RowName, Observed>(
  executions: Executions,
  rows: readonly R[],
  foundIn: (row: R) => string | null,
  describe: (agent: string, id: string, found: string) => Pick<Finding<Observed>, "observed" | "signalQuery">,
): Checked<Observed> {
  const isQueued = ({ status }: { readonly status: string }) => status === "queued";
  const findings = rows.filter(isNamed).flatMap((row): Finding<Observed>[] => {
    const found = foundIn(row);
    return found === null
      ? []
      : [{ subject: row.agent, keys: [row.id], ...describe(row.agent, row.id, found) }];
  });
  return {
    subjects: [...executions.live.filter(isQueued).map((e) => e.agent), ...findings.map((f) => f.subject)],
    unseen: [
      ...partsOf(executions.unreadable.filter(isQueued)),
      ...partsOf(rows.filter((row) => foundIn(row) === null)),
    ],
    findings,
  };
}

/** Names the subjects of findings, sorted, the first few: `a, b, c and 4 more`. */
export function nameSubjects(findings: readonly { readonly subject: string }[]): string {
  const subjects = [...new Set(findings.map((f) => f.subject))].sort();
  return listed(subjects, 5);
}

const SAMPLES = 10;

/** Names the first ten of these executions, sorted: `agent/id` each. */
export const sampleOf = (rows: readonly { readonly agent: string; readonly id: string }[]): string[] =>
  rows
    .map(({ agent, id }) => `${agent}/${id}`)
    .sort()
    .slice(0, SAMPLES);

/** Counts the subjects of findings. */
export const countSubjects = (findings: readonly { readonly subject: string }[]): number =>
  new Set(findings.map((f) => f.subject)).size;

/** Counts and names the agents of findings: `2 agents: ada, cal`. */
export const nameAgents = (findings: readonly { readonly subject: string }[]): string =>
  `${plural(countSubjects(findings), "agent")}: ${nameSubjects(findings)}`;
