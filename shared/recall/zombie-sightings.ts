/** R-01's memory: when each zombie was first seen. Nothing is kept where no dwell is asked for. */
import { type Zombies, zombieKey } from "../facts/facts.ts";
import { type Recollection, recollection } from "./recollection.ts";

interface Part {
  /** When each zombie was first seen (unix ms), by `zombieKey`. */
  readonly zombieSightings: Readonly<Record<string, number>>;
}

/** More zombies than this are not told apart: those that are remembered make R-01 red. */
const MAX_SIGHTINGS = 1_000;

const NONE: Part = { zombieSightings: {} };

/** @param dwellSeconds how long the same zombie has to be there before it counts */
export const zombieSightings = (dwellSeconds: number): Recollection =>
  recollection<"zombieSightings", Part>({
    gives: "zombieSightings",
    initial: NONE,
    recall(part, _journal) {
      // Without a dwell nobody asks how long a zombie has been there, and the memory is not needed.
      if (part === null && dwellSeconds > 0) return null;
      const before = part?.zombieSightings ?? {};
      return {
        fact: { dwellSeconds, firstSeenMs: new Map(Object.entries(before)) },
        next({ readings: { zombies } }) {
          if (dwellSeconds === 0) return { part: NONE, entries: [] };
          const after = zombies?.read ? sightingsAfter(before, zombies.value, zombies.time.fromMs) : before;
          return { part: { zombieSightings: after }, entries: [] };
        },
      };
    },
    shrink: () => NONE,
  });

/** The zombies that are there now, and those that could not be looked at, each with when it was first seen. */
function sightingsAfter(
  before: Part["zombieSightings"],
  { containers, unseenContainers, unseenDaemons }: Zombies,
  atMs: number,
): Part["zombieSightings"] {
  const unseen = new Set(unseenContainers.map((c) => c.containerId));
  const kept = Object.entries(before).filter(
    ([key]) => unseenDaemons.length > 0 || unseen.has(key.slice(0, key.indexOf("/"))),
  );
  const seen = containers.flatMap((container) =>
    container.zombiePids.map((pid) => {
      const key = zombieKey(container, pid);
      return [key, before[key] ?? atMs] as const;
    }),
  );
  return Object.fromEntries([...kept, ...seen].slice(0, MAX_SIGHTINGS));
}
