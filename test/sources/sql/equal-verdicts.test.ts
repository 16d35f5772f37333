/** The same rows in both databases are the same facts and the same verdicts, whatever the rows hold. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { FactName, Readings, Slot } from "../../../shared/facts/facts.ts";
import { INVARIANTS } from "../../../shared/invariants/index.ts";
import { SQL_FACTS } from "../../../shared/sources/sql/reader.ts";
import { evaluate } from "../../../shared/verdict/evaluate.ts";
import { msAgo, NOW_MS, readingsOf, secondsAgo, slotsOf } from "../../support/facts.ts";
import { BACKENDS, memoryPlatform } from "../../support/sql-facts.ts";

/** Many states stand beside one another in a database, each with agents of its own: to read them takes longer than to judge. */
const DATABASES = 6;
const STATES = 50;

const age = fc.constantFrom(
  -90_000,
  -60,
  0,
  2,
  5,
  30,
  59,
  61,
  100,
  130,
  400,
  3_000,
  3_700,
  3_950,
  9_000,
  400_000,
);
const SHAPES: readonly ((instant: string) => string)[] = [
  (instant) => instant,
  (instant) => instant,
  (instant) => instant.slice(0, -1),
  (instant) => instant.replace("T", " ").slice(0, 19),
  (instant) => instant.replace("Z", "+00:00"),
  (instant) => instant.replace("Z", "+02:00"),
  (instant) => instant.replace("Z", "-08:00"),
  () => "soon",
  () => "",
  () => "2026-02-30T25:61:00.000000Z",
  () => "É".repeat(600),
];
const instant = fc
  .tuple(age, fc.constantFrom(...SHAPES))
  .map(([seconds, shaped]) => shaped(new Date(msAgo(seconds)).toISOString().replace("Z", "123Z")));
const perhaps = <T>(value: fc.Arbitrary<T>) => fc.option(value, { freq: 2 });

const METADATA = [
  '{"message": "echo"}',
  '[1, -2.5e3, true, null, "\\u00e9\\n"]',
  "{'message': 'echo'}",
  '{"a": }',
  "01",
  "",
  '{"deep": [[{"text": "a sk-abc"}]], "images": [{"data": "AKIAABCDEF", "name": "x"}]}',
  '{"images": [{"data": "ghp_a", "caption": "line\\nghp_abc"}]}',
  "no json, ghp_abc",
  '"task-sk-1"',
];
const AGENTS = ["ruby", "Zoë 🐦", 'o\'hara "x"', "_alarm"] as const;
const GHOST = "ghost";
const agent = fc.constantFrom(...AGENTS, ...AGENTS, GHOST);

const run = fc.record({
  agent_name: agent,
  status: fc.constantFrom(
    "queued",
    "running",
    "running",
    "success",
    "failed",
    "cancelled",
    "skipped",
    "pending_retry",
    "Odd",
  ),
  started_at: instant,
  completed_at: perhaps(instant),
  triggered_by: fc.constantFrom("schedule", "manual", "chat", "mcp", "retry"),
  claude_session_id: fc.constantFrom(null, "", "dispatched", "session"),
  queued_at: perhaps(instant),
  backlog_metadata: perhaps(fc.constantFrom(...METADATA)),
  retry_scheduled_at: perhaps(instant),
  lease_expires_at: fc.option(instant, { freq: 1 }),
  conversation_key: fc.option(fc.constantFrom("c1", "c2"), { freq: 1 }),
});
const number = fc.constantFrom(null, 0, 1, 2, 3, 60, 3_600, -1);
const owner = fc.record({
  max_parallel_tasks: number,
  execution_timeout_seconds: number,
  deleted_at: fc.constantFrom(null, null, "", "2026-11-01T00:00:00Z"),
});
const schedule = fc.record({
  agent_name: agent,
  enabled: fc.constantFrom(0, 1, null),
  timeout_seconds: number,
  next_run_at: perhaps(instant),
  deleted_at: fc.constantFrom(null, null, ""),
});
const state = fc.record({
  owners: fc.tuple(...AGENTS.map(() => owner)),
  runs: fc.array(run, { maxLength: 8 }),
  schedules: fc.array(schedule, { maxLength: 3 }),
  tags: fc.uniqueArray(fc.tuple(agent, fc.constantFrom("a", "b, c")), { maxLength: 3, selector: String }),
  alarms: fc.array(fc.record({ agent_name: agent, status: fc.constantFrom("pending", "done") }), {
    maxLength: 3,
  }),
  sessions: fc.array(fc.record({ agent_name: agent, status: fc.constantFrom("active", "closed") }), {
    maxLength: 2,
  }),
  // Which of its runs hold a slot.
  held: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
});
type State = typeof state extends fc.Arbitrary<infer S> ? S : never;

