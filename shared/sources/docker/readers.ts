/** Has readers read the daemons, a few each, side by side, and joins what they read. */
import { withDeadline } from "../../deadline.ts";
import { describeError } from "../../errors.ts";
import type { DaemonOutcome, ReadOptions } from "./read.ts";
import type { CallReader } from "./reader-call.ts";
import { outcomesIn } from "./reader-wire.ts";

/** A reader is to answer within this part of the deadline. */
const ANSWER_SHARE = 0.9;
/** What has not arrived by then is late: what other readers read is kept. */
const SOFT_SHARE = 0.97;

export interface ReadersOptions extends Omit<ReadOptions, "tls"> {
  readonly callReader: CallReader;
  /** How many daemons one reader reads, where no more readers are of use. */
  readonly daemonsEach: number;
}

/** Shares them out evenly. */
function groupsOf(hosts: readonly string[], daemonsEach: number, most = Infinity): string[][] {
  const count = Math.min(Math.ceil(hosts.length / daemonsEach), most);
  return Array.from({ length: count }, (_, n) => hosts.filter((_, i) => i % count === n));
}

/** Reads all of them. A reader that fails, or is late, is so many unread daemons. */
export async function readByReaders(options: ReadersOptions): Promise<readonly DaemonOutcome[]> {
  const { hosts, wanted, unfinished = [], deadlineMs, signal, callReader, daemonsEach } = options;
  const answer_by = Date.now() + deadlineMs * ANSWER_SHARE;
  const readGroup = async (group: readonly string[]): Promise<DaemonOutcome[]> => {
    const event = { read_docker: { hosts: group, wanted: [...wanted], unfinished, answer_by } };
    try {
      const waitMs = Math.floor(deadlineMs * SOFT_SHARE);
      const answer = await withDeadline(waitMs, (cut) => callReader.call(event, cut), signal);
      return outcomesIn(answer, group);
    } catch (error) {
      return group.map((host) => ({ host, unread: `its reader: ${describeError(error)}` }));
    }
  };
  const groups = groupsOf(hosts, daemonsEach, callReader.most);
  const read = new Map((await Promise.all(groups.map(readGroup))).flat().map((one) => [one.host, one]));
  return hosts.map((host) => read.get(host)!);
}
