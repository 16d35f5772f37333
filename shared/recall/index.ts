/** The registry of recollections. */
import { finishedRuns } from "./finished-runs.ts";
import { newestSlotSeen } from "./newest-slot.ts";
import type { Recollection } from "./recollection.ts";
import { rosterDoubtSince } from "./roster-doubt.ts";
import { zombieSightings } from "./zombie-sightings.ts";

/** @param dwellSeconds how long a zombie has to be there before it counts */
export const recollectionsOf = ({ dwellSeconds }: { readonly dwellSeconds: number }): Recollection[] => [
  finishedRuns,
  zombieSightings(dwellSeconds),
  rosterDoubtSince,
  newestSlotSeen,
];
