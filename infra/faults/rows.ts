/** Writes and reads a test agent's rows: its runs, and its row on the roster. */
import { WORDS } from "../platform/backends.ts";
import { timestamp } from "../platform/clock.ts";
import type { PlatformDatabase, Statement } from "../platform/database.ts";
import type { ExecutionStatus } from "../platform/journal.ts";
import { EXECUTIONS, ROSTER } from "../platform/names.ts";
import { type FaultChange, type Limits, present, type Target } from "./target.ts";

export interface NewRun {
  readonly status?: ExecutionStatus;
  readonly ageSeconds?: number;
  readonly session?: string | null;
  /** How long ago an ended run ended; null: its row does not say it. Default: one second. */
  readonly endedSecondsAgo?: number | null;
  /** What the backlog_metadata of a queued run holds. */
  readonly backlog?: keyof typeof BACKLOGS;
}

/** A token of nobody, in the form of one of GitHub's. */
const CREDENTIAL = "ghp_canarydrill";
const BACKLOGS = {
  "a task": JSON.stringify({ message: "a fault of the canary's drill" }),
  nothing: null,
  "a credential": JSON.stringify({ message: `a fault of the canary's drill, with ${CREDENTIAL}` }),
} as const;

const ENDED: ReadonlySet<ExecutionStatus> = new Set(["success", "failed", "cancelled", "skipped"]);

/** A run, read back. */
export interface SeenRun {
  readonly id: string;
  readonly status: string;
  /** NaN where started_at is not a time. */
  readonly ageSeconds: number;
  readonly session: string | null;
  /** How long after its start it ended; null where completed_at is NULL. */
  readonly lengthSeconds: number | null;
}

/**
 * Makes the statement that inserts the values, without those that the table has no column for. A required column without
 * a value here gets the value of some other row, since a deployed platform may have columns that are unknown here.
 */
export async function insertion(
  database: PlatformDatabase<FaultChange>,
  table: string,
  values: Readonly<Record<string, string | number | null>>,
): Promise<Statement> {
  const { columnsOf, blankOf } = WORDS[database.backend];
  const columns = await database.read(columnsOf(table));
  const exists = (name: string) => columns.some((column) => column.name === name);
  const known = Object.entries(values).filter(([name]) => exists(name));
  const others = columns
    .filter((c) => c.notnull === 1 && c.dflt_value === null && c.pk === 0 && !((c.name as string) in values))
    .map(({ name, type }) => ({ name: `"${name}"`, blank: blankOf(String(type)) }));
  const names = [...known.map(([name]) => name), ...others.map(({ name }) => name)];
  const copied = others.map(
    ({ name, blank }) => `COALESCE((SELECT ${name} FROM ${table} LIMIT 1), ${blank})`,
  );
  return {
    sql: `INSERT INTO ${table} (${names.join(", ")}) VALUES (${[...known.map(() => "?"), ...copied].join(", ")})`,
    args: known.map(([, value]) => value),
  };
}

const marks = (values: ReadonlySet<unknown>) => [...values].map(() => "?").join(", ");

/** Runs one statement. @param changes gets the ids that it returns; called only where it changed something */
export async function write(
  target: Target,
  statement: Statement,
  changes: (ids: readonly string[]) => readonly FaultChange[],
): Promise<void> {
  await present(target.database).write([statement], ([answer]) => {
    const { rows, rowsAffected } = answer!;
    // rowsAffected is 0 for a statement that returns rows.
    return rowsAffected > 0 || rows.length > 0 ? changes(rows.map((row) => String(row.id))) : [];
  });
}

/** The changes of a row that is made or starts; a session of null was not written. */
const started = (
  of: { readonly agent: string; readonly executionId: string },
  status: ExecutionStatus,
  atMs: number,
  session: string | null,
  endedAtMs?: number | null,
): FaultChange[] => [
  {
    what: "row",
    ...of,
    status,
    startedAtMs: atMs,
    ...(status === "queued" && { queuedAtMs: atMs }),
    ...(endedAtMs !== undefined && { completedAtMs: endedAtMs }),
  },
  ...(session === null ? [] : [{ what: "session" as const, ...of }]),
];

/** Makes and starts the runs of a fault. @param ids gets the id of each */
function runStarts(target: Target, agent: string, ids: Set<string>) {
  return {
    async addRun(
      id: string,
      {
        status = "running",
        ageSeconds = 10,
        session = `${id}-session`,
        endedSecondsAgo = 1,
        backlog = "a task",
      }: NewRun = {},
    ): Promise<void> {
      ids.add(id);
      const nowMs = Date.now();
      const atMs = nowMs - ageSeconds * 1000;
      const isQueued = status === "queued";
      const endedAtMs = ENDED.has(status) && endedSecondsAgo !== null ? nowMs - endedSecondsAgo * 1000 : null;
      const statement = await insertion(present(target.database), EXECUTIONS, {
        id,
        schedule_id: `${agent}-schedule`,
        agent_name: agent,
        status,
        started_at: timestamp(atMs),
        queued_at: isQueued ? timestamp(atMs) : null,
        backlog_metadata: isQueued ? BACKLOGS[backlog] : null,
        completed_at: endedAtMs === null ? null : timestamp(endedAtMs),
        message: "a fault of the canary's drill",
        triggered_by: "manual",
        claude_session_id: session,
      });
      const of = { agent, executionId: id };
      await write(target, statement, () => [
        ...started(of, status, atMs, session, ENDED.has(status) ? endedAtMs : undefined),
        ...(isQueued && backlog !== "a task" ? [{ what: "backlog" as const, ...of, holds: backlog }] : []),
      ]);
    },
    restartRun(id: string): Promise<void> {
      const atMs = Date.now();
      const sql = `UPDATE ${EXECUTIONS} SET status = 'running', started_at = ?, completed_at = NULL WHERE agent_name = ? AND id = ?`;
      return write(target, { sql, args: [timestamp(atMs), agent, id] }, () =>
        started({ agent, executionId: id }, "running", atMs, "kept"),
      );
    },
  };
}

