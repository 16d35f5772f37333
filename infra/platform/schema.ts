/** The tables, columns and indexes of each release that the canary knows. */
import { WORDS } from "./backends.ts";
import type { SqlClient } from "./file-client.ts";
import { DEFAULT_MAX_PARALLEL_TASKS, EXECUTIONS, ROSTER, ROSTER_TIMEOUT_SECONDS, SETTINGS } from "./names.ts";
import type { Release } from "./releases.ts";

/** The columns of each table. `today` lists those that the release of the seed lacks. */
interface Table {
  readonly name: string;
  readonly seed: readonly string[];
  readonly today?: readonly string[];
}

const ROW_NUMBER = "id INTEGER PRIMARY KEY";
/** The tables that one backend has beside the platform's own. */
const MORE_TABLES = {
  sqlite: [],
  postgres: ["CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)"],
} as const;

const TABLES: readonly Table[] = [
  {
    name: ROSTER,
    seed: [
      ROW_NUMBER,
      "agent_name TEXT UNIQUE NOT NULL",
      "is_system INTEGER DEFAULT 0",
      `max_parallel_tasks INTEGER DEFAULT ${DEFAULT_MAX_PARALLEL_TASKS}`,
      `execution_timeout_seconds INTEGER DEFAULT ${ROSTER_TIMEOUT_SECONDS}`,
      "autonomy_enabled INTEGER DEFAULT 0",
    ],
    today: ["max_backlog_depth INTEGER", "deleted_at TEXT"],
  },
  {
    name: EXECUTIONS,
    seed: [
      "id TEXT PRIMARY KEY",
      "schedule_id TEXT NOT NULL",
      "agent_name TEXT NOT NULL",
      "status TEXT NOT NULL",
      "started_at TEXT NOT NULL",
      "completed_at TEXT",
      "duration_ms INTEGER",
      "message TEXT NOT NULL",
      "response TEXT",
      "error TEXT",
      "triggered_by TEXT NOT NULL",
      "claude_session_id TEXT",
      "queued_at TEXT",
      "backlog_metadata TEXT",
      "fan_out_id TEXT",
      "subscription_id TEXT",
      "retry_scheduled_at TEXT",
      "retry_of_execution_id TEXT",
      "attempt_number INTEGER DEFAULT 1",
    ],
    today: [
      "lease_expires_at TEXT",
      "claim_token TEXT",
      "redelivery_count INTEGER DEFAULT 0",
      "chain_depth INTEGER DEFAULT 0",
      "conversation_key TEXT",
    ],
  },
  {
    name: "agent_schedules",
    seed: [
      "id TEXT PRIMARY KEY",
      "agent_name TEXT NOT NULL",
      "name TEXT",
      "cron_expression TEXT",
      "message TEXT",
      "enabled INTEGER DEFAULT 1",
      "model TEXT",
      "timeout_seconds INTEGER",
      "next_run_at TEXT",
      "last_run_at TEXT",
    ],
    today: ["deleted_at TEXT"],
  },
  {
    name: "agent_sharing",
    seed: [ROW_NUMBER, "agent_name TEXT NOT NULL", "shared_with TEXT"],
  },
  {
    name: "chat_sessions",
    seed: ["id TEXT PRIMARY KEY", "agent_name TEXT NOT NULL", "status TEXT DEFAULT 'active'"],
  },
  {
    name: "agent_skills",
    seed: [ROW_NUMBER, "agent_name TEXT NOT NULL", "skill TEXT"],
  },
  {
    name: "agent_tags",
    seed: ["agent_name TEXT NOT NULL", "tag TEXT NOT NULL", "PRIMARY KEY (agent_name, tag)"],
  },
  { name: "agent_shared_files", seed: ["id TEXT PRIMARY KEY", "agent_name TEXT NOT NULL"] },
  { name: "agent_public_links", seed: ["id TEXT PRIMARY KEY", "agent_name TEXT NOT NULL"] },
  { name: "agent_reports", seed: [], today: ["id TEXT PRIMARY KEY", "agent_name TEXT NOT NULL"] },
  {
    name: "operator_queue",
    seed: ["id TEXT PRIMARY KEY", "agent_name TEXT NOT NULL", "status TEXT DEFAULT 'pending'"],
  },
  {
    name: "access_requests",
    seed: ["id TEXT PRIMARY KEY", "agent_name TEXT NOT NULL", "status TEXT DEFAULT 'pending'"],
  },
  { name: "mcp_api_keys", seed: ["id TEXT PRIMARY KEY", "agent_name TEXT", "scope TEXT"] },
  { name: SETTINGS, seed: [], today: ["key TEXT PRIMARY KEY", "value TEXT NOT NULL"] },
];

/** Of the newer release: a conversation has one turn at a time. */
const ONE_TURN =
  "CREATE UNIQUE INDEX idx_executions_one_running_turn ON schedule_executions(agent_name, conversation_key) WHERE status = 'running' AND conversation_key IS NOT NULL";

const INDEXES: readonly string[] = [
  "CREATE INDEX idx_executions_schedule ON schedule_executions(schedule_id)",
  "CREATE INDEX idx_executions_agent ON schedule_executions(agent_name)",
  "CREATE INDEX idx_executions_status ON schedule_executions(status)",
  "CREATE INDEX idx_executions_agent_started ON schedule_executions(agent_name, started_at DESC)",
  "CREATE INDEX idx_executions_fan_out ON schedule_executions(fan_out_id)",
  "CREATE INDEX idx_executions_subscription ON schedule_executions(subscription_id, started_at)",
  "CREATE INDEX idx_executions_queued ON schedule_executions(agent_name, queued_at) WHERE status = 'queued'",
  "CREATE INDEX idx_executions_retry ON schedule_executions(retry_scheduled_at) WHERE retry_scheduled_at IS NOT NULL AND status = 'pending_retry'",
  "CREATE INDEX idx_executions_completed_terminal ON schedule_executions(completed_at) WHERE status IN ('success', 'failed', 'cancelled', 'skipped')",
];

/** The tables of what belongs to an agent, other than the roster and the runs. */
export const BELONGINGS = [
  "agent_schedules",
  "agent_sharing",
  "chat_sessions",
  "agent_skills",
  "agent_tags",
  "agent_shared_files",
  "agent_public_links",
  "agent_reports",
  "operator_queue",
  "access_requests",
  "mcp_api_keys",
] as const;

const columnsOf = ({ seed, today = [] }: Table, release: Release): readonly string[] =>
  release === "seed" ? seed : [...seed, ...today];

/** Whether the release has that table. */
export const hasTable = (release: Release, name: string): boolean =>
  TABLES.some((table) => table.name === name && columnsOf(table, release).length > 0);

/**
 * Makes the platform's tables in an empty database.
 * @throws where one of them exists
 */
export async function createSchema(database: SqlClient, release: Release = "today"): Promise<void> {
  const { backend = "sqlite" } = database;
  const tables = TABLES.filter(({ name }) => hasTable(release, name)).map(
    (table) =>
      `CREATE TABLE ${table.name} (${columnsOf(table, release).join(", ").replace(ROW_NUMBER, `${ROW_NUMBER} ${WORDS[backend].numbered}`)})`,
  );
  await database.batch(
    [...tables, ...MORE_TABLES[backend], ...INDEXES, ...(release === "today" ? [ONE_TURN] : [])],
    "write",
  );
}
