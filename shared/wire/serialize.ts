/** The crossing from TypeScript's names to those of the API, the log and the table: camelCase here, snake_case there. */

import type { Broke, Recovered, Spread, Transition } from "../alerts/transition.ts";
import { INVARIANTS } from "../invariants/index.ts";
import { formatInstant } from "../time.ts";
import { type AnyFinding, checkedCount, type Verdict } from "../verdict/evaluate.ts";
import type {
  RecoveryRecord,
  SpreadRecord,
  TransitionRecord,
  VerdictRecord,
  ViolationRecord,
} from "./schemas.ts";

const snakeCase = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** @returns the value with the names of all its fields in snake_case */
function toWire(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toWire);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [snakeCase(name), toWire(field)]));
}

const camelCase = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/**
 * The way back, for what reads records: one violation in a line.
 * @returns what its invariant says of it; the query that shows it, where the record is of a version that saw other fields
 */
export function explainViolation({ invariant_id, observed_state, signal_query }: ViolationRecord): string {
  const observed = Object.fromEntries(
    Object.entries(observed_state).map(([name, value]) => [camelCase(name), value]),
  );
  try {
    return INVARIANTS.find(({ id }) => id === invariant_id)?.explain(observed) ?? signal_query;
  } catch {
    return signal_query;
  }
}

/** @returns the violation as it is stored and served, but for its id */
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
    observed_state: { ...(toWire(finding.observed) as object), snapshot_time: snapshotTime },
    signal_query: finding.signalQuery,
  };
}

export function toVerdictRecord(verdict: Verdict): VerdictRecord {
  return {
    status: verdict.status,
    checked: checkedCount(verdict),
    unseen: [
      ...new Set(
        verdict.unseen.map(({ subject, key }) => (key === undefined ? subject : `${subject}/${key}`)),
      ),
    ].sort(),
    reason: verdict.reason,
  };
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

export function toTransitionRecords(transitions: readonly Transition[]): {
  transitions: TransitionRecord[];
  spreads: SpreadRecord[];
  recoveries: RecoveryRecord[];
} {
  const of = <K extends Transition["kind"]>(kind: K) =>
    transitions.filter((t): t is Extract<Transition, { kind: K }> => t.kind === kind);
  return {
    transitions: of("broke").map(toTransition),
    spreads: of("spread").map((t) => ({ ...toTransition(t), subjects: t.subjects })),
    recoveries: of("recovered").map(toRecovery),
  };
}
