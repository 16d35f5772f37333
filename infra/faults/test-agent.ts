/** One agent as a fault works on it: the only place outside the platform that writes rows, slots and hashes. */
import { timestamp } from "../platform/clock.ts";
import type { Database, Statement } from "../platform/database.ts";
import { type ExecutionStatus, journaled } from "../platform/journal.ts";
import {
  DRAIN_TICK_KEY,
  EXECUTIONS,
  ROSTER,
  SLOT_TTL_BUFFER_SECONDS,
  slotKey,
  slotsKey,
} from "../platform/names.ts";
import { type FaultChange, present, type Target } from "./target.ts";

export interface Limits {
  readonly maxParallelTasks: number;
  readonly executionTimeoutSeconds: number;
}

export interface NewRun {
  readonly status?: ExecutionStatus;
  readonly ageSeconds?: number;
  readonly session?: string | null;
}

/** A run as it was read back. */
export interface SeenRun {
  readonly id: string;
  readonly status: string;
  /** NaN where started_at is no time. */
  readonly ageSeconds: number;
  readonly session: string | null;
}

export interface NewSlot {
  readonly ageSeconds?: number;
  /** Null: the hash never expires. */
  readonly ttlSeconds?: number | null;
  /** Null: the hash does not name a timeout. */
  readonly timeoutSeconds?: number | null;
  /** Default: both. */
  readonly parts?: "both" | "member only" | "hash only";
}

export interface TestAgent {
  readonly name: string;
  readonly target: Target;
  readonly limits: Limits;
  /** How long a slot lives that is given the agent's own timeout. */
  readonly slotLifeSeconds: number;
  /** Every execution that the fault made so far. */
  readonly ids: ReadonlySet<string>;
  readonly hasContainer: boolean;
  /** The id of the fault's nth run. */
  id(n: number): string;
  /** Writes a row: a running one with a session, ten seconds old, unless told otherwise. */
  addRun(id: string, run?: NewRun): Promise<void>;
  /** Makes a row a running one that has just started. */
  restartRun(id: string): Promise<void>;
  /** Gives a run its slot as the platform does, acquired ten seconds ago unless told otherwise. */
  addSlot(id: string, slot?: NewSlot): Promise<void>;
  /** Reads which of the fault's executions are members of the agent's slots, sorted. */
  slots(): Promise<string[]>;
  /** Reads the TTL of a slot's hash as Redis has it: -1 never expires, -2 no hash. */
  slotTtlSeconds(id: string): Promise<number>;
  /** Reads the rows that the fault made. */
  runs(): Promise<SeenRun[]>;
  /** Lets the queue accessor answer that count for the agent; null: the true one again. */
  setCachedCount(count: number | null): Promise<void>;
  setDrainTick(ageSeconds: number): Promise<void>;
  drainTickAgeSeconds(): Promise<number>;
  startContainer(): Promise<void>;
  isListed(): Promise<boolean>;
  /** Puts the agent on the roster, with its limits. */
  enlist(): Promise<void>;
  /** Takes the agent off the roster, and nothing else of it. */
  delist(): Promise<void>;
  /** Ends every run that the fault made and gives its slots back. Can be repeated. */
  settle(): Promise<void>;
}

/**
 * Makes the statement that inserts the values, less those that the table has no column for. Columns that must be filled
 * and that are not known here are filled as another row has them.
 */
async function insertion(
  database: Database<FaultChange>,
  table: string,
  values: Readonly<Record<string, string | number | null>>,
): Promise<Statement> {
  const columns = await database.read(`PRAGMA table_info(${table})`);
  const exists = (name: string) => columns.some((column) => column.name === name);
  const known = Object.entries(values).filter(([name]) => exists(name));
  const others = columns
    .filter((c) => c.notnull === 1 && c.dflt_value === null && c.pk === 0 && !((c.name as string) in values))
    .map(({ name }) => `"${name}"`);
  const names = [...known.map(([name]) => name), ...others];
  const copied = others.map((name) => `COALESCE((SELECT ${name} FROM ${table} LIMIT 1), '')`);
  return {
    sql: `INSERT INTO ${table} (${names.join(", ")}) VALUES (${[...known.map(() => "?"), ...copied].join(", ")})`,
    args: known.map(([, value]) => value),
  };
}

