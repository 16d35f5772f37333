/** The place of one fault: an agent that was made for it, on the platform that is watched, and no other. */
import { setTimeout as wait } from "node:timers/promises";
import type { Redis } from "@upstash/redis";
import type Docker from "dockerode";
import { timestamp } from "../platform/clock.ts";
import type { AgentContainers } from "../platform/containers.ts";
import type { Database, Statement } from "../platform/database.ts";

/** The agents of a drill have names that begin so, and it touches no others. */
export const DRILL_PREFIX = "canary-drill-";

/** Two at once, a minute for a run. */
export const MAX_PARALLEL_TASKS = 2;
export const TIMEOUT_SECONDS = 60;
const SLOT_TTL_BUFFER_SECONDS = 300;
/** A slot of a run that is given its timeout lives so long. */
export const SLOT_LIFE_SECONDS = TIMEOUT_SECONDS + SLOT_TTL_BUFFER_SECONDS;
export const DRAIN_TICK_KEY = "canary:drain_tick_at";

/** What only a platform in this process offers. */
export interface Levers {
  /** What the queue accessor answers in place of the count, by agent. */
  readonly cachedCounts: Map<string, number>;
  /** @returns what the accessor answers for that agent, over HTTP */
  countOf(agent: string): Promise<number | null>;
  /** Lets no sweep begin any more. */
  hangSweeps(): Promise<void>;
  sweepsHang(): boolean;
  /** Sweeps at once, and from then on as before. */
  resumeSweeps(): Promise<void>;
}

/** The platform that is watched, as the drill writes to it; what can't be had of it, with the reason. */
export interface Ground {
  readonly database: Database | { readonly absent: string };
  readonly redis: Redis | { readonly absent: string };
  readonly docker:
    | { readonly daemon: Docker; readonly containers: AgentContainers }
    | { readonly absent: string };
  readonly levers: Levers | { readonly absent: string };
}

export interface Run {
  readonly id: string;
  readonly status?: string;
  readonly ageSeconds?: number;
  readonly session?: string | null;
}

/** A run as it is read back. */
export interface SeenRun {
  readonly id: string;
  readonly status: string;
  /** NaN where started_at is no time. */
  readonly ageSeconds: number;
  readonly session: string | null;
}

export interface Slot {
  readonly ageSeconds?: number;
  readonly ttlSeconds?: number;
  /** Null: the hash does not say. */
  readonly timeoutSeconds?: number | null;
}

export interface Scene {
  readonly agent: string;
  readonly ground: Ground;
  /** @returns the id of the agent's nth run */
  id(n: number): string;
  /** Writes a row of the agent: a running one with a session, ten seconds old, unless told otherwise. */
  addRun(run: Run): Promise<void>;
  /** @param set SQL, such as `status = 'failed'` */
  changeRun(id: string, set: string, args?: readonly (string | number | null)[]): Promise<void>;
  removeRun(id: string): Promise<void>;
  /** Gives a run its slot as the platform does, ten seconds ago unless told otherwise. */
  addSlot(id: string, slot?: Slot): Promise<void>;
  removeSlot(id: string): Promise<void>;
  /** @returns the members of the agent's slots, sorted */
  slots(): Promise<string[]>;
  /** @returns the agent's rows as they are now */
  runs(): Promise<SeenRun[]>;
  /** Makes the agent's container. */
  startContainer(): Promise<void>;
  /** Puts the agent on the roster, or takes it off. */
  enlist(): Promise<void>;
  delist(): Promise<void>;
  /** Removes the agent and all that names it. Can be tried again. */
  clear(): Promise<void>;
}

const isPresent = <T extends object>(part: T | { readonly absent: string }): part is T => !("absent" in part);

/** @throws Error with the reason where the part is absent */
export function present<T extends object>(part: T | { readonly absent: string }): T {
  if (isPresent(part)) return part;
  throw new Error(part.absent);
}

const NOTHING = () => [];

/**
 * Columns that must be filled and that the drill knows nothing of are filled as another row has them.
 * @returns the statement that inserts the values
 */
