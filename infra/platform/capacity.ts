/** Who may run: the slots of every agent in Redis, and its backlog of queued rows in SQLite. */
import { randomUUID } from "node:crypto";
import pMap from "p-map";
import { timestamp } from "./clock.ts";
import { type PlatformContext, textOf } from "./context.ts";
import type { SqlResult } from "./file-client.ts";
import { type Change, journaled } from "./journal.ts";
import {
  DEFAULT_MAX_PARALLEL_TASKS,
  DRAIN_TICK_KEY,
  FALLBACK_TIMEOUT_SECONDS,
  SENTINEL_PREFIX,
  SLOT_TTL_BUFFER_SECONDS,
  slotKey,
  slotsKey,
} from "./names.ts";
import { type Execution, parseTask } from "./task.ts";

const MAX_QUEUED_SECONDS = 24 * 3600;
const DEFAULT_MAX_QUEUED = 50;
const AGENTS_DRAINED_AT_ONCE = 8;

/** What became of the wish for a slot; `gone` where the agent is not on the roster. */
export type Acquired =
  | { readonly kind: "acquired"; readonly timeoutSeconds: number }
  | { readonly kind: "full" }
  | { readonly kind: "gone" };

export interface Capacity {
  /** Takes a slot for an execution: stale slots are cleaned up, members counted, then ZADD, HSET, EXPIRE. */
  acquire(execution: Execution): Promise<Acquired>;
  /** Gives the slot back (ZREM, then DEL of the hash), then drains the agent. */
  release(agent: string, executionId: string): Promise<void>;
  /** Turns a running row without a slot into a queued one; into a skipped one where the backlog is full. */
  enqueue(execution: Execution): Promise<void>;
  /** Claims queued rows, oldest first, for as long as there are free slots. */
  drain(agent: string): Promise<void>;
  /** Gives back all slots of an agent that has left the roster. */
  removeSlots(agent: string): Promise<void>;
  /**
   * One sweep: fails rows that are queued for over 24 h, drains every agent that has a backlog, and at the end of it all
   * writes the heartbeat. @throws where a part of it failed; the heartbeat keeps its old value then
   */
  runMaintenance(): Promise<void>;
}

export interface CapacityOptions {
  /** Given each execution that a drain has claimed: its row is running and it holds a slot. */
  readonly onClaimed: (execution: Execution, timeoutSeconds: number) => void;
  /** How many rows of one agent may be queued. */
  readonly maxQueued?: number;
}

/** @returns a lock that lets the work for one key take turns, in the order in which it came */
function turns(): <T>(key: string, work: () => Promise<T>) => Promise<T> {
  const last = new Map<string, Promise<unknown>>();
  return (key, work) => {
    const mine = (last.get(key) ?? Promise.resolve()).then(work, work);
    last.set(key, mine);
    const forget = () => {
      if (last.get(key) === mine) last.delete(key);
    };
    mine.then(forget, forget);
    return mine;
  };
}

/** Columns hold what anybody wrote into them. */
const positiveOr = (value: unknown, fallback: number): number =>
  Number.isInteger(value) && (value as number) > 0 ? (value as number) : fallback;

const isChanged = ([answer]: readonly SqlResult[]): boolean => (answer?.rowsAffected ?? 0) > 0;

/**
 * The capacity manager of one platform. Its heartbeat is seeded, so that a reader in the seconds after a start doesn't
 * find it missing; like every write of it, a failure is logged and never fatal.
 */