const agoMs = (seconds: number) => Date.now() - seconds * 1000;
const marks = (values: readonly unknown[]) => values.map(() => "?").join(", ");

/** What of a test agent is in the database. */
function rowsOf(target: Target, agent: string, limits: Limits, ids: Set<string>) {
  const database = () => present(target.database);
  const write = async (
    statement: Statement,
    changes: (changed: readonly string[]) => readonly FaultChange[],
  ) =>
    void (await database().write([statement], ([answer]) => {
      const { rows, rowsAffected } = answer!;
      // A statement that returns rows does not say how many it has changed.
      return rowsAffected > 0 || rows.length > 0 ? changes(rows.map((row) => String(row.id))) : [];
    }));
  const started = (id: string, status: ExecutionStatus, atMs: number, session: string | null) => [
    {
      what: "row" as const,
      agent,
      executionId: id,
      status,
      startedAtMs: atMs,
      ...(status === "queued" && { queuedAtMs: atMs }),
    },
    ...(session === null ? [] : [{ what: "session" as const, agent, executionId: id }]),
  ];
  return {
    async addRun(
      id: string,
      { status = "running", ageSeconds = 10, session = `${id}-session` }: NewRun = {},
    ): Promise<void> {
      ids.add(id);
      const atMs = agoMs(ageSeconds);
      const statement = await insertion(database(), EXECUTIONS, {
        id,
        schedule_id: `${agent}-schedule`,
        agent_name: agent,
        status,
        started_at: timestamp(atMs),
        queued_at: status === "queued" ? timestamp(atMs) : null,
        completed_at: status === "success" ? timestamp(agoMs(1)) : null,
        message: "a fault of the canary's drill",
        triggered_by: "manual",
        claude_session_id: session,
      });
      await write(statement, () => started(id, status, atMs, session));
    },
    restartRun(id: string): Promise<void> {
      const atMs = Date.now();
      const sql = `UPDATE ${EXECUTIONS} SET status = 'running', started_at = ?, completed_at = NULL WHERE agent_name = ? AND id = ?`;
      return write({ sql, args: [timestamp(atMs), agent, id] }, () => started(id, "running", atMs, "kept"));
    },
    async endRuns(): Promise<void> {
      const sql = `UPDATE ${EXECUTIONS} SET status = 'failed', completed_at = ? WHERE agent_name = ?
        AND id IN (${marks([...ids])}) AND status IN ('queued', 'running') RETURNING id`;
      await write({ sql, args: [timestamp(Date.now()), agent, ...ids] }, (ended) =>
        ended.map((executionId) => ({ what: "row", agent, executionId, status: "failed" })),
      );
    },
    async runs(): Promise<SeenRun[]> {
      const rows = await database().read(
        `SELECT id, status, started_at, claude_session_id FROM ${EXECUTIONS} WHERE agent_name = ? AND id IN (${marks([...ids])})`,
        [agent, ...ids],
      );
      return rows.map((row) => ({
        id: String(row.id),
        status: String(row.status),
        ageSeconds: Math.floor((Date.now() - Date.parse(String(row.started_at))) / 1000),
        session: row.claude_session_id === null ? null : String(row.claude_session_id),
      }));
    },
    isListed: async (): Promise<boolean> =>
      (await database().read(`SELECT 1 FROM ${ROSTER} WHERE agent_name = ?`, [agent])).length > 0,
    async enlist(): Promise<void> {
      const statement = await insertion(database(), ROSTER, {
        agent_name: agent,
        max_parallel_tasks: limits.maxParallelTasks,
        execution_timeout_seconds: limits.executionTimeoutSeconds,
      });
      await write(statement, () => [{ what: "agent", agent, ...limits }]);
    },
    delist: (): Promise<void> =>
      write({ sql: `DELETE FROM ${ROSTER} WHERE agent_name = ?`, args: [agent] }, () => [
        { what: "roster row lost", agent },
      ]),
  };
}

