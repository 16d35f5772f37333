/** The agents as a full cycle saw them, and what it found of those that are red. Pure. */
import { type InvariantStates, redSubjectOf } from "../alerts/state.ts";
import type { Execution, Readings, Slot } from "../facts/facts.ts";
import type { Latest, SeenAgent, SeenEnded, SeenRed, Sight } from "../store/latest.ts";
import { cut, MAX_LINE } from "../text.ts";
import { formatInstant } from "../time.ts";
import type { AnyFinding, Verdict } from "../verdict/evaluate.ts";
import { fitLists } from "../wire/fit-into.ts";
import type { SeenRowRecord, SeenSlotRecord } from "../wire/schemas/agents.ts";
import { toViolation } from "../wire/serialize.ts";
import type { EpisodePlan } from "./episodes.ts";
import type { Finished } from "./finished.ts";
import type { Ending } from "./memory.ts";

/** Slots, rows and findings of one agent; there are more only where something is very wrong. */
const MAX_LISTED = 20;
const MAX_STATES = 5;
const MAX_STATE_BYTES = 8_000;
/** A running row with its slot takes 44 bytes of 64 kB, compressed: two times are in it, and an id that is random. */
const MANY_ROWS = 2_000;

/** The most ms that a Date holds. */
const LAST_MS = 8.64e15;
const instantOrNull = (ms: number | null): string | null =>
  ms !== null && Math.abs(ms) <= LAST_MS ? formatInstant(ms) : null;

const toSlot = ({ id, score, ttlSeconds }: Slot): SeenSlotRecord => ({
  id,
  acquired_at: instantOrNull(score * 1000),
  ttl_seconds: ttlSeconds,
});
const toRow = ({ id, status, startedAt, queuedAtMs, triggeredBy }: Execution): SeenRowRecord => ({
  id,
  status,
  started_at: startedAt,
  queued_at: instantOrNull(queuedAtMs),
  triggered_by: triggeredBy,
});

const unreadLines = (readings: Readings, redact: (line: string) => string): string[] =>
  (["roster", "slots", "executions"] as const).flatMap((fact) => {
    const reading = readings[fact];
    return reading?.read ? [] : [cut(redact(`${fact}: ${reading?.reason ?? "not read"}`), MAX_LINE)];
  });

/**
 * Lists the agents of the roster, and those that have a slot or a live row.
 * @param isWhole slots and rows of each are listed, not only of the red ones
 */
function seenAgents(
  { roster, slots, executions }: Readings,
  isRed: ReadonlySet<string>,
  isWhole: boolean,
): SeenAgent[] {
  const rows = executions?.read ? Map.groupBy(executions.value.live, ({ agent }) => agent) : null;
  const held = slots?.read ? slots.value : null;
  const listed = roster?.read ? [...roster.value].filter(([, { isDeleted }]) => !isDeleted) : [];
  const names = new Set([
    ...isRed,
    ...listed.map(([name]) => name),
    ...(held?.byAgent.keys() ?? []),
    ...(rows?.keys() ?? []),
  ]);
  return [...names].sort(redFirst(isRed)).map((name) => {
    const agent = roster?.read ? roster.value.get(name) : undefined;
    const [mine, own] = [held?.byAgent.get(name) ?? [], rows?.get(name) ?? []];
    const unread = held?.unread.get(name);
    const isListed = isWhole || isRed.has(name);
    return {
      name,
      on_roster: roster?.read ? agent !== undefined : null,
      max_parallel_tasks: agent?.maxParallelTasks ?? null,
      slots_used: held && mine.length + (unread ? unread.unreadable + unread.beyond : 0),
      running: rows && own.filter(({ status }) => status === "running").length,
      queued: rows && own.filter(({ status }) => status === "queued").length,
      slots: held && isListed ? mine.slice(0, MAX_LISTED).map(toSlot) : null,
      rows: rows && isListed ? own.slice(0, MAX_LISTED).map(toRow) : null,
    };
  });
}

const redFirst = (isRed: ReadonlySet<string>) => (a: string, b: string) =>
  Number(isRed.has(b)) - Number(isRed.has(a)) || (a < b ? -1 : 1);

const keyOf = ({ invariant_id, subject }: Pick<SeenRed, "invariant_id" | "subject">): string =>
  JSON.stringify([invariant_id, subject]);

/** What was last found of episodes that have ended. */
export function seenEnded(before: Latest | null, endings: readonly Ending[]): SeenEnded[] {
  if (before === null || endings.length === 0) return [];
  const ended = new Map(before.ended?.map((one) => [`${one.since}${keyOf(one)}`, one]));
  const red = new Map(before.red.map((one) => [keyOf(one), one]));
  const { seen_at } = before;
  return endings.flatMap(({ invariantId, subject, sinceMs, untilMs }): SeenEnded[] => {
    const [since, key] = [formatInstant(sinceMs), keyOf({ invariant_id: invariantId, subject })];
    const kept = ended.get(`${since}${key}`);
    if (kept) return [kept];
    const seen = since <= seen_at && seen_at < formatInstant(untilMs) ? red.get(key) : undefined;
    return seen ? [{ ...seen, states: seen.states.slice(0, 1), since, seen_at }] : [];
  });
}

