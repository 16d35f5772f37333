/** The capacity manager: which executions may run. It fills the slots (slots.ts) from the backlog (backlog.ts). */

import { randomUUID } from "node:crypto";
import pMap from "p-map";
import { plural } from "../../shared/text.ts";
import {
  agentsWithBacklog,
  type Claim,
  claimOldest,
  enqueueRow,
  failOverdue,
  oldestQueued,
  putBack,
} from "./backlog.ts";
import { messageOf, type PlatformContext } from "./context.ts";
import { limitsOf } from "./limits.ts";
import { chatQueueKey, DRAIN_TICK_KEY, SENTINEL_PREFIX } from "./names.ts";
import {
  addMember,
  countMembers,
  membersOf,
  recorded,
  removeMember,
  removeSlot,
  writeSlot,
} from "./slots.ts";
import type { PlatformExecution } from "./task.ts";

const DEFAULT_MAX_QUEUED = 50;
const AGENTS_DRAINED_AT_ONCE = 8;

/** The answer to a request for a slot; `gone` where the agent is not on the roster. */
export type Acquired =
  | { readonly kind: "acquired"; readonly timeoutSeconds: number }
  | { readonly kind: "full"; readonly timeoutSeconds: number }
  | { readonly kind: "gone" };

export interface Capacity {
  /** Takes a slot under that id: removes stale slots, counts the members, then makes the slot. */
  acquire(execution: PlatformExecution): Promise<Acquired>;
  /** Gives the slot back (ZREM, then DEL of the hash), then drains one row of the agent. */
  release(agent: string, executionId: string): Promise<void>;
  /** Turns a running row without a slot into a queued one; into a skipped one where the backlog is full. */
  enqueue(execution: PlatformExecution): Promise<void>;
  /** Claims the oldest queued row where a slot is free. A pull agent's rows are left to its workers. */
  drain(agent: string): Promise<void>;
  /** Removes all slots of an agent. */
  removeSlots(agent: string): Promise<void>;
  /**
   * Runs one sweep: fails rows that are queued for over 24 h, drains one row of every agent that has a backlog, then
   * writes the heartbeat.
   * @throws Error where a part of it failed; the heartbeat then keeps its old value
   */
  runMaintenance(): Promise<void>;
}

export interface CapacityOptions {
  /** Called with each execution that a drain has claimed: its row is running and it holds a slot. */
  readonly onClaimed: (execution: PlatformExecution, timeoutSeconds: number) => void;
  /** How many rows of one agent may be queued. */
  readonly maxQueued?: number;
}

type InTurn = <T>(agent: string, work: () => Promise<T>) => Promise<T>;

