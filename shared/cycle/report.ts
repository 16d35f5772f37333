/** What a cycle answers and what it records, in wire names. Pure. */
import type { Transition } from "../alerts/transition.ts";
import { cut } from "../text.ts";
import type { AnyFinding, Verdict } from "../verdict/evaluate.ts";
import type { CycleRecord, CycleReport, FoundRecord, ViolationRecord } from "../wire/schemas.ts";
import { toTransitionRecords, toVerdictRecord, toViolation } from "../wire/serialize.ts";

/** Characters of what a cycle found of one invariant, in one line. */
const MAX_SUMMARY = 600;
/** Names in a list of a cycle's record, which must fit in an item. */
const MAX_LISTED = 50;
const MAX_SUBJECTS = 100;

export type ViolationDraft = Omit<ViolationRecord, "id">;

/** What is known of a cycle before its state is written. */
export interface CycleFacts {
  readonly snapshotTime: string;
  readonly checksRun: readonly string[];
  readonly checksOff: readonly string[];
  readonly sourcesUnavailable: readonly string[];
  readonly verdicts: readonly Verdict[];
}

type Redact = (line: string) => string;

/** The violations of the verdicts, in their order. */
export const violationDrafts = (verdicts: readonly Verdict[], snapshotTime: string): ViolationDraft[] =>
  verdicts.flatMap((v) => v.findings.map((finding) => toViolation(v, finding, snapshotTime)));

/**
 * Makes the answer of a cycle.
 * @param drafts the violations
 * @param ids of the violations, in their order; null where the state could not be written
 */
export const toReport = (
  facts: CycleFacts,
  drafts: readonly ViolationDraft[],
  ids: readonly number[] | null,
  transitions: readonly Transition[],
  durationMs: number,
  redact: Redact,
): CycleReport => ({
  snapshot_time: facts.snapshotTime,
  cycle_duration_ms: durationMs,
  checks_run: facts.checksRun,
  checks_off: facts.checksOff,
  sources_unavailable: facts.sourcesUnavailable,
  violations: drafts.map((draft, i) => ({ id: ids?.[i] ?? null, ...draft })),
  ...toTransitionRecords(transitions),
  verdicts: Object.fromEntries(
    facts.verdicts.map((v) => {
      const record = toVerdictRecord(v);
      return [v.invariant.id, { ...record, reason: record.reason && redact(record.reason) }];
    }),
  ),
});

/**
 * Says what was found of each invariant that has violations.
 * @param idOf the id of the violation that a finding became
 */
export function foundIn(
  verdicts: readonly Verdict[],
  idOf: (finding: AnyFinding) => number | undefined,
  redact: Redact,
): Record<string, FoundRecord> {
  return Object.fromEntries(
    verdicts
      .filter(({ findings }) => findings.length > 0)
      .map(({ invariant, findings }) => [
        invariant.id,
        {
          violations: findings.length,
          first_violation_id: idOf(findings[0]!)!,
          summary: cut(redact(invariant.summarize(findings)), MAX_SUMMARY),
        },
      ]),
  );
}

/** Makes the record of a cycle. Lists are cut: the record is for reading later. */
export const toCycleRecord = (
  report: CycleReport,
  trigger: string,
  found: Record<string, FoundRecord>,
): CycleRecord => ({
  snapshot_time: report.snapshot_time,
  trigger,
  duration_ms: report.cycle_duration_ms,
  checks_run: report.checks_run,
  checks_off: report.checks_off,
  sources_unavailable: report.sources_unavailable.slice(0, MAX_LISTED),
  violation_count: report.violations.length,
  found,
  verdicts: Object.fromEntries(
    Object.entries(report.verdicts).map(([id, verdict]) => [
      id,
      { ...verdict, unseen: verdict.unseen.slice(0, MAX_LISTED) },
    ]),
  ),
  transitions: report.transitions,
  spreads: report.spreads.map((s) => ({ ...s, subjects: s.subjects.slice(0, MAX_SUBJECTS) })),
  recoveries: report.recoveries.map((r) => ({ ...r, subjects: r.subjects.slice(0, MAX_SUBJECTS) })),
});
