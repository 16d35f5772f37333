/** The processes in a container: by ps, or by /proc where the image has no usable ps. */
import type Docker from "dockerode";
import { describeError, SourceError } from "../../errors.ts";
import { NotADaemon } from "./connect.ts";
import { leftIn, output, StillRuns, statusOf } from "./execs.ts";

const PS = ["ps", "-eo", "stat,pid,comm"];
/** Shell built-ins only, for images without ps and cat. A process that ends while it is read is not a failure. */
const PROC = [
  "sh",
  "-c",
  'for f in /proc/[0-9]*/stat; do IFS= read -r l < "$f" && printf "%s\\n" "$l"; done 2>/dev/null; exit 0',
];
const TOOLS = [
  { args: PS, parse: parsePs },
  { args: PROC, parse: parseProcStat },
] as const;
/** A user without rights sees the processes of all, unless /proc is mounted with hidepid. */
const USERS = ["65534:65534", "0:0"] as const;

interface Process {
  readonly stat: string;
  readonly pid: number;
  readonly command: string;
}

/** The kernel gives no pid of more digits. */
const PID = "\\d{1,7}";
const PS_LINE = new RegExp(`^\\s*([A-Za-z]\\S*)\\s+(${PID})\\s+(.*\\S)\\s*$`);
const STAT_LINE = new RegExp(`^(${PID}) \\((.*)\\) ([A-Za-z]) `);

/** Parses the output of `ps -eo stat,pid,comm`. Returns no processes for any other output. */
function parsePs(text: string): Process[] {
  const [header = "", ...lines] = text.split("\n");
  if (!/^\s*STAT?\s+PID\s+COMM/i.test(header)) return [];
  return lines.flatMap((line) => {
    const [, stat, pid, command] = PS_LINE.exec(line) ?? [];
    return stat && pid && command ? [{ stat, pid: Number(pid), command }] : [];
  });
}

/** Parses lines of `/proc/[pid]/stat`: pid (command) state …; a command may hold spaces and brackets. */
function parseProcStat(text: string): Process[] {
  return text.split("\n").flatMap((line) => {
    const [, pid, command, stat] = STAT_LINE.exec(line) ?? [];
    return stat && pid && command !== undefined ? [{ stat, pid: Number(pid), command }] : [];
  });
}

/** Characters of the start of a container, which is remembered. Docker's has nanoseconds. */
const MAX_TIME = 50;

/** The pids of zombies named claude, each once. */
export const zombiePidsOf = (processes: readonly Process[]): number[] => {
  const zombies = processes.filter(({ stat, command }) => stat.startsWith("Z") && command.includes("claude"));
  return [...new Set(zombies.map(({ pid }) => pid))].sort((a, b) => a - b);
};

/** A container that was removed, or has stopped, since the list was made. */
export class ContainerGone extends Error {}

/** What an inspect says of a running container. */
export interface Inspected {
  /** When this start of it began, as Docker says it. */
  readonly startedAt: string;
  readonly execIds: readonly string[];
  /** Its environment, `NAME=value` each. */
  readonly env: readonly string[];
}

const areTexts = (list: unknown): list is readonly string[] =>
  Array.isArray(list) && list.every((text) => typeof text === "string");

/**
 * Reads what the container is doing, and what runs in it.
 * @throws ContainerGone where it no longer runs
 * @throws SourceError where it is paused or restarting
 */
export async function inspectRunning(
  container: Docker.Container,
  abortSignal: AbortSignal,
): Promise<Inspected> {
  const { State, ExecIDs, Config } = await container.inspect({ abortSignal }).catch((error) => {
    throw statusOf(error) === 404 ? new ContainerGone() : error;
  });
  if (typeof State?.StartedAt !== "string" || State.StartedAt.length > MAX_TIME) throw new NotADaemon();
  const [execIds, env] = [ExecIDs, Config?.Env].map((list: unknown) => list ?? []);
  if (!areTexts(execIds) || !areTexts(env)) throw new NotADaemon();
  if (!State.Running) throw new ContainerGone();
  if (State.Status !== "running") throw new SourceError(`the container is ${State.Status}`);
  return { startedAt: State.StartedAt, execIds, env };
}

/**
 * Lists the processes of a container.
 * @param execIds of its inspect
 * @param beforeExec called before each command; what it throws ends the list
 * @throws ContainerGone where it no longer runs
 * @throws SourceError where nothing gave the processes, or something that an earlier read started still runs
 */
export async function processesOf(
  docker: Docker,
  container: Docker.Container,
  execIds: readonly string[],
  beforeExec: () => void,
  signal: AbortSignal,
): Promise<readonly Process[]> {
  const lines = TOOLS.map(({ args }) => args);
  const unstarted = await leftIn(docker, execIds, lines, signal);
  const reasons = new Set<string>();
  for (const user of USERS)
    for (const { args, parse } of TOOLS) {
      beforeExec();
      try {
        const processes = parse(await output(docker, container, { args, user }, unstarted, signal));
        // Every container has a process 1: a list without it is not of all processes.
        if (processes.some(({ pid }) => pid === 1)) return processes;
        reasons.add(
          processes.length > 0 ? `${args[0]} did not list process 1` : `${args[0]} printed no process list`,
        );
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof StillRuns) throw error;
        // It may have been removed, stopped or paused a moment ago.
        if (statusOf(error) !== undefined) await inspectRunning(container, signal);
        reasons.add(describeError(error));
      }
    }
  throw new SourceError([...reasons].join("; "));
}
