/** What of a cycle is written down for people to read later. It never keeps the cycle from its commit. */
import type { Canary } from "../canary.ts";
import { withDeadline } from "../deadline.ts";
import type { Evidence } from "../store/evidence.ts";
import type { Lease } from "../store/lease.ts";
import { dayOf, violationId } from "../store/table.ts";
import type { AnyFinding } from "../verdict/evaluate.ts";
import type { CycleReport } from "../wire/schemas/cycles.ts";
import { LAST_WRITE_MS } from "./deliver.ts";
import { type EpisodePlan, episodesToWrite } from "./episodes.ts";
import type { Finished } from "./finished.ts";
import { latestSizes } from "./latest.ts";
import { beforeCommit } from "./lease.ts";
import type { Memory } from "./memory.ts";
import { countViolations, foundIn, toCycleRecord } from "./report.ts";
import { stateLine } from "./state-line.ts";
import { countRed } from "./tally.ts";
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

/** What was decided before the commit, and the memory as it was committed. */
export interface Decided {
  readonly reserved: Reserved;
  readonly plan: EpisodePlan;
  readonly written: Memory;
}

/**
 * Writes the record of a cycle that has happened, within what time is left.
 * @returns a line for what could not be written
 */
export async function writeRecord(
  canary: Canary,
  finished: Finished,
  report: CycleReport,
  decided: Decided,
): Promise<string[]> {
  const { request, startedAtMs } = finished;
  const timeLeftMs = Math.min(WRITE_MS, (request.timeLeftMs?.() ?? Infinity) - LAST_WRITE_MS);
  const write = async (signal: AbortSignal) => {
    const evidence = evidenceOf(canary, finished, report, decided);
    const written = await Promise.allSettled([
      canary.store.evidence.write(evidence, startedAtMs, signal),
      writeEpisodes(canary, finished, decided, signal),
    ]);
    for (const one of written) if (one.status === "rejected") throw one.reason;
  };
  try {
    await timed(canary, "evidence", () => withDeadline(Math.max(1, timeLeftMs), write));
    return [];
  } catch (error) {
    return [stateLine(canary, error, "the record of this cycle is not whole: ")];
  }
}

function evidenceOf(
  canary: Canary,
  { verdicts, drafts, request, startedAtMs, gathered }: Finished,
  report: CycleReport,
  { reserved: { ids, idOf }, plan }: Decided,
): Evidence {
  const isFull = !request.invariantIds;
  const record = toCycleRecord(report, request.trigger, foundIn(verdicts, idOf, canary.redact));
  const seen = {
    source_latency_ms: gathered.snapshot.latencyMsBySource,
    red_subjects: countRed(plan.states),
  };
  return {
    cycle: { ...record, is_full: isFull, ...(isFull && seen) },
    violations: ids === null ? [] : drafts.violations.map((draft, i) => ({ id: ids[i]!, ...draft })),
    fullCycleAtMs: isFull ? startedAtMs : null,
  };
}

/** Writes what was seen, which keeps the sights of episodes without an item, and then the episodes, which may be many. */
async function writeEpisodes(
  { store, redact }: Canary,
  finished: Finished,
  { reserved: { idOf }, plan, written }: Decided,
  signal: AbortSignal,
): Promise<void> {
  const { request, startedAtMs } = finished;
  const episodes = episodesToWrite(plan, finished, written, idOf);
  if (!request.invariantIds)
    await store.latest.write(latestSizes(finished, plan, idOf, redact), startedAtMs, signal);
  if (episodes.length > 0) await store.episodes.write(episodes, startedAtMs, signal);
}
