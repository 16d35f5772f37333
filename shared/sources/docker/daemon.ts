/** One daemon: the agents' containers that run on it, what their inspect says, and the zombies in each. */
import type Docker from "dockerode";
import { withDeadline } from "../../deadline.ts";
import { describeError, SourceError } from "../../errors.ts";
import { type ContainerProcesses, isReadableName, type RunningContainer } from "../../facts/facts.ts";
import { cut } from "../../text.ts";
import { parseTimestamp } from "../../time.ts";
import type { AgentLine } from "../source.ts";
import { connect, type DockerTls, NotADaemon } from "./connect.ts";
import { aroundRing, whereToGoOn } from "./order.ts";
import { ContainerGone, type Inspected, inspectRunning, processesOf, zombiePidsOf } from "./processes.ts";
import { NotReached, type Turns } from "./turns.ts";

const LABEL = "trinity.platform=agent";
const NAME_PREFIX = "agent-";
const MAX_NAME_IN_LINE = 100;
/** No daemon runs so many. Half a million, of a few bytes each, take seconds in which nothing else is read. */
const MAX_CONTAINERS = 10_000;
/** Pids of one container that are kept. */
export const MAX_ZOMBIES = 1_000;
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
  /** Looks at containers in their turn among those of all daemons. */
  readonly inTurn: Turns;
  /** Whether a command that is begun now can be expected to end in time. */
  readonly hasTimeForExec: () => boolean;
  /** Connections to one daemon. */
  readonly socketsOfOne: number;
}

/** Where the read of one daemon begins. */
export interface Begin {
  /** The place of the first container on the ring. */
  readonly from: number;
  /** Of daemons that wait for a turn the one with the lowest rank gets it. */
  readonly rank: number;
}

export interface UnseenContainer {
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
  /** Containers that were not looked at in time; they are among the unseen ones. */
  readonly notReached: number;
  /** Where the next read is to begin, and how many containers this one has looked at; null where it looked at all. */
  readonly unfinished: { readonly from: number; readonly looked: number } | null;
}

/** An ID is part of paths, and is remembered. Docker's has 64 hexadecimal digits. */
const hasId = (info: unknown): boolean => {
  const { Id } = Object(info) as { Id?: unknown };
  return typeof Id === "string" && /^\w{1,128}$/.test(Id);
};

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

/** Collects what is read of one daemon. */
class Reading {
  readonly running: RunningContainer[] = [];
  readonly uninspected: UnseenContainer[] = [];
  readonly processes: ContainerProcesses[] = [];
  readonly unlisted: UnseenContainer[] = [];
  readonly unavailable: AgentLine[] = [];
  readonly notReached: UnseenContainer[] = [];

  line(agent: string, text: string): void {
    this.unavailable.push({ agent, line: `docker.exec[${cut(agent, MAX_NAME_IN_LINE)}]: ${text}` });
  }
}

/**
 * Reads the containers of one daemon.
 * @throws where the containers can't be listed
 */
export async function readDaemon(host: string, read: ReadOfAll, { from, rank }: Begin): Promise<DaemonRead> {
  const { tls, deadlineMs, signal, softSignal, inTurn, socketsOfOne } = read;
  const { docker, close } = connect(host, tls, socketsOfOne);
  // Each request ends at its own deadline. This ends whatever is left at the last one.
  signal.addEventListener("abort", close, { once: true });
  try {
    const list = await withDeadline(
      deadlineMs,
      (abortSignal) => docker.listContainers({ filters: { label: [LABEL] }, abortSignal }),
      softSignal,
    );
    if (!Array.isArray(list) || !list.every(hasId)) throw new NotADaemon();
    if (list.length > MAX_CONTAINERS)
      throw new SourceError(`it lists ${list.length} containers, more than ${MAX_CONTAINERS}`);
    const named = list.flatMap((info) => {
      const agent = agentOf(info);
      return agent === null ? [] : [{ agent, containerId: info.Id }];
    });
    const ordered = aroundRing(named, ({ containerId }) => containerId, from);
    const reading = new Reading();
    const work = ordered.map((container) => () => readContainer({ docker, host, read, reading }, container));
    const begun = await inTurn(rank, work);
    const { running, uninspected, processes, unlisted, unavailable } = reading;
    const left = [...reading.notReached, ...ordered.slice(begun)];
    return {
      running,
      uninspected: [...uninspected, ...ordered.slice(begun)],
      processes,
      unlisted: [...unlisted, ...ordered.slice(begun)],
      nameless: list.length - named.length,
      unavailable,
      notReached: left.length,
      unfinished: whereToGoOn(ordered, new Set(left), ({ containerId }) => containerId),
    };
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}

interface OneDaemon {
  readonly docker: Docker;
  readonly host: string;
  readonly read: ReadOfAll;
  readonly reading: Reading;
}

/** Reads one container. @throws where not all of it could be read; the reading says so */
async function readContainer(
  { docker, host, read, reading }: OneDaemon,
  container: UnseenContainer,
): Promise<void> {
  const { agent, containerId } = container;
  const { wantsProcesses, deadlineMs, softSignal } = read;
  const handle = docker.getContainer(containerId);
  let inspected: Inspected | null = null;
  const beforeExec = () => {
    if (!read.hasTimeForExec()) throw new NotReached("the deadline left no time for its processes");
  };
  const look = async (signal: AbortSignal) => {
    inspected = await inspectRunning(handle, signal);
    if (!wantsProcesses) return;
    const { startedAt, execIds } = inspected;
    const pids = zombiePidsOf(await processesOf(docker, handle, execIds, beforeExec, signal));
    if (pids.length > MAX_ZOMBIES)
      reading.line(agent, `${pids.length} zombies: the first ${MAX_ZOMBIES} are looked at`);
    const zombiePids = pids.slice(0, MAX_ZOMBIES);
    reading.processes.push({ agent, containerId, daemon: host, startedAt, zombiePids });
  };
  try {
    await withDeadline(Math.floor(deadlineMs * EXEC_SHARE), look, softSignal);
    reading.running.push(asRunning(agent, containerId, inspected!));
  } catch (error) {
    if (error instanceof ContainerGone) return;
    reading.unlisted.push(container);
    if (inspected === null) reading.uninspected.push(container);
    else reading.running.push(asRunning(agent, containerId, inspected));
    // What the end of all reading cut may have needed a moment more. What took its own time is looked at when its turn comes.
    if (error instanceof NotReached || error === softSignal.reason) reading.notReached.push(container);
    else reading.line(agent, describeError(error));
    throw error;
  }
}
