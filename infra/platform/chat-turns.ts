/**
 * Chat turns: the slot first, under an id that is made for it alone, then the row under another id. Where no slot is
 * free, a turn goes on with a row and no slot, unless three are listed. Each release of a slot takes the oldest off the list,
 * whose turn goes on all the same.
 */
import { randomUUID } from "node:crypto";
import type { Background } from "./background.ts";
import type { Acquired, Capacity } from "./capacity.ts";
import type { PlatformContext } from "./context.ts";
import { insertRow } from "./execution-rows.ts";
import type { ChatKind } from "./journal.ts";
import { chatQueueKey } from "./names.ts";
import { type Run, work } from "./run.ts";
import { recorded } from "./slots.ts";
import { newTask, type PlatformExecution, type Task } from "./task.ts";

/** The delay between the slot of a turn and its row. */
const SLOT_TO_ROW_MS = 40;
const MOST_LISTED = 3;

export interface ChatTurn {
  readonly agent: string;
  readonly kind?: ChatKind;
  readonly task?: Partial<Task>;
  /** Default: to go on without a slot. */
  readonly whenFull?: "go on" | "refuse";
}

export interface StartedTurn {
  /** The id of its row. */
  readonly id: string;
  /** Whether it holds a slot. */
  readonly hasSlot: boolean;
  /** Fulfilled at its end, however it ends. */
  readonly ended: Promise<void>;
}

/**
 * Starts a turn.
 * @returns the turn once its row is there; null where the agent is not on the roster, or takes no more turns
 */
export type StartChatTurn = (turn: ChatTurn) => Promise<StartedTurn | null>;

/** Lists a turn that goes on without a slot. Gives false where three are listed. */
async function list(context: PlatformContext, agent: string, turn: string): Promise<boolean> {
  const key = chatQueueKey(agent);
  if ((await context.redis.llen(key)) >= MOST_LISTED) return false;
  await recorded(
    context,
    () => context.redis.lpush(key, turn),
    () => ({ what: "turn listed", agent, turn }),
  );
  return true;
}

interface Parts {
  readonly background: Background;
  readonly capacity: Capacity;
  readonly runOf: (execution: PlatformExecution, signal: AbortSignal) => Run;
}

/** What a turn holds: a slot, or a place in the list. Null where it got neither. */
async function admit(
  context: PlatformContext,
  capacity: Capacity,
  slot: PlatformExecution,
  whenFull: NonNullable<ChatTurn["whenFull"]>,
): Promise<Exclude<Acquired, { kind: "gone" }> | null> {
  const acquired = await capacity.acquire(slot);
  if (acquired.kind === "gone") return null;
  if (acquired.kind === "acquired") return acquired;
  return whenFull === "go on" && (await list(context, slot.agent, slot.id)) ? acquired : null;
}

export function createChatTurns(
  context: PlatformContext,
  { background, capacity, runOf }: Parts,
): StartChatTurn {
  async function course(
    slot: PlatformExecution,
    run: Run,
    { kind = "chat", whenFull = "go on" }: ChatTurn,
    onRow: (hasSlot: boolean) => void,
  ): Promise<void> {
    const { agent } = slot;
    const admitted = await admit(context, capacity, slot, whenFull);
    if (!admitted) return;
    const hasSlot = admitted.kind === "acquired";
    const giveBack = () => capacity.release(agent, slot.id);
    let hasRow = false;
    try {
      hasRow = await makeRow(run, kind);
    } finally {
      if (!hasRow && !run.stopping.aborted) await giveBack();
    }
    if (!hasRow) return;
    onRow(hasSlot);
    await work(run, admitted.timeoutSeconds, giveBack);
  }

  async function makeRow({ execution, signal }: Run, triggeredBy: ChatKind): Promise<boolean> {
    await context.clock.sleep(SLOT_TO_ROW_MS, signal);
    return insertRow(context, execution, { scheduleId: "__chat__", triggeredBy, by: "backend" });
  }

  return async (turn) => {
    const execution = { id: randomUUID(), agent: turn.agent, task: newTask(turn.task ?? {}) };
    const slot = { ...execution, id: randomUUID() };
    let onRow: (hasSlot: boolean | null) => void = () => {};
    const row = new Promise<boolean | null>((resolve) => {
      onRow = resolve;
    });
    const ended = background.start(execution.id, turn.agent, (signal) =>
      course(slot, runOf(execution, signal), turn, onRow),
    );
    void ended.then(() => onRow(null));
    const hasSlot = await row;
    return hasSlot === null ? null : { id: execution.id, hasSlot, ended };
  };
}
