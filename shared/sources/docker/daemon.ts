/** One daemon: the agents' containers that run on it, what their inspect says, and the zombies in each. */
import type Docker from "dockerode";
import pMap from "p-map";
import { withDeadline } from "../../deadline.ts";
import { describeError, SourceError } from "../../errors.ts";
import { type ContainerProcesses, isReadableName, type RunningContainer } from "../../facts/facts.ts";
import { cut } from "../../text.ts";
import { parseTimestamp } from "../../time.ts";
import type { AgentLine } from "../source.ts";
import { connect, type DockerTls } from "./connect.ts";
import { ContainerGone, type Inspected, inspectRunning, processesOf, zombiePidsOf } from "./processes.ts";

const LABEL = "trinity.platform=agent";
const NAME_PREFIX = "agent-";
const MAX_NAME_IN_LINE = 100;
/** Pids of one container that are kept. */
const MAX_ZOMBIES = 1_000;
const AT_ONCE = 16;
/** The process list of one container must arrive within this part of the source's deadline. */
const EXEC_SHARE = 0.5;

/** What is common to the daemons of one read. */
export interface ReadOfAll {
  /** Whether processes are listed too; left out, no command is run in a container. */
  readonly wantsProcesses: boolean;
  readonly tls: DockerTls;
  readonly deadlineMs: number;
  /** Aborted at the source's deadline. */
  readonly signal: AbortSignal;
  /** Aborted a little earlier, so that what was read by then is returned. */
  readonly softSignal: AbortSignal;
  /** Runs the work when its turn among the containers of all daemons comes. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
}

interface UnseenContainer {
  readonly agent: string;
  readonly containerId: string;
}

export interface DaemonRead {
  readonly running: readonly RunningContainer[];
  /** Containers that could not be inspected. */
  readonly uninspected: readonly UnseenContainer[];
  readonly processes: readonly ContainerProcesses[];
  /** Containers whose processes could not be listed. */
  readonly unlisted: readonly UnseenContainer[];
  /** Running containers without a readable name. */
  readonly nameless: number;
  /** Lines for the containers of which not all could be read. */
  readonly unavailable: readonly AgentLine[];
}

/** Gives null where the container has no name that can be read. */
function agentOf({ Id, Names }: Docker.ContainerInfo): string | null {
  // A linked container also has the names of its links, with a second slash.
  const own = Names?.find((name) => name.lastIndexOf("/") === 0) ?? Names?.[0] ?? Id;
  const name = own.replace(/^\//, "");
  if (!isReadableName(name)) return null;
  return name.startsWith(NAME_PREFIX) ? name.slice(NAME_PREFIX.length) : name;
}

const POOL_SIZE = /^\d{1,6}$/;

/** What the inspect says of the container's pull workers. */
function asRunning(agent: string, containerId: string, { startedAt, env }: Inspected): RunningContainer {
  const variable = (name: string) =>
    env.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
  const poolSize = variable("TRINITY_MAX_PARALLEL_TASKS");
  return {
    agent,
    containerId,
    startedAtMs: parseTimestamp(startedAt),
    isPullMode: variable("TRINITY_PULL_MODE").toLowerCase() === "true",
    poolSize: POOL_SIZE.test(poolSize) ? Number(poolSize) : null,
  };
}

/** Another order in each read: where time is short for all, it is not always the same containers that are left out. */
function shuffled<T>(list: readonly T[]): T[] {
  const order = list.map((item) => [Math.random(), item] as const);
  return order.sort(([a], [b]) => a - b).map(([, item]) => item);
}

/**
 * Reads the containers of one daemon.
 * @throws where the containers can't be listed
 */
export async function readDaemon(host: string, read: ReadOfAll): Promise<DaemonRead> {
  const { tls, deadlineMs, signal, softSignal, inTurn, wantsProcesses } = read;
  const running: RunningContainer[] = [];
  const uninspected: UnseenContainer[] = [];
  const processes: ContainerProcesses[] = [];
  const unlisted: UnseenContainer[] = [];
  const unavailable: AgentLine[] = [];
  let nameless = 0;
  const { docker, close } = connect(host, tls);
  // Each request ends at its own deadline. This ends whatever is left at the last one.
  signal.addEventListener("abort", close, { once: true });
  try {
    const list = await withDeadline(
      deadlineMs,
      (abortSignal) => docker.listContainers({ filters: { label: [LABEL] }, abortSignal }),
      softSignal,
    );
    if (!Array.isArray(list)) throw new SourceError("the answer is not that of a Docker daemon");
    await pMap(shuffled(list), readContainer, { concurrency: AT_ONCE });
    return { running, uninspected, processes, unlisted, nameless, unavailable };
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }

  async function readContainer(info: Docker.ContainerInfo): Promise<void> {
    const { Id: containerId } = info;
    const agent = agentOf(info);
    if (agent === null) {
      nameless += 1;
      return;
    }
    const line = (text: string) =>
      unavailable.push({ agent, line: `docker.exec[${cut(agent, MAX_NAME_IN_LINE)}]: ${text}` });
    const container = docker.getContainer(containerId);
    let inspected: Inspected | null = null;
    try {
      await inTurn(() =>
        withDeadline(
          Math.floor(deadlineMs * EXEC_SHARE),
          async (execSignal) => {
            inspected = await inspectRunning(container, execSignal);
            if (!wantsProcesses) return;
            const { startedAt, execIds } = inspected;
            const pids = zombiePidsOf(await processesOf(docker, container, execIds, execSignal));
            if (pids.length > MAX_ZOMBIES)
              line(`${pids.length} zombies: the first ${MAX_ZOMBIES} are looked at`);
            const zombiePids = pids.slice(0, MAX_ZOMBIES);
            processes.push({ agent, containerId, daemon: host, startedAt, zombiePids });
          },
          softSignal,
        ),
      );
    } catch (error) {
      if (error instanceof ContainerGone) return;
      unlisted.push({ agent, containerId });
      if (inspected === null) uninspected.push({ agent, containerId });
      line(describeError(error));
    }
    if (inspected !== null) running.push(asRunning(agent, containerId, inspected));
  }
}