async function insertion(
  database: Database,
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

/** @param agent a name with the drill's prefix. @throws Error for any other: it is somebody's */
export function sceneOf(ground: Ground, agent: string): Scene {
  if (!agent.startsWith(DRILL_PREFIX)) throw new Error(`${agent} is no agent of a drill`);
  const database = () => present(ground.database);
  const redis = () => present(ground.redis);
  const write = async (...statements: Statement[]) => {
    await database().write(statements, NOTHING);
  };
  const slotsKey = `agent:slots:${agent}`;
  const slotKey = (id: string) => `agent:slot:${agent}:${id}`;
  const agoMs = (seconds: number) => Date.now() - seconds * 1000;
  let hasContainer = false;
  const offRoster = { sql: "DELETE FROM agent_ownership WHERE agent_name = ?", args: [agent] };

  return {
    agent,
    ground,
    id: (n) => `${agent}-run-${n}`,
    async addRun({ id, status = "running", ageSeconds = 10, session = `${id}-session` }) {
      const at = timestamp(agoMs(ageSeconds));
      const isOver = status === "success";
      await write(
        await insertion(database(), "schedule_executions", {
          id,
          schedule_id: `${agent}-schedule`,
          agent_name: agent,
          status,
          started_at: at,
          queued_at: status === "queued" ? at : null,
          completed_at: isOver ? timestamp(agoMs(1)) : null,
          message: "a fault of the canary's drill",
          triggered_by: "manual",
          claude_session_id: session,
        }),
      );
    },
    changeRun: (id, set, args = []) =>
      write({
        sql: `UPDATE schedule_executions SET ${set} WHERE agent_name = ? AND id = ?`,
        args: [...args, agent, id],
      }),
    removeRun: (id) =>
      write({ sql: "DELETE FROM schedule_executions WHERE agent_name = ? AND id = ?", args: [agent, id] }),
    async addSlot(
      id,
      { ageSeconds = 10, ttlSeconds = SLOT_LIFE_SECONDS - ageSeconds, timeoutSeconds = TIMEOUT_SECONDS } = {},
    ) {
      const startedAtMs = agoMs(ageSeconds);
      const hash = {
        started_at: timestamp(startedAtMs),
        ...(timeoutSeconds !== null && { timeout_seconds: String(timeoutSeconds) }),
      };
      await redis()
        .multi()
        .zadd(slotsKey, { score: startedAtMs / 1000, member: id })
        .hset(slotKey(id), hash)
        .expire(slotKey(id), ttlSeconds)
        .exec();
    },
    async removeSlot(id) {
      await redis().multi().zrem(slotsKey, id).del(slotKey(id)).exec();
    },
    slots: async () => (await redis().zrange<string[]>(slotsKey, 0, -1)).sort(),
    async runs() {
      const rows = await database().read(
        "SELECT id, status, started_at, claude_session_id FROM schedule_executions WHERE agent_name = ?",
        [agent],
      );
      return rows.map((row) => ({
        id: String(row.id),
        status: String(row.status),
        ageSeconds: Math.floor((Date.now() - Date.parse(String(row.started_at))) / 1000),
        session: row.claude_session_id === null ? null : String(row.claude_session_id),
      }));
    },
    async startContainer() {
      hasContainer = true;
      await present(ground.docker).containers.create(agent);
    },
    async enlist() {
      await write(
        await insertion(database(), "agent_ownership", {
          agent_name: agent,
          max_parallel_tasks: MAX_PARALLEL_TASKS,
          execution_timeout_seconds: TIMEOUT_SECONDS,
        }),
      );
    },
    delist: () => write(offRoster),
    async clear() {
      // The roster last: what is left of an agent without its row would be a ghost.
      const ids = [1, 2, 3].map((n) => `${agent}-run-${n}`);
      await redis().del(slotsKey, ...ids.map(slotKey));
      await write({ sql: "DELETE FROM schedule_executions WHERE agent_name = ?", args: [agent] }, offRoster);
      if (hasContainer) await present(ground.docker).containers.remove(agent);
    },
  };
}

/** Asks again, 50 ms after each answer, until it gives something. @returns null after thirty times */
export async function patiently<T>(ask: () => Promise<T | null>): Promise<T | null> {
  for (let left = 30; ; left -= 1) {
    const answer = await ask();
    if (answer !== null || left === 0) return answer;
    await wait(50);
  }
}
