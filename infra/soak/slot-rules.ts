/** The rule of S-01 over the journal: a slot for each running row, and a row for each slot. */
import {
  countsAsSlot,
  inFlight,
  isFull,
  isFullFor,
  isMember,
  isPushed,
  isRunning,
  mapped,
  olderThan,
  ownCap,
} from "./conditions.ts";
import {
  ALWAYS,
  and,
  type Bounds,
  holds,
  moreThan,
  NEVER,
  not,
  or,
  type Register,
  touches,
} from "./intervals.ts";
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
  /** Bounds when that chat turn without a slot is healthy. */
  isExcused(turn: ExecutionTimeline): Bounds;
}

/** The slack around the instant at which a row was made, for what other runs were under way then. */
const AT_START_MS = 1_000;

/** Bounds when as many runs of the agent are under way, or hold a slot, as it may have. */
function isBusy(agent: AgentTimeline, { ceiling }: Timeline): Bounds {
  const runs = agent.executions.map((execution) => or(isRunning(execution), isMember(execution)));
  const reaches = (cap: Register<number>) =>
    moreThan(
      runs,
      mapped(cap, (slots) => slots - 1),
    );
  return or(reaches(ownCap(agent)), reaches(ceiling));
}

/**
 * Pairs the agent's chat turns, and bounds when those without a slot are healthy: its slots are full, and they are few. One
 * that found them full goes on when they are free again; whether it may have, a reader can only guess by the runs that were
 * under way then.
 */
function turnsOf(agent: AgentTimeline, timeline: Timeline): AgentsTurns {
  const pairing = pairingOf(agent.executions, slotHasNoRow, rowHasNoSlot);
  const turns = agent.executions.filter(({ isChatTurn }) => isChatTurn);
  if (turns.length === 0) return { ...pairing, isExcused: () => NEVER };
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
  const areExcused = and(isFullByBoth, areFew);
  const busy = isBusy(agent, timeline).possibly;
  return {
    ...pairing,
    isExcused({ status }) {
      const made = status.writes.find(({ value }) => value === "running");
      const mayHaveFoundNone =
        made && touches(busy, [made.sentAtMs - AT_START_MS, made.ackedAtMs + AT_START_MS]);
      return mayHaveFoundNone ? { possibly: ALWAYS.possibly, definitely: areExcused.definitely } : areExcused;
    },
  };
}

export interface SlotRules {
  /** Bounds when the slot of that id has no row, after its grace. */
  slotWithoutRow(execution: ExecutionTimeline): Bounds;
  /** Bounds when the row of that id has no slot, after its grace. */
  rowWithoutSlot(execution: ExecutionTimeline): Bounds;
}

/** Makes the rule for one agent. */
export function slotRulesOf(agent: AgentTimeline, timeline: Timeline): SlotRules {
  const { slotIsAlone, rowIsAlone, isExcused } = turnsOf(agent, timeline);
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
      return execution.isChatTurn ? and(broken, rowIsAlone(execution.id), not(isExcused(execution))) : broken;
    },
  };
}
