/**
 * R-01's memory: when each zombie was first seen, where a dwell is asked for; and the daemons on which the time did not
 * suffice for all containers, with where the next read of them begins.
 */
import { type UnfinishedDaemon, type Zombies, zombieKey } from "../facts/facts.ts";
import { type Recollection, recollection } from "./recollection.ts";

interface Part {
  /** When each zombie was first seen (unix ms), by `zombieKey`. */
  readonly zombieSightings: Readonly<Record<string, number>>;
  /** When the first of those was seen that had no place here. */
  readonly otherZombiesSinceMs: number | null;
  /** Undefined where all containers were looked at. */
  readonly unfinishedDaemons: readonly UnfinishedDaemon[] | undefined;
}

/** Zombies beyond this number have one age together. */
const MAX_SIGHTINGS = 1_000;

/** Daemons beyond this number are begun anywhere. */
const MAX_UNFINISHED = 1_000;

const NONE: Part = { zombieSightings: {}, otherZombiesSinceMs: null, unfinishedDaemons: undefined };

const isUnfinished = (stored: unknown): boolean => {
  const { daemon, from } = Object(stored) as { [F in keyof UnfinishedDaemon]: unknown };
  return typeof daemon === "string" && Number.isFinite(from);
};

/** @param dwellSeconds how long the same zombie has to be there before it counts */
export const zombieSightings = (dwellSeconds: number): Recollection =>
  recollection<"zombieSightings", Part>({
    gives: "zombieSightings",
    initial: NONE,
    isPart: ({ zombieSightings, otherZombiesSinceMs, unfinishedDaemons }) =>
      Object.values(Object(zombieSightings)).every(Number.isFinite) &&
      (otherZombiesSinceMs === null || Number.isFinite(otherZombiesSinceMs)) &&
      (unfinishedDaemons === undefined ||
        (Array.isArray(unfinishedDaemons) && unfinishedDaemons.every(isUnfinished))),
    since: ({ unfinishedDaemons }) => ({ unfinishedDaemons }),
    recall(part, _journal) {
      // Without a dwell nobody asks how long a zombie has been there, and the memory is not needed.
      if (part === null && dwellSeconds > 0) return null;
      const before = part ?? NONE;
      return {
        fact: {
          dwellSeconds,
          firstSeenMs: new Map(Object.entries(before.zombieSightings)),
          othersSinceMs: before.otherZombiesSinceMs,
        },
        next({ readings: { zombies } }) {
          const { unfinishedDaemons } = before;
          if (!zombies?.read)
            return { part: dwellSeconds === 0 ? { ...NONE, unfinishedDaemons } : before, entries: [] };
          const { unfinished = [] } = zombies.value;
          const part = {
            ...(dwellSeconds === 0 ? NONE : sightingsAfter(before, zombies.value, zombies.time.fromMs)),
            unfinishedDaemons: unfinished.length === 0 ? undefined : unfinished.slice(0, MAX_UNFINISHED),
          };
          return { part, entries: [] };
        },
      };
    },
    // The age of a forgotten zombie would start again at zero, and its red would turn green. So one age is kept for all.
    shrink({ zombieSightings, otherZombiesSinceMs }) {
      const ages = Object.values(zombieSightings);
      const oldest = ages.reduce((least, ms) => Math.min(least, ms), otherZombiesSinceMs ?? Infinity);
      return { ...NONE, otherZombiesSinceMs: Number.isFinite(oldest) ? oldest : null };
    },
  });

/** The zombies that are there now, and those that could not be looked at, each with when it was first seen. */
function sightingsAfter(
  { zombieSightings: before, otherZombiesSinceMs }: Part,
  { containers, unseenContainers, unseenDaemons }: Zombies,
  atMs: number,
): Omit<Part, "unfinishedDaemons"> {
  const unseen = new Set(unseenContainers.map((c) => c.containerId));
  const isBlind = unseenDaemons.length > 0;
  const looked = new Set(containers.map((c) => c.containerId));
  // Of a container that was looked at, a zombie that was not found is gone, whatever else could not be looked at.
  const kept = Object.entries(before).filter(([key]) => {
    const container = key.slice(0, key.indexOf("/"));
    return unseen.has(container) || (isBlind && !looked.has(container));
  });
  const seen = containers.flatMap((container) =>
    container.zombiePids.map((pid) => {
      const key = zombieKey(container, pid);
      return [key, before[key] ?? otherZombiesSinceMs ?? atMs] as const;
    }),
  );
  const all = [...kept, ...seen];
  const left = all.length > MAX_SIGHTINGS || isBlind || unseen.size > 0;
  return {
    zombieSightings: Object.fromEntries(all.slice(0, MAX_SIGHTINGS)),
    // Those in containers that could not be looked at are still without a place.
    otherZombiesSinceMs: left ? (otherZombiesSinceMs ?? (all.length > MAX_SIGHTINGS ? atMs : null)) : null,
  };
}
