/** Docker: the zombie processes named claude in every running agent container, on one or more daemons. */
import { setMaxListeners } from "node:events";
import type Docker from "dockerode";
import pMap from "p-map";
import { NONE, pem } from "../../config/source-variables.ts";
import type { Variable } from "../../config/variable.ts";
import { withDeadline } from "../../deadline.ts";
import { describeError, SourceError } from "../../errors.ts";
import type { ContainerProcesses } from "../../facts/facts.ts";
import type { Source, SourceSpec } from "../source.ts";
import { connect, type DockerTls } from "./connect.ts";
import { ContainerGone, processesOf, zombiePidsOf } from "./processes.ts";

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

interface DockerOptions {
  readonly tls: DockerTls;
  /** The whole source's deadline: containers that are not reached by then are unseen, those that were count. */
  readonly deadlineMs: number;
  /** Whether to read when a container with a zombie was started (R-01's dwell). */
  readonly withStart: boolean;
}

const LABEL = "trinity.platform=agent";
const NAME_PREFIX = "agent-";
const EXECS_AT_ONCE = 16;
/** The process list of one container must arrive within this part of the source's deadline. */
const EXEC_SHARE = 0.5;
/** Reading ends a little before the source's own deadline, so that what was read by then is kept. */
const SOFT_SHARE = 0.95;

function agentOf({ Id, Names }: Docker.ContainerInfo): string {
  // A linked container also has the names of its links, with a second slash.
  const own = Names.find((name) => name.lastIndexOf("/") === 0) ?? Names[0] ?? Id;
  const name = own.replace(/^\//, "");
  return name.startsWith(NAME_PREFIX) ? name.slice(NAME_PREFIX.length) : name;
}

async function readZombies(container: Docker.Container, withStart: boolean, signal: AbortSignal) {
  const zombiePids = zombiePidsOf(await processesOf(container, signal));
  const startedAt = withStart && zombiePids.length > 0 ? (await container.inspect()).State.StartedAt : null;
  return { zombiePids, startedAt };
}

/**
 * Reads the containers of one daemon.
 * @param signal cuts everything
 * @param softSignal ends the reading a little earlier, so that what was read by then is returned
 * @throws where the containers can't be listed
 */
async function readDaemon(
  host: string,
  { tls, deadlineMs, withStart }: DockerOptions,
  signal: AbortSignal,
  softSignal: AbortSignal,
) {
  const containers: ContainerProcesses[] = [];
  const unseenContainers: { agent: string; containerId: string }[] = [];
  const unseenDaemons: string[] = [];
  const unavailable: string[] = [];
  const { docker, close } = connect(host, tls);
  // Only closing its sockets really ends a request that was cut.
  signal.addEventListener("abort", close, { once: true });
  try {
    const list = await withDeadline(
      deadlineMs,
      () => docker.listContainers({ filters: { label: [LABEL] } }),
      softSignal,
    );
    if (!Array.isArray(list)) throw new SourceError("the answer is not that of a Docker daemon");
    await pMap(list, readContainer, { concurrency: EXECS_AT_ONCE });
    return { containers, unseenContainers, unseenDaemons, unavailable };
  } finally {
    close();
  }

  async function readContainer(info: Docker.ContainerInfo): Promise<void> {
    const { Id: containerId } = info;
    const agent = agentOf(info);
    try {
      softSignal.throwIfAborted();
      const container = docker.getContainer(containerId);
      const found = await withDeadline(
        Math.floor(deadlineMs * EXEC_SHARE),
        (execSignal) => readZombies(container, withStart, execSignal),
        softSignal,
      );
      containers.push({ agent, containerId, daemon: host, ...found });
    } catch (error) {
      if (error instanceof ContainerGone) return;
      unseenContainers.push({ agent, containerId });
      unavailable.push(`docker.exec[${agent}]: ${describeError(error)}`);
    }
  }
}

/** Makes the reader of the fact `zombies`. @param hosts `tcp://host:port` or `unix:///path`, one for each daemon */
function dockerReader(hosts: readonly string[], options: DockerOptions): Source["read"] {
  const failed = (host: string, error: unknown): Awaited<ReturnType<typeof readDaemon>> => {
    const where = hosts.length > 1 ? `docker[${host}]` : "docker";
    const unavailable = [`${where}: ${describeError(error)}`];
    return { containers: [], unseenContainers: [], unseenDaemons: [host], unavailable };
  };
  return async ({ signal, now }) => {
    const soft = new AbortController();
    // Every container that is read listens to it.
    setMaxListeners(0, soft.signal);
    const late = new SourceError(`no answer within ${options.deadlineMs} ms`);
    const timer = setTimeout(() => soft.abort(late), options.deadlineMs * SOFT_SHARE);
    const fromMs = now();
    const daemons = await Promise.all(
      hosts.map((host) =>
        readDaemon(host, options, signal, soft.signal).catch((error) => failed(host, error)),
      ),
    );
    clearTimeout(timer);
    const unavailable = daemons.flatMap((daemon) => daemon.unavailable);
    const value = {
      containers: daemons.flatMap(({ containers }) => containers),
      unseenContainers: daemons.flatMap(({ unseenContainers }) => unseenContainers),
      unseenDaemons: daemons.flatMap(({ unseenDaemons }) => unseenDaemons),
    };
    if (value.unseenDaemons.length === hosts.length)
      return { readings: { zombies: { read: false, reason: unavailable.join("; ") } }, unavailable };
    return { readings: { zombies: { read: true, value, time: { fromMs, toMs: now() } } }, unavailable };
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
  gives: ["zombies"],
  variables: DOCKER,
  check({ hosts, cert, key }, problem) {
    if (hosts === null || hosts === NONE || (cert === null) === (key === null)) return;
    const missing = cert === null ? DOCKER.cert : DOCKER.key;
    problem(`${missing.name} is missing: a client certificate needs its key, and a key its certificate`);
  },
  configure({ hosts, ...certificates }, { cycle }) {
    if (hosts === null) return "not configured";
    if (hosts === NONE) return "off";
    return dockerReader(hosts, {
      tls: dockerTls(certificates),
      deadlineMs: cycle.sourceDeadlineMs,
      withStart: cycle.dwellSeconds > 0,
    });
  },
} as const satisfies SourceSpec<typeof DOCKER>;
