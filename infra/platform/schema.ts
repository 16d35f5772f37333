/** The watched platform's tables and indexes that the canary knows. */
import type { SqlClient } from "./file-client.ts";
import { DEFAULT_MAX_PARALLEL_TASKS, EXECUTIONS, ROSTER, ROSTER_TIMEOUT_SECONDS } from "./names.ts";

const SCHEMA: readonly string[] = [
  `CREATE TABLE ${ROSTER} (
    id INTEGER PRIMARY KEY AUTOINCREMENT, agent_name TEXT UNIQUE NOT NULL, is_system INTEGER DEFAULT 0,
    max_parallel_tasks INTEGER DEFAULT ${DEFAULT_MAX_PARALLEL_TASKS}, execution_timeout_seconds INTEGER DEFAULT ${ROSTER_TIMEOUT_SECONDS}, deleted_at TEXT)`,
  `CREATE TABLE ${EXECUTIONS} (
    id TEXT PRIMARY KEY, schedule_id TEXT NOT NULL, agent_name TEXT NOT NULL, status TEXT NOT NULL,
    started_at TEXT NOT NULL, completed_at TEXT, duration_ms INTEGER, message TEXT NOT NULL, response TEXT, error TEXT,
    triggered_by TEXT NOT NULL, claude_session_id TEXT, queued_at TEXT, backlog_metadata TEXT, fan_out_id TEXT,
    subscription_id TEXT, lease_expires_at TEXT, retry_scheduled_at TEXT)`,
  "CREATE INDEX idx_executions_schedule ON schedule_executions(schedule_id)",
  "CREATE INDEX idx_executions_agent ON schedule_executions(agent_name)",
  "CREATE INDEX idx_executions_status ON schedule_executions(status)",
  "CREATE INDEX idx_executions_agent_started ON schedule_executions(agent_name, started_at DESC)",
  "CREATE INDEX idx_executions_fan_out ON schedule_executions(fan_out_id)",
  "CREATE INDEX idx_executions_subscription ON schedule_executions(subscription_id, started_at)",
  "CREATE INDEX idx_executions_queued ON schedule_executions(agent_name, queued_at) WHERE status = 'queued'",
  "CREATE INDEX idx_executions_retry ON schedule_executions(retry_scheduled_at) WHERE retry_scheduled_at IS NOT NULL AND status = 'pending_retry'",
  "CREATE INDEX idx_executions_completed_terminal ON schedule_executions(completed_at) WHERE status IN ('success', 'failed', 'cancelled', 'skipped')",
  `CREATE TABLE agent_schedules (
    id TEXT PRIMARY KEY, agent_name TEXT NOT NULL, name TEXT, cron_expression TEXT, message TEXT,
    enabled INTEGER DEFAULT 1, model TEXT, timeout_seconds INTEGER, next_run_at TEXT, deleted_at TEXT)`,
  "CREATE TABLE agent_sharing (id INTEGER PRIMARY KEY AUTOINCREMENT, agent_name TEXT NOT NULL, shared_with TEXT)",
  "CREATE TABLE chat_sessions (id TEXT PRIMARY KEY, agent_name TEXT NOT NULL, status TEXT DEFAULT 'active')",
  "CREATE TABLE agent_skills (id INTEGER PRIMARY KEY AUTOINCREMENT, agent_name TEXT NOT NULL, skill TEXT)",
  "CREATE TABLE agent_tags (agent_name TEXT NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (agent_name, tag))",
  "CREATE TABLE agent_shared_files (id TEXT PRIMARY KEY, agent_name TEXT NOT NULL)",
  "CREATE TABLE agent_public_links (id TEXT PRIMARY KEY, agent_name TEXT NOT NULL)",
  "CREATE TABLE agent_reports (id TEXT PRIMARY KEY, agent_name TEXT NOT NULL)",
  "CREATE TABLE operator_queue (id TEXT PRIMARY KEY, agent_name TEXT NOT NULL, status TEXT DEFAULT 'pending')",
  "CREATE TABLE access_requests (id TEXT PRIMARY KEY, agent_name TEXT NOT NULL, status TEXT DEFAULT 'pending')",
  "CREATE TABLE mcp_api_keys (id TEXT PRIMARY KEY, agent_name TEXT, scope TEXT)",
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

/** Makes the platform's tables in an empty database. @throws where one of them exists */
export async function createSchema(database: SqlClient): Promise<void> {
  await database.batch([...SCHEMA], "write");
}
