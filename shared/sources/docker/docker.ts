/** Docker: the running agent containers, and the zombie processes named claude in each, on one or more daemons. */

import { setMaxListeners } from "node:events";
import { NONE, pem } from "../../config/source-variables.ts";
import type { Variable } from "../../config/variable.ts";
import { describeError, placed, placeOf, SourceError } from "../../errors.ts";
import type { FactName, ReadingTime } from "../../facts/facts.ts";
import { plural } from "../../text.ts";
import type { Source, SourceResult, SourceSpec } from "../source.ts";
import type { DockerTls } from "./connect.ts";
import { type DaemonRead, readDaemon } from "./daemon.ts";
import { turns } from "./turns.ts";

function isAddress(host: string): boolean {
  const [, port] = /^tcp:\/\/[^/\s@]+:(\d{1,5})\/?$/.exec(host) ?? [];
  return /^unix:\/\/\/\S+$/.test(host) || (Number(port) >= 1 && Number(port) <= 65_535);
}

const hosts: Variable<readonly string[] | typeof NONE | null> = {
  name: "DOCKER_HOSTS",
  meaning: "one or more daemons, separated by commas: `tcp://host:port` (always TLS) or `unix:///path`",
  fallback: null,
  parse(text, { problem }) {
    if (text === NONE) return NONE;
    const named = text
      .split(",")
      .map((host) => host.trim())
      .filter(Boolean);
    if (named.length === 0) problem("names no daemon: give tcp://host:port or unix:///path");
    for (const host of named.filter((host) => !isAddress(host)))
      problem(
        `has ${JSON.stringify(host.replace(/\/\/.*@/, "//…@"))}: give tcp://host:port (TLS) or unix:///path, separated by commas, or "${NONE}" to leave Docker out on purpose`,
      );
    return named;
  },
  format: (value) => (typeof value === "string" ? value : value?.join(",")),
};

const DOCKER = {
  hosts,
  ca: pem(
    "DOCKER_TLS_CA",
    "the CA that the daemons' certificates are checked against: a PEM, or the path of a file. The system's CAs where it is not set",
  ),
  cert: pem("DOCKER_TLS_CERT", "the client certificate: a PEM, or the path of a file"),
  key: pem("DOCKER_TLS_KEY", "its key: a PEM, or the path of a file"),
};

/** Containers that are looked at together, over all daemons: each takes a socket, and a function has 1,024 at most. */
const AT_ONCE = 64;
/** No container is begun in the last part of the deadline: what was begun there would be cut. */
const BEGIN_SHARE = 0.85;
/** Reading ends a little before the source's own deadline, so that what was read by then is kept. */
const SOFT_SHARE = 0.95;

/**
 * Makes the reader of the facts `containers` and `zombies`.
 * @param hosts `tcp://host:port` or `unix:///path`, one for each daemon
 * @param deadlineMs the whole source's deadline: containers that are not reached by then are unseen, those that were count
 */
function dockerReader(hosts: readonly string[], tls: DockerTls, deadlineMs: number): Source["read"] {
  return async ({ signal, now, wanted }) => {
    const soft = new AbortController();
    // Every container that is read listens to it.
    setMaxListeners(0, soft.signal);
    const late = new SourceError(`no answer within ${deadlineMs} ms`);
    const timer = setTimeout(() => soft.abort(late), deadlineMs * SOFT_SHARE);
    const beginUntilMs = performance.now() + deadlineMs * BEGIN_SHARE;
    const read = {
      wantsProcesses: wanted.has("zombies"),
      tls,
      deadlineMs,
      signal,
      softSignal: soft.signal,
      inTurn: turns(AT_ONCE, () => performance.now() > beginUntilMs),
    };
    const fromMs = now();
    const daemons = await Promise.all(
      hosts.map((host) =>
        readDaemon(host, read).catch((error: unknown): UnreadDaemon => {
          const where = hosts.length > 1 ? `docker[${host}]` : "docker";
          const why = placed(describeError(error), placeOf(host, DOCKER.hosts.name));
          return { unread: host, why: `${where}: ${why}` };
        }),
      ),
    );
    clearTimeout(timer);
    return combined(daemons, wanted, { fromMs, toMs: now() });
  };
}

interface UnreadDaemon {
  readonly unread: string;
  /** A line that says why. */
  readonly why: string;
}

/** Makes the readings of what the daemons gave. */
function combined(
  daemons: readonly (DaemonRead | UnreadDaemon)[],
  wanted: ReadonlySet<FactName>,
  time: ReadingTime,
): SourceResult {
  const seen = daemons.filter((daemon) => "running" in daemon);
  const unread = daemons.filter((daemon) => "unread" in daemon);
  const unavailable = unread.map(({ why }) => why);
  if (seen.length === 0) {
    const reading = { read: false, reason: unavailable.join("; ") } as const;
    return { readings: { containers: reading, zombies: reading }, unavailable };
  }
  const unseenDaemons = unread.map((daemon) => daemon.unread);
  const containers = {
    running: seen.flatMap(({ running }) => running),
    unseenContainers: seen.flatMap(({ uninspected }) => uninspected),
    unseenDaemons,
  };
  const zombies = {
    containers: seen.flatMap(({ processes }) => processes),
    unseenContainers: seen.flatMap(({ unlisted }) => unlisted),
    unseenDaemons,
  };
  const nameless = seen.reduce((count, daemon) => count + daemon.nameless, 0);
  const unlisted = `docker.names: ${plural(nameless, "running container")} without a readable name`;
  const how = { read: true, time, ...(nameless > 0 && { unlisted }) } as const;
  return {
    readings: {
      containers: { ...how, value: containers },
      ...(wanted.has("zombies") && { zombies: { ...how, value: zombies } }),
    },
    unavailable: nameless > 0 ? [...unavailable, unlisted] : unavailable,
    unavailableByAgent: seen.flatMap((daemon) => daemon.unavailable),
  };
}

/** Leaves out the certificates that are not named. */
export const dockerTls = ({ ca, cert, key }: { [K in "ca" | "cert" | "key"]: string | null }): DockerTls => ({
  ...(ca && { ca }),
  ...(cert && { cert }),
  ...(key && { key }),
});

export const docker = {
  name: "docker",
  gives: ["zombies", "containers"],
  variables: DOCKER,
  place: ({ hosts }) =>
    Array.isArray(hosts) && hosts.length === 1 ? placeOf(hosts[0]!, DOCKER.hosts.name) : null,
  check({ hosts, cert, key }, problem) {
    if (hosts === null || hosts === NONE || (cert === null) === (key === null)) return;
    const missing = cert === null ? DOCKER.cert : DOCKER.key;
    problem(`${missing.name} is missing: a client certificate needs its key, and a key its certificate`);
  },
  configure({ hosts, ...certificates }, { cycle }) {
    if (hosts === null) return "not configured";
    if (hosts === NONE) return "off";
    return dockerReader(hosts, dockerTls(certificates), cycle.sourceDeadlineMs);
  },
} as const satisfies SourceSpec<typeof DOCKER>;