/** Makes a lock: the work for one key runs one after the other, in the order of the calls. */
function turns(): InTurn {
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

/** What the steps of a drain share. */
interface Manager {
  readonly context: PlatformContext;
  /** Counting and taking are two commands: in turn, two takers can't both see the last free slot. */
  readonly inTurn: InTurn;
  readonly onClaimed: CapacityOptions["onClaimed"];
}

const acquire = ({ context, inTurn }: Manager, execution: PlatformExecution): Promise<Acquired> =>
  inTurn(execution.agent, async () => {
    const limits = await limitsOf(context, execution.agent);
    if (!limits) return { kind: "gone" };
    const taken = await countMembers(context, execution.agent, limits.timeoutSeconds);
    const timeoutSeconds = execution.task.timeoutSeconds ?? limits.timeoutSeconds;
    if (taken >= limits.maxParallelTasks) return { kind: "full", timeoutSeconds };
    await writeSlot(context, execution, { timeoutSeconds, slotNumber: taken + 1 });
    return { kind: "acquired", timeoutSeconds };
  });

/** Holds a free slot for the next claim. Gives the sentinel and its number; null where no slot is free. */
const holdSentinel = ({ context, inTurn }: Manager, agent: string) =>
  inTurn(agent, async () => {
    const limits = await limitsOf(context, agent);
    if (!limits) return null;
    const taken = await countMembers(context, agent, limits.timeoutSeconds);
    if (taken >= limits.maxParallelTasks) return null;
    const sentinel = `${SENTINEL_PREFIX}${randomUUID()}`;
    await addMember(context, agent, sentinel);
    return { sentinel, slotNumber: taken + 1, timeoutSeconds: limits.timeoutSeconds };
  });

/** Puts the execution in the sentinel's place. Gives false where the sentinel, and with it the slot, is lost. */
const swap = (
  { context, inTurn }: Manager,
  execution: PlatformExecution,
  sentinel: string,
  slot: Parameters<typeof writeSlot>[2],
) =>
  inTurn(execution.agent, async () => {
    if ((await removeMember(context, execution.agent, sentinel)) === 0) return false;
    await writeSlot(context, execution, slot);
    return true;
  });

/** Claims one queued row where a slot is free. */
async function drain(manager: Manager, agent: string): Promise<void> {
  const { context, onClaimed } = manager;
  if (context.pullAgents.has(agent) || !(await oldestQueued(context, agent))) return;
  const held = await holdSentinel(manager, agent);
  if (!held) return;
  let claim: Claim | null = null;
  let hasSlot = false;
  try {
    claim = await claimOldest(context, agent);
    if (!claim) return;
    const { execution } = claim;
    const timeoutSeconds = execution.task.timeoutSeconds ?? held.timeoutSeconds;
    hasSlot = await swap(manager, execution, held.sentinel, {
      timeoutSeconds: context.bugs.drainUsesAgentTimeout ? held.timeoutSeconds : timeoutSeconds,
      slotNumber: held.slotNumber,
    });
    if (hasSlot) onClaimed(execution, timeoutSeconds);
  } finally {
    if (!hasSlot)
      await removeMember(context, agent, held.sentinel).finally(() => claim && putBack(context, claim));
  }
}

async function drainAll(manager: Manager): Promise<void> {
  const errors: unknown[] = [];
  await pMap(
    await agentsWithBacklog(manager.context),
    // One agent's broken key must not keep the others waiting.
    (agent) => drain(manager, agent).catch((error) => errors.push(error)),
    { concurrency: AGENTS_DRAINED_AT_ONCE },
  );
  if (errors.length > 0)
    throw new Error(
      `${plural(errors.length, "agent")} could not be drained, the first: ${messageOf(errors[0])}`,
    );
}

/** Writes the heartbeat. As on the platform, a failure is logged and never fatal. */
async function writeTick(context: PlatformContext): Promise<void> {
  const atSeconds = context.clock.now() / 1000;
  await recorded(
    context,
    () => context.redis.set(DRAIN_TICK_KEY, String(atSeconds)),
    () => ({ what: "drain tick", atSeconds }),
  ).catch((error) => context.log(`the drain heartbeat could not be written: ${messageOf(error)}`));
}

/** Takes the oldest chat turn without a slot off the list. It goes on all the same. */
const unlistOldestTurn = (context: PlatformContext, agent: string): Promise<string | null> =>
  recorded(
    context,
    () => context.redis.rpop(chatQueueKey(agent)),
    (turn) => turn !== null && { what: "turn unlisted", agent, turn },
  );

/** Makes the capacity manager, and writes the first heartbeat: a reader just after the start must not miss it. */
export async function createCapacity(
  context: PlatformContext,
  { onClaimed, maxQueued = DEFAULT_MAX_QUEUED }: CapacityOptions,
): Promise<Capacity> {
  const manager: Manager = { context, inTurn: turns(), onClaimed };
  await writeTick(context);
  return {
    acquire: (execution) => acquire(manager, execution),
    async release(agent, executionId) {
      await removeSlot(context, agent, executionId);
      await unlistOldestTurn(context, agent);
      await drain(manager, agent);
    },
    enqueue: (execution) => enqueueRow(context, execution, maxQueued),
    drain: (agent) => drain(manager, agent),
    removeSlots: (agent) =>
      manager.inTurn(agent, async () => {
        for (const { id } of await membersOf(context, agent)) await removeSlot(context, agent, id);
      }),
    async runMaintenance() {
      await failOverdue(context);
      await drainAll(manager);
      await writeTick(context);
    },
  };
}
