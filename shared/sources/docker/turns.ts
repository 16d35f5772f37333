/** A bound on what runs at once, over all daemons. */
import { SourceError } from "../../errors.ts";

/**
 * Lets at most `most` pieces of work run at once; the others wait in the order in which they came.
 * @param isOver says whether it is too late to begin: work whose turn comes then is refused
 */
export function turns(most: number, isOver: () => boolean): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running < most) running += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      if (isOver()) throw new SourceError("not looked at: the deadline left no time for it");
      return await work();
    } finally {
      const next = waiting.shift();
      // The next one takes the place over.
      if (next) next();
      else running -= 1;
    }
  };
}
