/** From what was read to verdicts, with a new red read again before it counts. */
import { wasRedIn } from "../alerts/state.ts";
import { withStillRed } from "../alerts/still-red.ts";
import type { Canary } from "../canary.ts";
import { type Invariant, offWithOf } from "../invariants/invariant.ts";
import { cut, MAX_LINE } from "../text.ts";
import { confirmed, needConfirmation } from "../verdict/confirm.ts";
import { evaluate, factsOf, type Verdict, withoutDiscredited } from "../verdict/evaluate.ts";
import type { Gathered } from "./gather.ts";
import type { Memory } from "./memory.ts";
import { timed } from "./timed.ts";

export interface Judged {
  readonly verdicts: readonly Verdict[];
  /** Lines for what could not be read when a red was read again. */
  readonly unavailable: readonly string[];
  /** Lines for what was read and is no check's to judge. */
  readonly notes: readonly string[];
}

/**
 * Evaluates each invariant. A new red of facts that were not read at one instant is read again after the confirmation
 * delay, and once more at once. The third read is needed: the first can catch a run at its start, and the second at its
 * next start or its end.
 */
export async function judge(
  canary: Pick<Canary, "sources" | "settings" | "sleep" | "checks" | "redact" | "onStep">,
  invariants: readonly Invariant[],
  { readings, readAgain }: Gathered,
  memory: Memory,
): Promise<Judged> {
  const { settings, sleep } = canary;
  const wasRed = wasRedIn(memory.states);
  let unavailable: readonly string[] = [];
  let verdicts = timed(canary, "evaluate", () => invariants.map((i) => evaluate(i, readings)));
  for (const waitMs of [settings.confirmAfterMs, 0]) {
    const doubtful = needConfirmation(verdicts, wasRed);
    if (doubtful.length === 0) break;
    await timed(canary, "confirm", async () => {
      if (waitMs > 0) await sleep(waitMs);
      const again = await readAgain(factsOf(doubtful.map((v) => v.invariant)));
      verdicts = verdicts.map((v) => (doubtful.includes(v) ? confirmed(v, again.readings, wasRed) : v));
      unavailable = unavailable.concat(again.unavailable);
    });
  }
  verdicts = withoutDiscredited(verdicts, readings, runHere(canary), (invariant) => {
    const verdict = verdicts.find((v) => v.invariant.id === invariant.id);
    if (verdict?.isInDoubt) return true;
    // One that was red, and was not asked for or could not be judged, is as red as before.
    if (verdict === undefined || verdict.status === "unknown")
      return memory.states[invariant.id]?.status === "red";
    return withStillRed(verdict, memory.states[invariant.id]).status === "red";
  });
  const notes = verdicts.flatMap((v) => v.notes ?? []).map((note) => cut(canary.redact(note), MAX_LINE));
  return { verdicts, unavailable, notes };
}

/** The invariants that a full cycle runs. One that is not run says nothing of a source, red as it may have been. */
function runHere({ checks: { all, off }, sources }: Pick<Canary, "checks" | "sources">): Invariant[] {
  const leftOut = new Set(
    sources.flatMap((source) => ("absent" in source && source.absent === "off" ? source.gives : [])),
  );
  return all.filter(
    (invariant) => !off.has(invariant.id) && !offWithOf(invariant).some((fact) => leftOut.has(fact)),
  );
}