/** What of a test agent is in Redis. */
function slotsOf(target: Target, agent: string, limits: Limits, ids: Set<string>) {
  const redis = () => present(target.redis);
  const slotLifeSeconds = limits.executionTimeoutSeconds + SLOT_TTL_BUFFER_SECONDS;
  const tell = async (write: () => Promise<unknown>, ...changes: FaultChange[]) =>
    void (await journaled<unknown, FaultChange>(target.journal, write, () => changes));
  return {
    slotLifeSeconds,
    addSlot(
      id: string,
      {
        ageSeconds = 10,
        ttlSeconds = slotLifeSeconds - ageSeconds,
        timeoutSeconds = limits.executionTimeoutSeconds,
        parts = "both",
      }: NewSlot = {},
    ): Promise<void> {
      ids.add(id);
      const [startedAtMs, multi] = [agoMs(ageSeconds), redis().multi()];
      const scoreSeconds = startedAtMs / 1000;
      const of = { agent, executionId: id };
      const changes: FaultChange[] = [];
      if (parts !== "hash only") {
        multi.zadd(slotsKey(agent), { score: scoreSeconds, member: id });
        changes.push({ what: "slot taken", ...of, scoreSeconds });
      }
      if (parts !== "member only") {
        multi.hset(slotKey(agent, id), {
          started_at: timestamp(startedAtMs),
          ...(timeoutSeconds !== null && { timeout_seconds: String(timeoutSeconds) }),
        });
        // Where the hash names no timeout, the agent's own holds.
        const holds = timeoutSeconds ?? limits.executionTimeoutSeconds;
        changes.push({ what: "hash written", ...of, timeoutSeconds: holds });
        if (ttlSeconds !== null) {
          multi.expire(slotKey(agent, id), ttlSeconds);
          changes.push({ what: "hash expires", ...of, ttlSeconds });
        }
      }
      return tell(() => multi.exec(), ...changes);
    },
    async giveBackSlots(): Promise<void> {
      for (const executionId of ids) {
        const multi = redis().multi().zrem(slotsKey(agent), executionId).del(slotKey(agent, executionId));
        const of = { agent, executionId };
        await tell(() => multi.exec(), { what: "slot given back", ...of }, { what: "hash removed", ...of });
      }
    },
    slots: async (): Promise<string[]> =>
      (await redis().zrange<string[]>(slotsKey(agent), 0, -1)).filter((id) => ids.has(id)).sort(),
    slotTtlSeconds: (id: string): Promise<number> => redis().ttl(slotKey(agent, id)),
    setCachedCount: (count: number | null): Promise<void> =>
      tell(
        async () => {
          const { cachedCounts } = present(target.controls);
          if (count === null) cachedCounts.delete(agent);
          else cachedCounts.set(agent, count);
        },
        { what: "accessor", agent, isWrong: count !== null },
      ),
    setDrainTick(ageSeconds: number): Promise<void> {
      const atSeconds = agoMs(ageSeconds) / 1000;
      return tell(() => redis().set(DRAIN_TICK_KEY, String(atSeconds)), { what: "drain tick", atSeconds });
    },
    drainTickAgeSeconds: async (): Promise<number> =>
      Date.now() / 1000 - Number(await redis().get<string>(DRAIN_TICK_KEY)),
  };
}

/**
 * Works on one agent of the target, which need not be there yet.
 * @param runPrefix what the ids of the fault's runs begin with: no other run of the agent may have it
 */
export function testAgent(
  target: Target,
  { name, limits, runPrefix }: { readonly name: string; readonly limits: Limits; readonly runPrefix: string },
): TestAgent {
  const ids = new Set<string>();
  let hasContainer = false;
  const { endRuns, ...rows } = rowsOf(target, name, limits, ids);
  const { giveBackSlots, ...slots } = slotsOf(target, name, limits, ids);
  return {
    name,
    target,
    limits,
    ids,
    ...rows,
    ...slots,
    get hasContainer() {
      return hasContainer;
    },
    id: (n) => `${runPrefix}${n}`,
    async startContainer() {
      hasContainer = true;
      await present(target.docker).containers.create(name);
    },
    // In the platform's order: a queued row that has ended can't be drained into a slot that is free.
    async settle() {
      await endRuns();
      await giveBackSlots();
    },
  };
}
