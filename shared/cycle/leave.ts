/** What the recollections leave to the next cycle. */
import type { Canary } from "../canary.ts";
import { partOf } from "../recall/recollection.ts";
import type { Lease } from "../store/lease.ts";
import type { Finished } from "./finished.ts";
import { beforeCommit } from "./lease.ts";
import type { Memory } from "./memory.ts";
import { stateLine } from "./state-line.ts";

/** For the writes that the commit waits for. */
const JOURNALS_MS = 10_000;

/**
 * Leaves to the next cycle what the recollections keep. One that was not asked, or whose journal could not be written, stays
 * as it was: the next cycle reads what is new once more.
 */
export async function leave(canary: Canary, lease: Lease, finished: Finished) {
  const { recollections, store } = canary;
  const { gathered, judged, startedAtMs, snapshotTime } = finished;
  const seen = { readings: gathered.readings, verdicts: judged, atMs: startedAtMs };
  const left = await Promise.all(
    recollections.map(async (recollection) => {
      const before = partOf(recollection, lease.memory.recall);
      const { part, entries } = gathered.recalled.get(recollection)?.next(seen) ?? {
        part: before,
        entries: [],
      };
      const { journal } = recollection;
      if (!journal || entries.length === 0) return { part, failures: [] };
      const append = (signal: AbortSignal) =>
        store.journals.append({ ...journal, entries }, snapshotTime, lease.version, startedAtMs, signal);
      try {
        await beforeCommit(canary, lease, append, JOURNALS_MS);
        return { part, failures: [] };
      } catch (error) {
        return {
          part: before,
          failures: [stateLine(canary, error, `the journal ${journal.name} was not written: `)],
        };
      }
    }),
  );
  return {
    recall: Object.assign({}, ...left.map(({ part }) => part)) as Memory["recall"],
    failures: left.flatMap(({ failures }) => failures),
  };
}
