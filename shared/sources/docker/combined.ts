/** Makes the readings of what the daemons gave. */
import type { FactName, ReadingTime, UnfinishedDaemon } from "../../facts/facts.ts";
import { plural } from "../../text.ts";
import { firstLines } from "../lines.ts";
import type { SourceResult } from "../source.ts";
import { daemonKey } from "./order.ts";
import type { DaemonOutcome, UnreadDaemon } from "./read.ts";

interface CombineOptions {
  readonly wanted: ReadonlySet<FactName>;
  /** What the last read left. */
  readonly unfinished: readonly UnfinishedDaemon[] | undefined;
  readonly time: ReadingTime;
}

/**
 * Says where the next read begins. Daemons of which the fewest were looked at lead, and of equals those that have waited
 * longest. What could not be read now keeps its place.
 */
function unfinishedAfter(
  daemons: readonly DaemonOutcome[],
  before: readonly UnfinishedDaemon[] = [],
): readonly UnfinishedDaemon[] {
  const waited = new Map(before.map(({ daemon, from }, rank) => [daemon, { from, rank }]));
  const left = daemons.flatMap((daemon) => {
    const key = daemonKey(daemon.host);
    const rank = waited.get(key)?.rank ?? before.length;
    if (!("unread" in daemon)) return daemon.unfinished ? [{ daemon: key, rank, ...daemon.unfinished }] : [];
    const from = waited.get(key)?.from;
    return from === undefined ? [] : [{ daemon: key, rank, from, looked: 0 }];
  });
  return left
    .sort((a, b) => a.looked - b.looked || a.rank - b.rank)
    .map(({ daemon, from }) => ({ daemon, from }));
}

/** A line for each daemon that was not read. Where there is no other, it needs no name. */
function linesOf(unread: readonly UnreadDaemon[], daemons: number): string[] {
  const nameOf = ({ host }: UnreadDaemon) => (daemons > 1 ? `docker[${host}]` : "docker");
  return [
    ...firstLines(
      "docker",
      unread.map((daemon) => `${nameOf(daemon)}: ${daemon.unread}`),
    ),
  ];
}

/**
 * Makes the readings.
 * @param daemons one outcome for each
 */
export function combined(
  daemons: readonly DaemonOutcome[],
  { wanted, unfinished: before, time }: CombineOptions,
): SourceResult {
  const seen = daemons.filter((daemon) => "running" in daemon);
  const unread = daemons.filter((daemon) => "unread" in daemon);
  const unavailable = linesOf(unread, daemons.length);
  if (seen.length === 0) {
    const reading = { read: false, reason: unavailable.join("; ") } as const;
    return { readings: { containers: reading, zombies: reading }, unavailable };
  }
  const unseenDaemons = unread.map(({ host }) => host);
  const containers = {
    running: seen.flatMap(({ running }) => running),
    unseenContainers: seen.flatMap(({ uninspected }) => uninspected),
    unseenDaemons,
  };
  const unfinished = unfinishedAfter(daemons, before);
  const zombies = {
    containers: seen.flatMap(({ processes }) => processes),
    unseenContainers: seen.flatMap(({ unlisted }) => unlisted),
    unseenDaemons,
    ...(unfinished.length > 0 && { unfinished }),
  };
  const sum = (count: (daemon: (typeof seen)[number]) => number) =>
    seen.reduce((total, daemon) => total + count(daemon), 0);
  const notReached = sum((daemon) => daemon.notReached);
  if (notReached > 0)
    unavailable.push(
      `docker.exec: ${plural(notReached, "container")} not looked at in time: the next cycle begins with them`,
    );
  const nameless = sum((daemon) => daemon.nameless);
  const unlisted = `docker.names: ${plural(nameless, "running container")} without a readable name`;
  if (nameless > 0) unavailable.push(unlisted);
  const how = { read: true, time, ...(nameless > 0 && { unlisted }) } as const;
  return {
    readings: {
      containers: { ...how, value: containers },
      ...(wanted.has("zombies") && { zombies: { ...how, value: zombies } }),
    },
    unavailable,
    unavailableByAgent: seen.flatMap((daemon) => daemon.unavailable),
  };
}
