/** The agents as a full cycle saw them, and what it found of those that are red. Pure. */
import type { InvariantStates } from "../alerts/state.ts";
import type { Execution, Readings, Slot } from "../facts/facts.ts";
import type { Latest, SeenAgent, SeenRed } from "../store/latest.ts";
import { cut, MAX_LINE } from "../text.ts";
import { formatInstant } from "../time.ts";
import type { AnyFinding, Verdict } from "../verdict/evaluate.ts";
import { fitLists } from "../wire/fit-into.ts";
import type { SeenRowRecord, SeenSlotRecord } from "../wire/schemas.ts";
import { toViolation } from "../wire/serialize.ts";
import type { Finished } from "./finished.ts";

/** Slots, rows and findings of one agent; there are more only where something is very wrong. */
const MAX_LISTED = 20;
const MAX_STATES = 5;
const MAX_STATE_BYTES = 8_000;

const instantOrNull = (ms: number | null): string | null =>
  ms === null || Number.isNaN(new Date(ms).getTime()) ? null : formatInstant(ms);

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

/** Lists the agents of the roster, and those that have a slot or a live row. */
function seenAgents({ roster, slots, executions }: Readings, isRed: ReadonlySet<string>): SeenAgent[] {
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
    return {
      name,
      on_roster: roster?.read ? agent !== undefined : null,
      max_parallel_tasks: agent?.maxParallelTasks ?? null,
      slots_used: held && mine.length + (unread ? unread.unreadable + unread.beyond : 0),
      running: rows && own.filter(({ status }) => status === "running").length,
      queued: rows && own.filter(({ status }) => status === "queued").length,
      slots: held && mine.slice(0, MAX_LISTED).map(toSlot),
      rows: rows && own.slice(0, MAX_LISTED).map(toRow),
    };
  });
}

const redFirst = (isRed: ReadonlySet<string>) => (a: string, b: string) =>
  Number(isRed.has(b)) - Number(isRed.has(a)) || (a < b ? -1 : 1);

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
  const keyOf = (red: Pick<SeenRed, "invariant_id" | "subject">) =>
    JSON.stringify([red.invariant_id, red.subject]);
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
 * @param states after the cycle
 * @param before what the last full cycle left
 */
export function* latestSizes(
  { gathered, judged, snapshotTime }: Finished,
  states: InvariantStates,
  before: Latest | null,
  idOf: (finding: AnyFinding) => number | undefined,
  redact: (line: string) => string,
): Generator<Latest> {
  const { readings } = gathered;
  const red = seenReds(judged, states, before, snapshotTime, idOf);
  const isRed = new Set(Object.values(states).flatMap((state) => Object.keys(state.red)));
  const agents = seenAgents(readings, isRed);
  const whole: Latest = {
    seen_at: snapshotTime,
    unread: unreadLines(readings, redact),
    agents,
    red,
    has_roster: readings.roster?.read === true && readings.roster.unlisted === undefined,
    left_out: 0,
  };
  yield whole;
  const plain = (agent: SeenAgent): SeenAgent => ({ ...agent, slots: null, rows: null });
  const lean = agents.map((agent) => (isRed.has(agent.name) ? agent : plain(agent)));
  yield { ...whole, agents: lean };
  const brief = red.map((one) => ({ ...one, states: one.states.slice(0, 1) }));
  yield { ...whole, agents: agents.map(plain), red: brief };
  for (let most = Math.max(agents.length, red.length); most >= 1; most = Math.floor(most / 2)) {
    const fewer = { ...whole, red: brief.slice(0, most), left_out: Math.max(0, agents.length - most) };
    yield { ...fewer, agents: lean.slice(0, most) };
    yield { ...fewer, agents: agents.slice(0, most).map(plain) };
  }
  yield { ...whole, agents: [], red: [], left_out: agents.length };
}
