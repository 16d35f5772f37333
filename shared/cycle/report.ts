/** What a cycle answers and what it records, in wire names. Pure. */
import { severityOf, type Transition } from "../alerts/transition.ts";
import type { ViolationCount } from "../store/evidence.ts";
import { cut, MAX_LINE, plural } from "../text.ts";
import type { AnyFinding, Verdict } from "../verdict/evaluate.ts";
import { fitInto, MAX_ANSWER_BYTES } from "../wire/fit-into.ts";
import type { CycleRecord, CycleReport, FoundRecord } from "../wire/schemas/cycles.ts";
import type { ViolationRecord } from "../wire/schemas/violations.ts";
import { toTransitionRecords, toVerdictRecord, toViolation } from "../wire/serialize.ts";

/**
 * Violations that a cycle records and answers with; what is beyond is only counted. A partition of DynamoDB takes about a
 * thousand a second, and a cycle has some seconds for them.
 */
const MAX_VIOLATIONS = 2_000;
/** For the violations of an answer together, which leaves the rest of it some room. */
const VIOLATIONS_BYTES = 0.8 * MAX_ANSWER_BYTES;
/** Characters of what a cycle found of one invariant, in one line. */
const MAX_SUMMARY = 600;
/** Names in a list of a cycle's record, which must fit in an item. */
const MAX_LISTED = 50;
const MAX_SUBJECTS = 100;
const MAX_LINES = 500;

export type ViolationDraft = Omit<ViolationRecord, "id">;

/** The violations of a cycle that are recorded. Those of one invariant follow one another. */
export interface Drafts {
  readonly violations: readonly ViolationDraft[];
  /** What each of them is made of. */
  readonly findings: readonly AnyFinding[];
  /** How many there are, with those that are not recorded. */
  readonly total: number;
}

/** What is known of a cycle before its state is written. */
export interface CycleFacts {
  readonly snapshotTime: string;
  readonly checksRun: readonly string[];
  /** Why each invariant that was asked for was not run, by its id. */
  readonly checksOff: Readonly<Record<string, string>>;
  readonly sourcesUnavailable: readonly string[];
  readonly verdicts: readonly Verdict[];
}

type Redact = (line: string) => string;

/** Takes the lines once each; those beyond a number are only counted. */
export function distinctLines(lines: readonly string[]): string[] {
  const distinct = [...new Set(lines)];
  const left = distinct.length - MAX_LINES;
  return left > 0 ? [...distinct.slice(0, MAX_LINES), `and ${plural(left, "more line")}`] : distinct;
}

/** Drafts the violations of the verdicts, in their order: of each invariant the first, up to an equal share. */
export function draftViolations(verdicts: readonly Verdict[], snapshotTime: string): Drafts {
  const red = verdicts.filter(({ findings }) => findings.length > 0);
  const share = Math.floor(MAX_VIOLATIONS / Math.max(1, red.length));
  const drafted = red.flatMap((verdict) =>
    verdict.findings.slice(0, share).map((finding) => ({ verdict, finding })),
  );
  const bytes = VIOLATIONS_BYTES / Math.max(1, drafted.length);
  return {
    violations: drafted.map(({ verdict, finding }) =>
      fitInto(toViolation(verdict, finding, snapshotTime), bytes),
    ),
    findings: drafted.map(({ finding }) => finding),
    total: red.reduce((sum, { findings }) => sum + findings.length, 0),
  };
}

/** Counts the violations of the verdicts, by invariant and severity. */
export function countViolations(verdicts: readonly Verdict[]): ViolationCount[] {
  const counts = new Map<string, ViolationCount>();
  for (const verdict of verdicts)
    for (const finding of verdict.findings) {
      const [invariantId, severity] = [verdict.invariant.id, severityOf(verdict, finding)];
      const key = `${invariantId}/${severity}`;
      counts.set(key, { invariantId, severity, count: (counts.get(key)?.count ?? 0) + 1 });
    }
  return [...counts.values()];
}

/**
 * Makes the answer of a cycle, which is never larger than a function may answer.
 * @param ids of the violations, in their order; null where they have none
 */
export const toReport = (
  facts: CycleFacts,
  { violations, total }: Drafts,
  ids: readonly number[] | null,
  transitions: readonly Transition[],
  durationMs: number,
  redact: Redact,
): CycleReport =>
  fitInto(
    {
      snapshot_time: facts.snapshotTime,
      cycle_duration_ms: durationMs,
      checks_run: facts.checksRun,
      checks_off: Object.keys(facts.checksOff),
      checks_off_reasons: facts.checksOff,
      sources_unavailable: facts.sourcesUnavailable,
      violations: violations.map((draft, i) => ({ id: ids?.[i] ?? null, ...draft })),
      violations_total: total,
      ...toTransitionRecords(transitions),
      verdicts: Object.fromEntries(
        facts.verdicts.map((v) => {
          const record = toVerdictRecord(v);
          return [
            v.invariant.id,
            { ...record, reason: record.reason && cut(redact(record.reason), MAX_LINE) },
          ];
        }),
      ),
    },
    MAX_ANSWER_BYTES,
  );

/**
 * Says what was found of each invariant that has violations.
 * @param idOf the id of the violation that a finding became; undefined where it is not recorded
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
          first_violation_id: idOf(findings[0]!) ?? null,
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
  checks_off_reasons: report.checks_off_reasons,
  sources_unavailable: report.sources_unavailable.slice(0, MAX_LISTED),
  violation_count: report.violations_total,
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
