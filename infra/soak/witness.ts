/** Keeps the journal, and lets one wait for what it tells. */
import type { SoakEvent } from "./timeline.ts";

export interface Witness {
  readonly events: readonly SoakEvent[];
  record(event: SoakEvent): void;
  /**
   * Waits for the first event from now on of which the test is true.
   * @throws Error that names what did not happen in time
   */
  until(what: string, test: (event: SoakEvent) => boolean, withinMs?: number): Promise<SoakEvent>;
}

const PATIENCE_MS = 30_000;

export function newWitness(): Witness {
  const events: SoakEvent[] = [];
  const waiting = new Set<(event: SoakEvent) => void>();
  return {
    events,
    record(event) {
      events.push(event);
      for (const look of waiting) look(event);
    },
    until: (what, test, withinMs = PATIENCE_MS) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(look);
          reject(new Error(`${what}: not within ${withinMs / 1000} s`));
        }, withinMs);
        const look = (event: SoakEvent) => {
          if (!test(event)) return;
          clearTimeout(timer);
          waiting.delete(look);
          resolve(event);
        };
        waiting.add(look);
      }),
  };
}
