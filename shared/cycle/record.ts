/** What of a cycle is written down for people to read later. It never keeps the cycle from its commit. */
import type { Canary } from "../canary.ts";
import { withDeadline } from "../deadline.ts";
import type { Lease } from "../store/lease.ts";
import { dayOf, violationId } from "../store/table.ts";
import type { AnyFinding } from "../verdict/evaluate.ts";
import type { CycleReport } from "../wire/schemas.ts";
import { LAST_WRITE_MS } from "./deliver.ts";
import type { Finished } from "./finished.ts";
import { beforeCommit } from "./lease.ts";
import { countViolations, foundIn, toCycleRecord } from "./report.ts";
import { stateLine } from "./state-line.ts";
import { timed } from "./timed.ts";

/** Alerts name the ids, and so the commit waits for them. */
const RESERVE_MS = 5_000;
const WRITE_MS = 12_000;

/** The ids that the violations of a cycle get. */
export interface Reserved {
  /** In the order of the drafts; null where they could not be reserved, and the violations are not recorded. */
  readonly ids: readonly number[] | null;
  /** The id of the violation that a finding becomes; undefined where it is not recorded. */
  readonly idOf: (finding: AnyFinding) => number | undefined;
  readonly failures: readonly string[];
}

/** Counts the violations of a cycle and reserves the ids of those that are recorded. */
export async function reserveIds(canary: Canary, lease: Lease, finished: Finished): Promise<Reserved> {
  const { drafts, verdicts, gathered } = finished;
  if (drafts.total === 0) return { ids: [], idOf: () => undefined, failures: [] };
  const { takenAtMs } = gathered.snapshot;
  const day = dayOf(takenAtMs);
  const [counts, { length }] = [countViolations(verdicts), drafts.violations];
  try {
    const reserve = (signal: AbortSignal) =>
      canary.store.evidence.reserveIds(day, counts, length, takenAtMs, signal);
    const first = await beforeCommit(canary, lease, reserve, RESERVE_MS);
    const ids = drafts.violations.map((_, i) => violationId(day, first + i));
    const byFinding = new Map(drafts.findings.map((finding, i) => [finding, ids[i]]));
    return { ids, idOf: (finding) => byFinding.get(finding), failures: [] };
  } catch (error) {
    const failure = stateLine(canary, error, "the violations are not recorded: ");
    return { ids: null, idOf: () => undefined, failures: [failure] };
  }
}

/**
 * Writes the record of a cycle that has happened, within what time is left.
 * @returns a line for what could not be written
 */
export async function writeRecord(
  canary: Canary,
  { verdicts, drafts, request, startedAtMs }: Finished,
  report: CycleReport,
  { ids, idOf }: Reserved,
): Promise<string[]> {
  const timeLeftMs = Math.min(WRITE_MS, (request.timeLeftMs?.() ?? Infinity) - LAST_WRITE_MS);
  try {
    const evidence = {
      cycle: toCycleRecord(report, request.trigger, foundIn(verdicts, idOf, canary.redact)),
      violations: ids === null ? [] : drafts.violations.map((draft, i) => ({ id: ids[i]!, ...draft })),
      fullCycleAtMs: request.invariantIds ? null : startedAtMs,
    };
    const write = (signal: AbortSignal) => canary.store.evidence.write(evidence, startedAtMs, signal);
    await timed(canary, "evidence", () => withDeadline(Math.max(1, timeLeftMs), write));
    return [];
  } catch (error) {
    return [stateLine(canary, error, "the record of this cycle is not whole: ")];
  }
}
