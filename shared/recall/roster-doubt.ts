/** H-01's memory: since when the roster has been in doubt. A roster that is read while it is being restored is no alarm. */
import { rosterDoubt } from "../facts/trust.ts";
import { type Recollection, recollection } from "./recollection.ts";

interface Part {
  /** Unix ms; null where the last cycle had no doubt. */
  readonly rosterDoubtSinceMs: number | null;
}

const NONE: Part = { rosterDoubtSinceMs: null };

export const rosterDoubtSince: Recollection = recollection<"rosterDoubtSince", Part>({
  gives: "rosterDoubtSince",
  initial: NONE,
  isPart: ({ rosterDoubtSinceMs }) => rosterDoubtSinceMs === null || Number.isFinite(rosterDoubtSinceMs),
  recall(part) {
    if (part === null) return null;
    return {
      fact: part.rosterDoubtSinceMs,
      next({ readings, atMs }) {
        const doubt = rosterDoubt(readings);
        // A text: it can't be told in this cycle.
        if (typeof doubt === "string") return { part, entries: [] };
        const sinceMs = doubt === null ? null : (part.rosterDoubtSinceMs ?? atMs);
        return { part: { rosterDoubtSinceMs: sinceMs }, entries: [] };
      },
    };
  },
});