/** What the first cycle found of a subject, of which a later one leaves the last state. */
export const firstSight = (before: SeenRed | undefined, cycles: number): Sight | undefined =>
  before?.first ??
  (before && cycles === 2
    ? { state: before.states[0] ?? null, violation_id: before.violation_id }
    : undefined);

/** Adds what the first cycle found, as long as no item of the episode has it. */
function withFirst(states: InvariantStates, before: Latest | null): (red: SeenRed) => SeenRed {
  const earlier = new Map(before?.red.map((one) => [keyOf(one), one]));
  return (red) => {
    const known = redSubjectOf(states[red.invariant_id], red.subject);
    if (!before || !known?.episode || known.episode[4] || before.seen_at < formatInstant(known.sinceMs))
      return red;
    const first = firstSight(earlier.get(keyOf(red)), known.episode[0]);
    return first ? { ...red, first } : red;
  };
}

/** What was found of each red subject; of one that could not be looked at, what an earlier cycle found. */
function seenReds(
  verdicts: readonly Verdict[],
  states: InvariantStates,
  before: Latest | null,
  snapshotTime: string,
  idOf: (finding: AnyFinding) => number | undefined,
): SeenRed[] {
  const found = verdicts.flatMap((verdict) =>
    [...Map.groupBy(verdict.findings, ({ subject }) => subject)].map(
      ([subject, findings]): SeenRed => ({
        invariant_id: verdict.invariant.id,
        subject,
        violation_id: idOf(findings[0]!) ?? null,
        states: findings.slice(0, MAX_STATES).flatMap((one): SeenRed["states"] => {
          const state = fitLists(toViolation(verdict, one, snapshotTime).observed_state, MAX_STATE_BYTES);
          return state === null ? [] : [state];
        }),
      }),
    ),
  );
  const isFound = new Set(found.map(keyOf));
  const left = new Set(
    Object.entries(states).flatMap(([invariant_id, { red }]) =>
      Object.keys(red).map((subject) => keyOf({ invariant_id, subject })),
    ),
  );
  const unseen = (before?.red ?? [])
    .filter((red) => left.has(keyOf(red)) && !isFound.has(keyOf(red)))
    .map((red) => ({ ...red, is_unseen: true as const }));
  return [...found, ...unseen];
}

/**
 * Makes what is kept of a full cycle, and ever smaller forms of it. Red agents are left out last.
 * @param plan the states after the cycle, and what the last full cycle left
 */
export function* latestSizes(
  { gathered, judged, snapshotTime }: Finished,
  { states, latest: before, endings }: Pick<EpisodePlan, "states" | "latest" | "endings">,
  idOf: (finding: AnyFinding) => number | undefined,
  redact: (line: string) => string,
): Generator<Latest> {
  const { readings } = gathered;
  const red = seenReds(judged, states, before, snapshotTime, idOf).map(withFirst(states, before));
  const ended = seenEnded(before, endings);
  const isRed = new Set(Object.values(states).flatMap((state) => Object.keys(state.red)));
  // With more live rows than this, those of all agents have no place: they are not even put together.
  const mayBeWhole = !readings.executions?.read || readings.executions.value.live.length <= MANY_ROWS;
  const agents = seenAgents(readings, isRed, mayBeWhole);
  const whole: Latest = {
    seen_at: snapshotTime,
    unread: unreadLines(readings, redact),
    agents,
    red,
    ...(ended.length > 0 && { ended }),
    has_roster: readings.roster?.read === true && readings.roster.unlisted === undefined,
    left_out: 0,
  };
  if (mayBeWhole) yield whole;
  const plain = (agent: SeenAgent): SeenAgent => ({ ...agent, slots: null, rows: null });
  const lean = agents.map((agent) => (isRed.has(agent.name) ? agent : plain(agent)));
  yield { ...whole, agents: lean };
  const brief = red.map((one) => ({ ...one, states: one.states.slice(0, 1) }));
  yield { ...whole, agents: agents.map(plain), red: brief };
  for (let most = Math.max(agents.length, red.length, ended.length); most >= 1; most = Math.floor(most / 2)) {
    const sights = { red: brief.slice(0, most), ...(ended.length > 0 && { ended: ended.slice(-most) }) };
    const fewer = { ...whole, ...sights, left_out: Math.max(0, agents.length - most) };
    yield { ...fewer, agents: lean.slice(0, most) };
    yield { ...fewer, agents: agents.slice(0, most).map(plain) };
  }
  yield { ...whole, agents: [], red: [], ended: [], left_out: agents.length };
}
