/** One step of the alert machine: what changed in this cycle, and who is notified of it. Pure. */
import { type AlertPolicy, type Notice, notify } from "./notify.ts";
import { endedByRecovery, type Silence } from "./silence.ts";
import type { AlertState } from "./state.ts";
import { type CycleResult, type Transition, transition } from "./transition.ts";

export interface Advanced extends AlertState {
  readonly transitions: readonly Transition[];
  readonly notices: readonly Notice[];
  /** The silences that a recovery has ended: the commit removes them. */
  readonly endedSilences: readonly Silence[];
}

/**
 * @param prior what the last cycle left
 * @param silences may include ended ones
 */
export function advance(
  prior: AlertState,
  result: CycleResult,
  nowMs: number,
  policy: AlertPolicy,
  silences: readonly Silence[],
): Advanced {
  const { transitions, ...after } = transition(prior, result, nowMs, silences);
  return {
    transitions,
    endedSilences: endedByRecovery(silences, after.states),
    ...notify(prior, after, result, nowMs, policy, silences),
  };
}
