/** Docker: the zombie processes named claude in every running agent container, on one or more daemons. */
import { setMaxListeners } from "node:events";
import type Docker from "dockerode";
import pMap from "p-map";
import { NONE } from "../../config/source-variables.ts";
import { withDeadline } from "../../deadline.ts";
import { describeError, SourceError } from "../../errors.ts";
import type { ContainerProcesses, Zombies } from "../../facts/facts.ts";
import type { ReadContext, Source, SourceResult } from "../source.ts";
import { sourceSpec } from "../spec.ts";
import { connect, type DockerTls } from "./connect.ts";
import { ContainerGone, processesOf, zombiePidsOf } from "./processes.ts";
import { DOCKER } from "./variables.ts";

export interface DockerOptions {
  /** `tcp://host:port` (always TLS) or `unix:///path`, one for each daemon. */
  readonly hosts: readonly string[];
  readonly tls: DockerTls;
  /** Time for the process list of one container, in ms. */
  readonly execDeadlineMs: number;
  /** The whole source's deadline in ms: containers not reached by then are unseen, those that were count. */
  readonly deadlineMs: number;
  /** Whether to read when a container with a zombie was started (R-01's dwell). */
  readonly withStart: boolean;
}

const LABEL = "trinity.platform=agent";
const NAME_PREFIX = "agent-";
const EXECS_AT_ONCE = 16;
/** The process list of one container has to come within this part of the source's deadline. */
const EXEC_SHARE = 0.5;
/** A little before the source's own deadline, so that what was read by then is kept. */
const SOFT_SHARE = 0.95;

/** What one daemon gave. */
interface Daemon {
  readonly containers: ContainerProcesses[];
  readonly unseen: { agent: string; containerId: string }[];
  readonly unavailable: string[];
}

function agentOf({ Id, Names }: Docker.ContainerInfo): string {
  // A linked container has the names of its links too, with a second slash.
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
 * @param softSignal ends the reading a little earlier, so that what was read by then is given
 * @throws where the containers can't be listed
 */
async function readDaemon(
  host: string,
  { tls, deadlineMs, execDeadlineMs, withStart }: DockerOptions,
  signal: AbortSignal,
  softSignal: AbortSignal,
): Promise<Daemon> {
  const daemon: Daemon = { containers: [], unseen: [], unavailable: [] };
  const { docker, close } = connect(host, tls);
  // Closing its sockets is what really ends a request that was cut.
  signal.addEventListener("abort", close, { once: true });
  try {
    const list = await withDeadline(
      deadlineMs,
      () => docker.listContainers({ filters: { label: [LABEL] } }),
      softSignal,
    );
    if (!Array.isArray(list)) throw new SourceError("the answer is not that of a Docker daemon");
    await pMap(list, readContainer, { concurrency: EXECS_AT_ONCE });
    return daemon;
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
        execDeadlineMs,
        (execSignal) => readZombies(container, withStart, execSignal),
        softSignal,
      );
      daemon.containers.push({ agent, containerId, daemon: host, ...found });
    } catch (error) {
      if (error instanceof ContainerGone) return;
      daemon.unseen.push({ agent, containerId });
      daemon.unavailable.push(`docker.exec[${agent}]: ${describeError(error)}`);
    }
  }
}

/** Joins what the daemons gave. */
function joined(
  hosts: readonly string[],
  results: readonly PromiseSettledResult<Daemon>[],
): { value: Zombies | null; unavailable: string[] } {
  const unavailable: string[] = [];
  const unseenDaemons: string[] = [];
  for (const [i, result] of results.entries()) {
    if (result.status === "fulfilled") {
      unavailable.push(...result.value.unavailable);
      continue;
    }
    unseenDaemons.push(hosts[i]!);
    const where = hosts.length > 1 ? `docker[${hosts[i]}]` : "docker";
    unavailable.push(`${where}: ${describeError(result.reason)}`);
  }
  const read = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  if (read.length === 0) return { value: null, unavailable };
  const value = {
    containers: read.flatMap(({ containers }) => containers),
    unseenContainers: read.flatMap(({ unseen }) => unseen),
    unseenDaemons,
  };
  return { value, unavailable };
}

/** Makes the reader of the fact `zombies`. */
export function dockerReader(options: DockerOptions): Source["read"] {
  const { hosts, deadlineMs } = options;
  return async ({ signal, now }: ReadContext): Promise<SourceResult> => {
    const soft = new AbortController();
    // Every container that is looked at listens to it.
    setMaxListeners(0, soft.signal);
    const late = new SourceError(`no answer within ${deadlineMs} ms`);
    const timer = setTimeout(() => soft.abort(late), deadlineMs * SOFT_SHARE);
    const fromMs = now();
    const results = await Promise.allSettled(
      hosts.map((host) => readDaemon(host, options, signal, soft.signal)),
    );
    clearTimeout(timer);
    const { value, unavailable } = joined(hosts, results);
    if (value === null)
      return { readings: { zombies: { read: false, reason: unavailable.join("; ") } }, unavailable };
    return { readings: { zombies: { read: true, value, time: { fromMs, toMs: now() } } }, unavailable };
  };
}

/** The certificates that are named. */
export const dockerTls = ({ ca, cert, key }: { [K in "ca" | "cert" | "key"]: string | null }): DockerTls => ({
  ...(ca && { ca }),
  ...(cert && { cert }),
  ...(key && { key }),
});

export const docker = sourceSpec({
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
    return dockerReader({
      hosts,
      tls: dockerTls(certificates),
      execDeadlineMs: Math.floor(cycle.sourceDeadlineMs * EXEC_SHARE),
      deadlineMs: cycle.sourceDeadlineMs,
      withStart: cycle.dwellSeconds > 0,
    });
  },
});
