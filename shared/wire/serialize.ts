/** Converts verdicts and transitions to records, in the names of the API, the log and the table (snake_case). */
import type { Broke, Recovered, Spread, Transition } from "../alerts/transition.ts";
import { seenCount } from "../facts/coverage.ts";
import { findInvariant } from "../invariants/index.ts";
import { formatInstant } from "../time.ts";
import type { AnyFinding, Verdict } from "../verdict/evaluate.ts";
import type { RecoveryRecord, TransitionRecord, VerdictRecord } from "./schemas/cycles.ts";
import type { ViolationRecord } from "./schemas/violations.ts";

/**
 * Describes a recorded violation in one line, in the words of its invariant. A record of a version with other fields is
 * described by its signal query.
 */
export function explainViolation({ invariant_id, observed_state, signal_query }: ViolationRecord): string {
  try {
    return findInvariant(invariant_id)?.explain(observed_state) ?? signal_query;
  } catch {
    return signal_query;
  }
}

/**
 * Writes a number as it can be stored and shown: a whole number that JSON and DynamoDB keep exactly, any other as text.
 */
const exact = (value: unknown): unknown =>
  typeof value !== "number" || Number.isSafeInteger(value) ? value : String(value);

/** Makes the record of a violation, without its id. */
export function toViolation(
  verdict: Verdict,
  finding: AnyFinding,
  snapshotTime: string,
): Omit<ViolationRecord, "id"> {
  const { id, tier, severity } = verdict.invariant;
  return {
    invariant_id: id,
    tier,
    severity: finding.severity ?? severity,
    subject: finding.subject,
    snapshot_time: snapshotTime,
    observed_state: {
      ...Object.fromEntries(Object.entries(finding.observed).map(([name, value]) => [name, exact(value)])),
      snapshot_time: snapshotTime,
    },
    signal_query: finding.signalQuery,
  };
}

export function toVerdictRecord(verdict: Verdict): VerdictRecord {
  const { status, coverage, reason } = verdict;
  const unseen = coverage.unseen.map(({ subject, key }) =>
    key === undefined ? subject : `${subject}/${key}`,
  );
  return { status, checked: seenCount(coverage), unseen: [...new Set(unseen)].sort(), reason };
}

const toTransition = (t: Broke | Spread): TransitionRecord => ({
  invariant_id: t.invariantId,
  severity: t.severity,
  violations_in_cycle: t.violationsInCycle,
  previous_violation_at: t.previousViolationAtMs === null ? null : formatInstant(t.previousViolationAtMs),
  silenced: t.silenced,
});
const toRecovery = (t: Recovered): RecoveryRecord => ({
  invariant_id: t.invariantId,
  severity: t.severity,
  subjects: t.subjects,
  red_since: formatInstant(t.redSinceMs),
  silenced: t.silenced,
});

export function toTransitionRecords(transitions: readonly Transition[]) {
  const of = <K extends Transition["kind"]>(kind: K) =>
    transitions.filter((t): t is Extract<Transition, { kind: K }> => t.kind === kind);
  return {
    transitions: of("broke").map(toTransition),
    spreads: of("spread").map((t) => ({ ...toTransition(t), subjects: t.subjects })),
    recoveries: of("recovered").map(toRecovery),
  };
}
