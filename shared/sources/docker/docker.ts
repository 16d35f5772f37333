/** Docker: the zombie processes named claude in every running agent container, on one or more daemons. */

import { setMaxListeners } from "node:events";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { inspect } from "node:util";
import Docker from "dockerode";
import pMap from "p-map";
import { withDeadline } from "../../deadline.ts";
import { describeError, SourceError } from "../../errors.ts";
import type { ContainerProcesses, Zombies } from "../../facts/facts.ts";
import type { ReadContext, Source, SourceResult } from "../source.ts";

/** Client certificates for daemons on TCP, in PEM. */
export interface DockerTls {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

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
/** A process list is some kilobytes; what is larger than this is no process list. */
const MAX_OUTPUT_BYTES = 4_000_000;
const PS = ["ps", "-eo", "stat,pid,comm"];
/** Shell built-ins only, for images that have neither ps nor cat. A process that ends while it is read is no failure. */
const PROC = [
  "sh",
  "-c",
  'for f in /proc/[0-9]*/stat; do IFS= read -r l < "$f" && printf "%s\\n" "$l"; done 2>/dev/null; exit 0',
];

interface Process {
  readonly stat: string;
  readonly pid: number;
  readonly command: string;
}

/** @returns the processes that `ps -eo stat,pid,comm` printed; none where it printed something else */
export function parsePs(output: string): Process[] {
  const [header = "", ...lines] = output.split("\n");
  if (!/^\s*STAT?\s+PID\s+COMM/i.test(header)) return [];
  return lines.flatMap((line) => {
    const [, stat, pid, command] = /^\s*([A-Za-z]\S*)\s+(\d+)\s+(.*\S)\s*$/.exec(line) ?? [];
    return stat && pid && command ? [{ stat, pid: Number(pid), command }] : [];
  });
}

/** @returns the processes of lines of `/proc/[pid]/stat`: pid (command) state …; a command may hold spaces and brackets */
export function parseProcStat(output: string): Process[] {
  return output.split("\n").flatMap((line) => {
    const [, pid, command, stat] = /^(\d+) \((.*)\) ([A-Za-z]) /.exec(line) ?? [];
    return stat && pid && command !== undefined ? [{ stat, pid: Number(pid), command }] : [];
  });
}

const zombiePidsOf = (processes: readonly Process[]): number[] =>
  processes
    .filter(({ stat, command }) => stat.startsWith("Z") && command.includes("claude"))
    .map(({ pid }) => pid)
    .sort((a, b) => a - b);

/** A container that is there no more, or has stopped, since the list was made. */
class ContainerGone extends Error {}

const statusOf = (error: unknown) => (error as { statusCode?: number }).statusCode;

/** Runs a command in the container, without a shell. @returns its standard output @throws where it did not exit with 0 */
async function output(container: Docker.Container, command: string[], signal: AbortSignal): Promise<string> {
  const exec = await container.exec({ Cmd: command, AttachStdout: true, AttachStderr: true });
  // dockerode heeds a signal in start() only; the deadline around this call covers the rest.
  const stream = await exec.start({ hijack: false, stdin: false, abortSignal: signal });
  const text = await new Promise<string>((resolve, reject) => {
    let bytes = Buffer.alloc(0);
    stream.on("data", (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.length > MAX_OUTPUT_BYTES) stream.destroy(new SourceError("the process list does not end"));
    });
    stream.once("end", () => resolve(demultiplex(bytes)));
    stream.once("error", reject);
    stream.once("close", () => reject(new SourceError("the process list was cut off")));
  });
  const { ExitCode } = await exec.inspect();
  if (ExitCode !== 0) throw new SourceError(`${command[0]} exited with ${ExitCode}`);
  return text;
}

/** Docker frames each write of an exec: stream number, three zeros, length, bytes. @returns what went to standard output */
function demultiplex(bytes: Buffer): string {
  const parts: Buffer[] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const end = at + 8 + bytes.readUInt32BE(at + 4);
    if (bytes[at] === 1) parts.push(bytes.subarray(at + 8, end));
    at = end;
  }
  return Buffer.concat(parts).toString("utf8");
}

/**
 * @throws ContainerGone where there is nothing left to look at
 * @throws SourceError where neither ps nor /proc told the processes
 */
