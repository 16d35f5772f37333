/** What follows from the row of a run, for checks and for the statements that read it. Pure. */
import type { Execution } from "./facts.ts";

/** What starts a chat turn. Its slot has an id of its own: nothing links slot and row but the agent and the time. */
export const CHAT_TRIGGERS: readonly string[] = ["chat", "mcp", "agent"];

/** Whether the row may be that of a chat turn, by what started it. */
export const isChatTurn = ({ triggeredBy }: Pick<Execution, "triggeredBy">): boolean =>
  triggeredBy !== null && CHAT_TRIGGERS.includes(triggeredBy);

/**
 * Gives when the platform took the run in, unix ms; null where that can't be read. A run that waited, in the queue or for its
 * dispatch, has a later started_at, and queued_at keeps this instant.
 */
export const admittedAtMs = ({
  queuedAtMs,
  startedAtMs,
}: Pick<Execution, "queuedAtMs" | "startedAtMs">): number | null => queuedAtMs ?? startedAtMs;