export async function createCapacity(
  context: PlatformContext,
  { onClaimed, maxQueued = DEFAULT_MAX_QUEUED }: CapacityOptions,
): Promise<Capacity> {
  const { database, redis, clock, journal, log } = context;
  // Counting and taking are two commands: by turns, two takers can't both see the last free slot.
  const inTurn = turns();
  const tell = <T>(write: () => Promise<T>, change: (answer: T) => Change | false) =>
    journaled(journal, write, (answer) => {
      const told = change(answer);
      return told ? [told] : [];
    });

  /** @returns the agent's limits, or null where it is not on the roster */
  async function limitsOf(agent: string) {
    const [row] = await database.read(
      "SELECT max_parallel_tasks, execution_timeout_seconds FROM agent_ownership WHERE agent_name = ? AND deleted_at IS NULL",
      [agent],
    );
    if (!row) return null;
    return {
      maxParallelTasks: positiveOr(row.max_parallel_tasks, DEFAULT_MAX_PARALLEL_TASKS),
      timeoutSeconds: positiveOr(row.execution_timeout_seconds, FALLBACK_TIMEOUT_SECONDS),
    };
  }

  const addMember = (agent: string, executionId: string) => {
    const scoreSeconds = clock.now() / 1000;
    return tell(
      () => redis.zadd(slotsKey(agent), scoreSeconds, executionId),
      () => ({ what: "slot taken", agent, executionId, scoreSeconds }),
    );
  };
  const removeMember = (agent: string, executionId: string) =>
    tell(
      () => redis.zrem(slotsKey(agent), executionId),
      (removed) => removed > 0 && { what: "slot given back", agent, executionId },
    );
  const removeHash = (agent: string, executionId: string) =>
    tell(
      () => redis.del(slotKey(agent, executionId)),
      (removed) => removed > 0 && { what: "hash removed", agent, executionId },
    );

  /** @returns the members with their ages, as Redis has them: a score can be anything that is a float */
  async function membersOf(agent: string): Promise<{ id: string; ageSeconds: number }[]> {
    const flat = await redis.zrange(slotsKey(agent), 0, -1, "WITHSCORES");
    const nowSeconds = clock.now() / 1000;
    const members: { id: string; ageSeconds: number }[] = [];
    for (let i = 0; i + 1 < flat.length; i += 2)
      members.push({
        id: flat[i]!,
        ageSeconds: nowSeconds - Number(flat[i + 1]!.replace("inf", "Infinity")),
      });
    return members;
  }

  /** Cleans up slots whose own timeout and buffer are over. @returns how many members are left, sentinels too */
  async function countMembers(agent: string, agentTimeoutSeconds: number): Promise<number> {
    const members = await membersOf(agent);
    let left = members.length;
    // No timeout is below 0, so that what is younger than the buffer needs no look at its hash.
    for (const { id, ageSeconds } of members.filter((m) => m.ageSeconds > SLOT_TTL_BUFFER_SECONDS)) {
      const own = await redis.hget(slotKey(agent, id), "timeout_seconds");
      const timeoutSeconds = positiveOr(Number(own ?? Number.NaN), agentTimeoutSeconds);
      if (ageSeconds <= timeoutSeconds + SLOT_TTL_BUFFER_SECONDS) continue;
      await removeMember(agent, id);
      await removeHash(agent, id);
      left -= 1;
    }
    return left;
  }

  /** The three commands that make a slot: not atomic, as a reader may see. */
  async function writeSlot({ id, agent, task }: Execution, timeoutSeconds: number, slotNumber: number) {
    const ttlSeconds = timeoutSeconds + SLOT_TTL_BUFFER_SECONDS;
    try {
      await addMember(agent, id);
      await tell(
        () =>
          redis.hset(slotKey(agent, id), {
            started_at: timestamp(clock.now()),
            message_preview: task.message.slice(0, 100),
            slot_number: String(slotNumber),
            timeout_seconds: String(timeoutSeconds),
          }),
        () => ({ what: "hash written", agent, executionId: id, timeoutSeconds }),
      );
      await tell(
        () => redis.expire(slotKey(agent, id), ttlSeconds),
        (was) => was > 0 && { what: "hash expires", agent, executionId: id, ttlSeconds },
      );
    } catch (error) {
      await giveBack(agent, id);
      throw error;
    }
  }

  /** ZREM and DEL, where one that fails must hide neither the other nor what led here. */
  async function giveBack(agent: string, executionId: string): Promise<void> {
    for (const remove of [removeMember, removeHash])
      await remove(agent, executionId).catch((error) =>
        log(`slot ${executionId} of ${agent} could not be given back: ${textOf(error)}`),
      );
  }

  const acquire = (execution: Execution): Promise<Acquired> =>
    inTurn(execution.agent, async () => {
      const limits = await limitsOf(execution.agent);
      if (!limits) return { kind: "gone" };
      const taken = await countMembers(execution.agent, limits.timeoutSeconds);
      if (taken >= limits.maxParallelTasks) return { kind: "full" };
      const timeoutSeconds = execution.task.timeoutSeconds ?? limits.timeoutSeconds;
      await writeSlot(execution, timeoutSeconds, taken + 1);
      return { kind: "acquired", timeoutSeconds };
    });

  async function release(agent: string, executionId: string): Promise<void> {
    await removeMember(agent, executionId);
    await removeHash(agent, executionId);
    await drain(agent);
  }

  async function enqueue({ id, agent, task }: Execution): Promise<void> {
    const queuedAtMs = clock.now();
    await database.write(
      [
        {
          sql: `UPDATE schedule_executions SET status = 'queued', queued_at = ?, backlog_metadata = ?
                WHERE id = ? AND status = 'running' AND (SELECT COUNT(*) FROM schedule_executions
                  INDEXED BY idx_executions_queued WHERE agent_name = ? AND status = 'queued') < ?`,
          args: [timestamp(queuedAtMs), JSON.stringify(task), id, agent, maxQueued],
        },
        {
          sql: "UPDATE schedule_executions SET status = 'skipped', error = 'the backlog is full' WHERE id = ? AND status = 'running'",
          args: [id],
        },
      ],
      ([queued, skipped]) =>
        queued!.rowsAffected > 0
          ? [{ what: "row", agent, executionId: id, status: "queued", queuedAtMs }]
          : skipped!.rowsAffected > 0
            ? [{ what: "row", agent, executionId: id, status: "skipped" }]
            : [],
    );
  }

  /** What a claim takes from a row, to be put back where it loses its slot. */
  interface Claim {
    readonly execution: Execution;
    readonly startedAt: string;
    readonly queuedAt: string | null;
    readonly metadata: string | null;
  }

  async function oldestQueued(agent: string): Promise<Claim | null> {
    const [row] = await database.read(
      `SELECT id, started_at, queued_at, backlog_metadata FROM schedule_executions INDEXED BY idx_executions_queued
       WHERE agent_name = ? AND status = 'queued' ORDER BY queued_at LIMIT 1`,
      [agent],
    );
    if (!row) return null;
    const textOrNull = (value: unknown) => (value === null ? null : String(value));
    return {
      execution: { id: String(row.id), agent, task: parseTask(row.backlog_metadata) },
      startedAt: String(row.started_at),
      queuedAt: textOrNull(row.queued_at),
      metadata: textOrNull(row.backlog_metadata),
    };
  }

  /** Makes the oldest queued row a running one. Who else drains may be faster: then the next is tried. */
  async function claimOldest(agent: string): Promise<Claim | null> {
    for (;;) {
      const claim = await oldestQueued(agent);
      if (!claim) return null;
      const { id } = claim.execution;
      const startedAtMs = clock.now();
      const won = await database.write(
        [
          {
            sql: `UPDATE schedule_executions SET status = 'running', started_at = ?, queued_at = NULL,
                  backlog_metadata = NULL, claude_session_id = NULL WHERE id = ? AND status = 'queued'`,
            args: [timestamp(startedAtMs), id],
          },
        ],
        (answers) =>
          isChanged(answers) ? [{ what: "row", agent, executionId: id, status: "running", startedAtMs }] : [],
      );
      if (isChanged(won)) return claim;
    }
  }

  async function putBack({ execution: { id, agent }, startedAt, queuedAt, metadata }: Claim): Promise<void> {
    const instants = { startedAtMs: Date.parse(startedAt), queuedAtMs: Date.parse(queuedAt ?? startedAt) };
    await database.write(
      [
        {
          sql: `UPDATE schedule_executions SET status = 'queued', started_at = ?, queued_at = ?, backlog_metadata = ?
                WHERE id = ? AND status = 'running'`,
          args: [startedAt, queuedAt, metadata, id],
        },
      ],
      (answers) =>
        isChanged(answers) ? [{ what: "row", agent, executionId: id, status: "queued", ...instants }] : [],
    );
  }

  /** Holds a free slot for a claim that is not made yet. @returns the sentinel and its number, or null */
  const holdSentinel = (agent: string) =>
    inTurn(agent, async () => {
      const limits = await limitsOf(agent);
      if (!limits) return null;
      const taken = await countMembers(agent, limits.timeoutSeconds);
      if (taken >= limits.maxParallelTasks) return null;
      const sentinel = `${SENTINEL_PREFIX}${randomUUID()}`;
      await addMember(agent, sentinel);
      return { sentinel, slotNumber: taken + 1, timeoutSeconds: limits.timeoutSeconds };
    });

  /** Puts the execution in the sentinel's place. @returns false where the sentinel, and with it the slot, is lost */
  const swap = (execution: Execution, sentinel: string, timeoutSeconds: number, slotNumber: number) =>
    inTurn(execution.agent, async () => {
      if ((await removeMember(execution.agent, sentinel)) === 0) return false;
      await writeSlot(execution, timeoutSeconds, slotNumber);
      return true;
    });

  /** @returns whether it is worth to go on: a row was claimed and has its slot */
  async function drainOne(agent: string): Promise<boolean> {
    if (!(await oldestQueued(agent))) return false;
    const held = await holdSentinel(agent);
    if (!held) return false;
    let claim: Claim | null = null;
    let hasSlot = false;
    try {
      claim = await claimOldest(agent);
      if (!claim) return false;
      const { execution } = claim;
      const timeoutSeconds = execution.task.timeoutSeconds ?? held.timeoutSeconds;
      hasSlot = await swap(execution, held.sentinel, timeoutSeconds, held.slotNumber);
      if (hasSlot) onClaimed(execution, timeoutSeconds);
      return hasSlot;
    } finally {
      if (!hasSlot) await removeMember(agent, held.sentinel).finally(() => claim && putBack(claim));
    }
  }

  async function drain(agent: string): Promise<void> {
    while (await drainOne(agent));
  }

  const removeSlots = (agent: string): Promise<void> =>
    inTurn(agent, async () => {
      for (const { id } of await membersOf(agent)) {
        await removeMember(agent, id);
        await removeHash(agent, id);
      }
    });

  async function failOverdue(): Promise<void> {
    const now = clock.now();
    await database.write(
      [
        {
          // julianday reads each shape that a timestamp comes in, and gives NULL for what is none.
          sql: `UPDATE schedule_executions INDEXED BY idx_executions_status
                SET status = 'failed', completed_at = ?, error = 'queued for over 24 h' WHERE status = 'queued'
                AND julianday(COALESCE(queued_at, started_at)) < julianday(?) RETURNING id, agent_name`,
          args: [timestamp(now), timestamp(now - MAX_QUEUED_SECONDS * 1000)],
        },
      ],
      ([answer]) =>
        answer!.rows.map((row) => ({
          what: "row",
          agent: String(row.agent_name),
          executionId: String(row.id),
          status: "failed",
        })),
    );
  }

  async function drainAll(): Promise<void> {
    const waiting = await database.read(
      "SELECT agent_name FROM schedule_executions INDEXED BY idx_executions_queued WHERE status = 'queued' GROUP BY agent_name",
    );
    const errors: unknown[] = [];
    await pMap(
      waiting,
      // One agent's broken key must not keep the others waiting.
      ({ agent_name }) => drain(String(agent_name)).catch((error) => errors.push(error)),
      { concurrency: AGENTS_DRAINED_AT_ONCE },
    );
    if (errors.length > 0)
      throw new Error(`${errors.length} agent(s) could not be drained, the first: ${textOf(errors[0])}`);
  }

  async function writeTick(): Promise<void> {
    const atSeconds = clock.now() / 1000;
    await tell(
      () => redis.set(DRAIN_TICK_KEY, String(atSeconds)),
      () => ({ what: "drain tick", atSeconds }),
    ).catch((error) => log(`the drain heartbeat could not be written: ${textOf(error)}`));
  }

  async function runMaintenance(): Promise<void> {
    await failOverdue();
    await drainAll();
    await writeTick();
  }

  await writeTick();
  return { acquire, release, enqueue, drain, removeSlots, runMaintenance };
}
