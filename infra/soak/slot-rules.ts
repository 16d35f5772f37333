/** The rule of S-01 over the journal: a slot for each running row, and a row for each slot. */
import {
  countsAsSlot,
  inFlight,
  isFull,
  isFullFor,
  isMember,
  isPushed,
  olderThan,
  ownCap,
} from "./conditions.ts";
import { ALWAYS, and, type Bounds, holds, moreThan, NEVER, not } from "./intervals.ts";
import { type Pairing, pairingOf } from "./pairing.ts";
import type { AgentTimeline, ExecutionTimeline, Timeline } from "./timeline.ts";

/** A run without a session is being dispatched for as long. */
const DISPATCH_MS = 60_000;
const MOST_TURNS_WITHOUT_SLOT = 3;

const slotHasNoRow = (execution: ExecutionTimeline): Bounds =>
  and(countsAsSlot(execution), not(isPushed(execution)));

const rowHasNoSlot = (execution: ExecutionTimeline): Bounds =>
  and(isPushed(execution), not(isMember(execution)));

/** What the rule needs to know of all of an agent's runs. */
interface AgentsTurns extends Pairing {
  /** Bounds when a chat turn without a slot is healthy. */
  readonly areExcused: Bounds;
}

/** Pairs the agent's chat turns, and bounds when those without a slot are healthy: its slots are full, and they are few. */
function turnsOf(agent: AgentTimeline, timeline: Timeline): AgentsTurns {
  const pairing = pairingOf(agent.executions, slotHasNoRow, rowHasNoSlot);
  const turns = agent.executions.filter(({ isChatTurn }) => isChatTurn);
  if (turns.length === 0) return { ...pairing, areExcused: NEVER };
  const areTooMany = moreThan(
    turns.map((turn) => and(rowHasNoSlot(turn), pairing.rowIsAlone(turn.id))),
    { initial: MOST_TURNS_WITHOUT_SLOT, writes: [] },
  );
  // The cap is the agent's own or the smaller one: where the two differ, either answer is right.
  const isFullByBoth: Bounds = {
    possibly: isFull(agent, timeline).possibly,
    definitely: isFullFor(agent, ownCap(agent)).definitely,
  };
  // Of more than three, nothing says which are too many.
  const areFew: Bounds = { possibly: ALWAYS.possibly, definitely: not(areTooMany).definitely };
  return { ...pairing, areExcused: and(isFullByBoth, areFew) };
}

export interface SlotRules {
  /** Bounds when the slot of that id has no row, after its grace. */
  slotWithoutRow(execution: ExecutionTimeline): Bounds;
  /** Bounds when the row of that id has no slot, after its grace. */
  rowWithoutSlot(execution: ExecutionTimeline): Bounds;
}

/** Makes the rule for one agent. */
export function slotRulesOf(agent: AgentTimeline, timeline: Timeline): SlotRules {
  const { slotIsAlone, rowIsAlone, areExcused } = turnsOf(agent, timeline);
  return {
    slotWithoutRow(execution) {
      const isOld = holds(execution.slot, (score) => (score === null ? NEVER : not(inFlight(score))));
      return and(slotHasNoRow(execution), slotIsAlone(execution.id), isOld);
    },
    rowWithoutSlot(execution) {
      const isOld = holds(execution.startedAtMs, (atMs) => {
        if (atMs === null) return ALWAYS;
        return holds(execution.session, (has) =>
          has ? not(inFlight(atMs)) : olderThan(atMs, DISPATCH_MS - 1_000),
        );
      });
      const broken = and(rowHasNoSlot(execution), isOld);
      return execution.isChatTurn ? and(broken, rowIsAlone(execution.id), not(areExcused)) : broken;
    },
  };
}