/** The rows of the states, by table. */
function rowsOf(states: readonly State[]) {
  const own = (n: number, name: string) => (name === "_alarm" ? `_${n}` : `${n} ${name}`);
  const each = <R>(rows: (one: State, n: number) => R[]) => states.flatMap(rows);
  return {
    agent_ownership: each(({ owners }, n) =>
      owners.map((one, i) => ({ agent_name: own(n, AGENTS[i]!), ...one })),
    ),
    schedule_executions: each(({ runs }, n) =>
      runs.map((one, i) => ({
        ...one,
        id: `${n}-${i}`,
        // PostgreSQL finds the newest finished rows by the agents of the roster.
        status: one.agent_name === GHOST ? "queued" : one.status,
        // One turn of a conversation runs at a time.
        conversation_key: one.conversation_key && `${one.conversation_key}-${i}`,
        agent_name: own(n, one.agent_name),
        schedule_id: `${n}-s${i % 2}`,
        message: "m",
      })),
    ),
    agent_schedules: each(({ schedules }, n) =>
      schedules.map((one, i) => ({ ...one, id: `${n}-s${i}`, agent_name: own(n, one.agent_name) })),
    ),
    agent_tags: each(({ tags }, n) => tags.map(([name, tag]) => ({ agent_name: own(n, name), tag }))),
    operator_queue: each(({ alarms }, n) =>
      alarms.map((one, i) => ({ ...one, id: `${n}-${i}`, agent_name: own(n, one.agent_name) })),
    ),
    chat_sessions: each(({ sessions }, n) =>
      sessions.map((one, i) => ({ ...one, id: `${n}-${i}`, agent_name: own(n, one.agent_name) })),
    ),
  };
}

/** In no order: a database answers in the order that it likes. */
function plain(value: unknown): unknown {
  if (value instanceof Map) return plain([...value]);
  if (value instanceof Set) return plain([...value]);
  if (Array.isArray(value)) {
    const texts = value.map((one) => JSON.stringify(plain(one)));
    return texts.sort();
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
}

/** The other sources: some runs hold a slot, and the last cycle saw every third one finished. */
function elsewhere(states: readonly State[], rows: ReturnType<typeof rowsOf>): Readings {
  const byAgent: Record<string, Slot[]> = {};
  for (const { id, agent_name } of rows.schedule_executions) {
    const [n, i] = id.split("-").map(Number);
    if (!states[n!]!.held[i!]) continue;
    const score = secondsAgo(40);
    const slot = { id, score, ttlSeconds: 300, expiresAtSeconds: null, timeoutSeconds: 60 };
    byAgent[agent_name] = [...(byAgent[agent_name] ?? []), slot];
  }
  const statuses = ["success", "failed", "cancelled"] as const;
  const finishedRuns = {
    statusOf: (id: string) => (Number(id.split("-")[1]) % 3 === 1 ? statuses[id.length % 3] : undefined),
  };
  return readingsOf({ slots: slotsOf(byAgent), finishedRuns });
}

test.for(Array.from({ length: DATABASES }, (_, i) => i))(
  `of ${STATES} random states, the facts and the verdicts are the same (%i)`,
  async (seed) => {
    const states = fc.sample(state, { numRuns: STATES, seed });
    const rows = rowsOf(states);
    const other = elsewhere(states, rows);
    const [sqlite, postgres] = await Promise.all(
      BACKENDS.map(async (backend) => {
        const platform = await memoryPlatform(backend);
        for (const [table, own] of Object.entries(rows)) await platform.insertAll(table, own);
        const { readings, unavailable } = await platform.readAll(NOW_MS);
        const all: Readings = { ...other, ...readings };
        return {
          // SQLite looks at the rows that were inserted last, PostgreSQL at those of each agent that began last.
          facts: SQL_FACTS.filter((fact) => fact !== "newestStart").map((fact: FactName) => [
            fact,
            plain(readings[fact]),
          ]),
          lines: unavailable.map((line) => line.slice(backend.length)).sort(),
          verdicts: INVARIANTS.map((invariant) => [
            invariant.id,
            JSON.parse(JSON.stringify(plain(evaluate(invariant, all)))),
          ]),
        };
      }),
    );
    expect(postgres!.facts).toEqual(sqlite!.facts);
    expect(postgres!.lines).toEqual(sqlite!.lines);
    expect(postgres!.verdicts).toEqual(sqlite!.verdicts);
    // Not all are green, or nobody looked.
    expect(
      new Set(sqlite!.verdicts.map(([, verdict]) => (verdict as { status: string }).status)).size,
    ).toBeGreaterThan(1);
  },
);
