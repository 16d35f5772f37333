/**
 * E-02's memory: which executions earlier cycles saw finished. They are in a journal, since two hours of a busy platform
 * are more than the memory's item holds. An execution that is red is pinned: it is remembered until it is seen otherwise.
 */
import { type EndedCursor, TERMINAL_STATUSES } from "../facts/facts.ts";
import type { Verdict } from "../verdict/evaluate.ts";
import { type Recollection, recollection } from "./recollection.ts";
import { asFact, hashOf, newEntries, type PinnedRun, packEntries, unpackEntries } from "./run-journal.ts";
import type { RunTable } from "./run-table.ts";

interface Part {
  /** Up to where ended rows were read; null before the first cycle. */
  readonly endedCursor: EndedCursor | null;
  readonly pinned: readonly PinnedRun[];
}

/** An execution is remembered for at least an hour after it was last read as finished; reads overlap by less than another. */
const KEPT_SECONDS = 2 * 3600;
/** So many are remembered through a pause of the canary. */
const MAX_PINNED = 5_000;

const isCursor = (stored: unknown): boolean => Number.isFinite(Object(stored).readAtMs);
const isPinned = (stored: unknown): boolean => {
  const { hash, status } = Object(stored) as { [F in keyof PinnedRun]: unknown };
  return typeof hash === "string" && TERMINAL_STATUSES.some((one) => one === status);
};

export const finishedRuns: Recollection = recollection<"finishedRuns", Part>({
  gives: "finishedRuns",
  initial: { endedCursor: null, pinned: [] },
  isPart: ({ endedCursor, pinned }) =>
    (endedCursor === null || isCursor(endedCursor)) && Array.isArray(pinned) && pinned.every(isPinned),
  journal: { name: "TERMINAL", keptSeconds: KEPT_SECONDS },
  since: ({ endedCursor }) => ({ ended: endedCursor }),
  // What is pinned is in the journal too.
  shrink: ({ endedCursor, pinned }) => ({ endedCursor, pinned: pinned.slice(0, MAX_PINNED) }),
  recall(part, journal) {
    if (part === null) return null;
    const table = unpackEntries(journal, part.pinned);
    return {
      fact: asFact(table),
      next({ readings: { ended }, verdicts, atMs }) {
        // E-02's. Others ask what was seen finished, too, but what they find is no run.
        const verdict = verdicts.find(({ invariant }) => invariant.reads.includes("ended"));
        // Where the database is not the platform's, what ended in the platform's is still to be read.
        const value = ended?.read && !verdict?.discreditedBy ? ended.value : null;
        const pinned = pinnedAfter(part.pinned, verdict, table);
        return {
          part: {
            endedCursor: value?.cursor ?? part.endedCursor,
            pinned: pinned.slice(0, MAX_PINNED),
          },
          entries: packEntries(newEntries(table, value?.rows ?? [], pinned, atMs)),
        };
      },
    };
  },
});

function pinnedAfter(
  before: Part["pinned"],
  verdict: Verdict | undefined,
  table: RunTable,
): readonly PinnedRun[] {
  if (!verdict || verdict.status === "unknown") return before;
  const kept = verdict.coverage.isWhole ? [] : before;
  const red = verdict.findings.flatMap((f) => f.keys.map((key) => hashOf(key)));
  const pinned = new Map(kept.map((p) => [p.hash, p]));
  for (const hash of red) {
    const known = table.get(hash);
    if (known) pinned.set(hash, { hash, status: known.status });
  }
  return [...pinned.values()];
}
