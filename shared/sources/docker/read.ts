/** Reads daemons from this process, all at once. */
import { setMaxListeners } from "node:events";
import pMap from "p-map";
import { describeError, placed, placeOf, SourceError } from "../../errors.ts";
import type { FactName, UnfinishedDaemon } from "../../facts/facts.ts";
import type { DockerTls } from "./connect.ts";
import { type DaemonRead, type ReadOfAll, readDaemon } from "./daemon.ts";
import { planOf } from "./order.ts";
import { turns } from "./turns.ts";

/** Containers that are looked at together, over all daemons. */
const AT_ONCE = 64;
const AT_ONCE_OF_ONE = 16;
/** Connections that are open together, over all daemons: a function has 1,024 descriptors, for all that it does. */
const MAX_SOCKETS = 256;
/** Reading ends a little before the source's own deadline, so that what was read by then is kept. */
const SOFT_SHARE = 0.95;
/** No container is begun where less of the deadline is left until then: what was begun there would be cut. */
const BEGIN_SHARE = 0.1;
/** The same for a command in a container that was begun. */
const EXEC_SHARE = 0.05;

export interface ReadOptions {
  readonly hosts: readonly string[];
  readonly tls: DockerTls;
  /** The facts that are to be read. */
  readonly wanted: ReadonlySet<FactName>;
  /** What the last read left. */
  readonly unfinished: readonly UnfinishedDaemon[] | undefined;
  /** Containers that are not reached by then are unseen, those that were count. */
  readonly deadlineMs: number;
  /** Aborted at the deadline. */
  readonly signal: AbortSignal;
}

/** A daemon whose containers could not be listed. */
export interface UnreadDaemon {
  readonly host: string;
  /** Why. */
  readonly unread: string;
}

export type DaemonOutcome = (DaemonRead & { readonly host: string }) | UnreadDaemon;

/** Reads all of them. A daemon that can't be read is an outcome. */
export async function readDaemons(options: ReadOptions): Promise<readonly DaemonOutcome[]> {
  const { hosts, tls, wanted, unfinished, deadlineMs, signal } = options;
  const soft = new AbortController();
  // Every container that is read listens to it.
  setMaxListeners(0, soft.signal, signal);
  const softMs = deadlineMs * SOFT_SHARE;
  const untilMs = performance.now() + softMs;
  const late = new SourceError(`no answer within ${deadlineMs} ms`);
  const timer = setTimeout(() => soft.abort(late), softMs);
  const leftMs = () => untilMs - performance.now();
  const socketsOfOne = Math.min(AT_ONCE_OF_ONE, Math.max(1, Math.floor(MAX_SOCKETS / hosts.length)));
  const leastMs = deadlineMs * BEGIN_SHARE;
  const read: ReadOfAll = {
    wantsProcesses: wanted.has("zombies"),
    tls,
    deadlineMs,
    signal,
    softSignal: soft.signal,
    inTurn: turns({ most: AT_ONCE, mostOfOne: socketsOfOne, leastMs, leftMs }),
    hasTimeForExec: () => leftMs() > deadlineMs * EXEC_SHARE,
    socketsOfOne,
  };
  const beginOf = planOf(unfinished);
  const readOne = async (host: string): Promise<DaemonOutcome> => {
    try {
      return { host, ...(await readDaemon(host, read, beginOf(host))) };
    } catch (error) {
      return { host, unread: placed(describeError(error), placeOf(host, "DOCKER_HOSTS")) };
    }
  };
  try {
    return await pMap(hosts, readOne, { concurrency: MAX_SOCKETS });
  } finally {
    clearTimeout(timer);
  }
}