/** Ends the runs of a fault. */
function runEnds(target: Target, agent: string, ids: ReadonlySet<string>) {
  return {
    /** Writes for every run of the fault that has ended that it ended now. */
    async correctEnds(): Promise<void> {
      const nowMs = Date.now();
      const sql = `UPDATE ${EXECUTIONS} SET completed_at = ? WHERE agent_name = ? AND id IN (${marks(ids)})
        AND status IN (${[...ENDED].map((status) => `'${status}'`).join(", ")}) RETURNING id, status`;
      const statement = { sql, args: [timestamp(nowMs), agent, ...ids] };
      await present(target.database).write([statement], ([answer]) =>
        answer!.rows.map((row) => ({
          what: "row",
          agent,
          executionId: String(row.id),
          status: row.status as ExecutionStatus,
          completedAtMs: nowMs,
        })),
      );
    },
    async endRuns(): Promise<void> {
      const sql = `UPDATE ${EXECUTIONS} SET status = 'failed', completed_at = ? WHERE agent_name = ?
        AND id IN (${marks(ids)}) AND status IN ('queued', 'running') RETURNING id`;
      const nowMs = Date.now();
      await write(target, { sql, args: [timestamp(nowMs), agent, ...ids] }, (ended) =>
        ended.map((executionId) => ({
          what: "row",
          agent,
          executionId,
          status: "failed",
          completedAtMs: nowMs,
        })),
      );
    },
  };
}

/** Reads the runs of a fault back. */
function runReads(target: Target, agent: string, ids: ReadonlySet<string>) {
  return {
    async runs(): Promise<SeenRun[]> {
      const rows = await present(target.database).read(
        `SELECT id, status, started_at, completed_at, claude_session_id FROM ${EXECUTIONS} WHERE agent_name = ? AND id IN (${marks(ids)})`,
        [agent, ...ids],
      );
      return rows.map((row) => ({
        id: String(row.id),
        status: String(row.status),
        ageSeconds: Math.floor((Date.now() - Date.parse(String(row.started_at))) / 1000),
        session: row.claude_session_id === null ? null : String(row.claude_session_id),
        lengthSeconds:
          row.completed_at === null
            ? null
            : (Date.parse(String(row.completed_at)) - Date.parse(String(row.started_at))) / 1000,
      }));
    },
    /** Counts the queued runs of the fault whose backlog_metadata holds that. */
    async backlogs(holds: "nothing" | "a credential"): Promise<number> {
      const rows = await present(target.database).read(
        `SELECT backlog_metadata FROM ${EXECUTIONS} WHERE agent_name = ? AND id IN (${marks(ids)}) AND status = 'queued'`,
        [agent, ...ids],
      );
      return rows.filter(({ backlog_metadata: held }) =>
        holds === "nothing" ? held === null : String(held).includes(CREDENTIAL),
      ).length;
    },
  };
}

/** Works on the runs that a fault makes. @param ids gets the id of each */
export const runsOf = (target: Target, agent: string, ids: Set<string>) => ({
  ...runStarts(target, agent, ids),
  ...runEnds(target, agent, ids),
  ...runReads(target, agent, ids),
});

export function rosterOf(target: Target, agent: string, limits: Limits) {
  const database = () => present(target.database);
  return {
    isListed: async (): Promise<boolean> =>
      (await database().read(`SELECT 1 FROM ${ROSTER} WHERE agent_name = ?`, [agent])).length > 0,
    async enlist(): Promise<void> {
      const statement = await insertion(database(), ROSTER, {
        agent_name: agent,
        max_parallel_tasks: limits.maxParallelTasks,
        execution_timeout_seconds: limits.executionTimeoutSeconds,
      });
      await write(target, statement, () => [{ what: "agent", agent, ...limits }]);
    },
    /** Takes the agent off the roster, which has nothing else of it. */
    unlist: (): Promise<void> =>
      write(target, { sql: `DELETE FROM ${ROSTER} WHERE agent_name = ?`, args: [agent] }, () => [
        { what: "agent removed", agent, leavesRows: false },
      ]),
    delist: (): Promise<void> =>
      write(target, { sql: `DELETE FROM ${ROSTER} WHERE agent_name = ?`, args: [agent] }, () => [
        { what: "roster row lost", agent },
      ]),
  };
}