async function processesOf(container: Docker.Container, signal: AbortSignal): Promise<Process[]> {
  const reasons: string[] = [];
  for (const [command, parse] of [
    [PS, parsePs],
    [PROC, parseProcStat],
  ] as const) {
    try {
      // The list always holds the command that made it: an empty one means that nothing was read.
      const processes = parse(await output(container, [...command], signal));
      if (processes.length > 0) return processes;
      reasons.push(`${command[0]} printed no process list`);
    } catch (error) {
      signal.throwIfAborted();
      if (statusOf(error) === 404) throw new ContainerGone();
      if (statusOf(error) === 409) {
        const { State } = await container.inspect();
        if (!State.Running) throw new ContainerGone();
        throw new SourceError(`exec refused, the container is ${State.Status}`);
      }
      reasons.push(describeError(error));
    }
  }
  throw new SourceError(reasons.join("; "));
}

/** docker-modem takes an agent, which its types leave out. */
type ModemOptions = Docker.DockerOptions & { agent: HttpAgent | HttpsAgent };

/**
 * docker-modem inspects its options with every request, to no depth limit, and so walks through every socket of the
 * agent: with 50 containers that costs seconds. What the agent shows of itself is cut short.
 */
const opaque = <T extends object>(agent: T): T => Object.assign(agent, { [inspect.custom]: () => "Agent" });

function connect(host: string, tls: DockerTls): { docker: Docker; close(): void } {
  if (host.startsWith("unix://")) {
    const agent = opaque(new HttpAgent({ keepAlive: true }));
    const options: ModemOptions = { socketPath: host.slice("unix://".length), agent };
    return { docker: new Docker(options), close: () => agent.destroy() };
  }
  const { hostname, port } = new URL(host);
  const agent = opaque(new HttpsAgent({ keepAlive: true, ca: tls.ca, cert: tls.cert, key: tls.key }));
  const options: ModemOptions = { protocol: "https", host: hostname, port, agent };
  return { docker: new Docker(options), close: () => agent.destroy() };
}

/** @returns the source of the fact `zombies` */
export function dockerSource({ hosts, tls, execDeadlineMs, deadlineMs, withStart }: DockerOptions): Source {
  async function readDaemon(host: string, signal: AbortSignal, softSignal: AbortSignal) {
    const containers: ContainerProcesses[] = [];
    const unseen: { agent: string; containerId: string }[] = [];
    const unavailable: string[] = [];
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
      await pMap(
        list,
        async ({ Id: containerId, Names }) => {
          // A linked container has the names of its links too, with a second slash.
          const name = (Names.find((n) => n.lastIndexOf("/") === 0) ?? Names[0] ?? containerId).replace(
            /^\//,
            "",
          );
          const agent = name.startsWith(NAME_PREFIX) ? name.slice(NAME_PREFIX.length) : name;
          const container = docker.getContainer(containerId);
          try {
            softSignal.throwIfAborted();
            const found = await withDeadline(
              execDeadlineMs,
              async (execSignal) => {
                const zombiePids = zombiePidsOf(await processesOf(container, execSignal));
                const startedAt =
                  withStart && zombiePids.length > 0 ? (await container.inspect()).State.StartedAt : null;
                return { zombiePids, startedAt };
              },
              softSignal,
            );
            containers.push({ agent, containerId, daemon: host, ...found });
          } catch (error) {
            if (error instanceof ContainerGone) return;
            unseen.push({ agent, containerId });
            unavailable.push(`docker.exec[${agent}]: ${describeError(error)}`);
          }
        },
        { concurrency: EXECS_AT_ONCE },
      );
      return { containers, unseen, unavailable };
    } finally {
      close();
    }
  }

  async function read({ signal, now }: ReadContext): Promise<SourceResult> {
    // A little before the source's own deadline, so that what was read by then is kept.
    const soft = new AbortController();
    // Every container that is looked at listens to it.
    setMaxListeners(0, soft.signal);
    const late = new SourceError(`no answer within ${deadlineMs} ms`);
    const timer = setTimeout(() => soft.abort(late), deadlineMs * 0.95);
    const fromMs = now();
    const results = await Promise.allSettled(hosts.map((host) => readDaemon(host, signal, soft.signal)));
    clearTimeout(timer);

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
    const read = results.flatMap((r) => (r.status === "fulfilled" ? [r.value] : []));
    if (read.length === 0)
      return { readings: { zombies: { read: false, reason: unavailable.join("; ") } }, unavailable };
    const value: Zombies = {
      containers: read.flatMap((r) => r.containers),
      unseenContainers: read.flatMap((r) => r.unseen),
      unseenDaemons,
    };
    return { readings: { zombies: { read: true, value, time: { fromMs, toMs: now() } } }, unavailable };
  }
  return { name: "docker", gives: ["zombies"], read };
}
