/** What the recollections leave to the next cycle. */
import type { Canary } from "../canary.ts";
import { partOf, type Recollection } from "../recall/recollection.ts";
import type { Lease } from "../store/lease.ts";
import type { Finished } from "./finished.ts";
import { beforeCommit } from "./lease.ts";
import type { Memory } from "./memory.ts";
import { stateLine } from "./state-line.ts";

/** For the writes that the commit waits for. */
const JOURNALS_MS = 10_000;

/** What one recollection leaves. */
interface Left {
  readonly part: object;
  /** The keys of its journal's items; undefined where it has none, or not all of them are known. */
  readonly keys: readonly string[] | undefined;
  readonly failures: readonly string[];
}

/**
 * Leaves to the next cycle what the recollections keep. One that was not asked, or whose journal could not be written, stays
 * as it was: the next cycle reads what is new once more.
 */
export async function leave(canary: Canary, lease: Lease, finished: Finished) {
  const left = await Promise.all(
    canary.recollections.map(
      async (recollection) => [recollection, await leaveOne(canary, lease, finished, recollection)] as const,
    ),
  );
  const journals = left.flatMap(([{ journal }, { keys }]) => (journal && keys ? [[journal.name, keys]] : []));
  return {
    recall: Object.assign({}, ...left.map(([, { part }]) => part)) as Memory["recall"],
    journals: Object.fromEntries(journals) as NonNullable<Memory["journals"]>,
    failures: left.flatMap(([, { failures }]) => failures),
  };
}

async function leaveOne(
  canary: Canary,
  lease: Lease,
  { gathered, judged, startedAtMs, snapshotTime }: Finished,
  recollection: Recollection,
): Promise<Left> {
  const before = partOf(recollection, lease.memory.recall);
  const seen = { readings: gathered.readings, verdicts: judged, atMs: startedAtMs };
  const recalled = gathered.recalled.get(recollection);
  const { part, entries } = recalled?.next(seen) ?? { part: before, entries: [] };
  const { journal } = recollection;
  const keys = journal && (gathered.journals[journal.name] ?? lease.memory.journals?.[journal.name]);
  if (!journal || entries.length === 0) return { part, keys, failures: [] };
  // No other cycle has this name, whatever its clock says, and whether it commits or not.
  const cycle = `${snapshotTime}#${lease.version}.${lease.attempt}`;
  const append = (signal: AbortSignal) =>
    canary.store.journals.append({ ...journal, entries }, cycle, startedAtMs, signal);
  try {
    const added = await beforeCommit(canary, lease, append, JOURNALS_MS);
    return { part, keys: keys && [...keys, ...added], failures: [] };
  } catch (error) {
    // Some of it may be written all the same: without the keys, the next cycle looks.
    const failure = stateLine(canary, error, `the journal ${journal.name} was not written: `);
    return { part: before, keys: undefined, failures: [failure] };
  }
}
