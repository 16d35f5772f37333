/** Courses that go on in the background, such as runs: each can be interrupted, and all are stopped together. */
import { setMaxListeners } from "node:events";
import { messageOf, type PlatformContext } from "./context.ts";

/** The reasons that a course's signal is aborted with. */
export const CANCELLED = new Error("the run was cancelled");
export const STOPPED = new Error("the platform was stopped");

export interface Background {
  /** Aborted where the platform stops. */
  readonly stopping: AbortSignal;
  /**
   * Starts a course under a signal of its own. A failure is logged: it must not end the process.
   * @param id names it for `interrupt`
   * @returns a promise that is fulfilled at its end, however it ends
   */
  start(id: string, agent: string, course: (signal: AbortSignal) => Promise<void>): Promise<void>;
  /** Aborts the courses with these ids, as cancelled. */
  interrupt(ids: Iterable<string>): void;
  /** Stops every course at once, and waits until no write is in progress. */
  stop(): Promise<void>;
}

export function createBackground({ log }: Pick<PlatformContext, "log">): Background {
  const controllers = new Map<string, Set<AbortController>>();
  const work = new Set<Promise<void>>();
  const stopping = new AbortController();
  // Every course listens to it, so that many listeners are no leak.
  setMaxListeners(0, stopping.signal);

  const abort = (of: Iterable<AbortController>, reason: Error) => {
    for (const controller of of) controller.abort(reason);
  };
  return {
    stopping: stopping.signal,
    start(id, agent, course) {
      if (stopping.signal.aborted) return Promise.resolve();
      const controller = new AbortController();
      const { signal } = controller;
      const ofId = controllers.get(id) ?? new Set();
      controllers.set(id, ofId.add(controller));
      const done = course(signal)
        .catch((error) => {
          if (!signal.aborted) log(`execution ${id} of ${agent}: ${messageOf(error)}`);
        })
        .finally(() => {
          work.delete(done);
          ofId.delete(controller);
          if (ofId.size === 0) controllers.delete(id);
        });
      work.add(done);
      return done;
    },
    interrupt(ids) {
      for (const id of ids) abort(controllers.get(id) ?? [], CANCELLED);
    },
    async stop() {
      stopping.abort(STOPPED);
      for (const ofId of [...controllers.values()]) abort(ofId, STOPPED);
      while (work.size > 0) await Promise.all(work);
    },
  };
}
