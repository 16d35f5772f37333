/** The processes in a container: by ps, or by /proc where the image has no usable ps. */
import type Docker from "dockerode";
import { describeError, SourceError } from "../../errors.ts";

/** A process list has some kilobytes: anything larger than this is something else. */
const MAX_OUTPUT_BYTES = 4_000_000;
const PS = ["ps", "-eo", "stat,pid,comm"];
/** Shell built-ins only, for images without ps and cat. A process that ends while it is read is not a failure. */
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

/** Parses the output of `ps -eo stat,pid,comm`. Returns no processes for any other output. */
function parsePs(output: string): Process[] {
  const [header = "", ...lines] = output.split("\n");
  if (!/^\s*STAT?\s+PID\s+COMM/i.test(header)) return [];
  return lines.flatMap((line) => {
    const [, stat, pid, command] = /^\s*([A-Za-z]\S*)\s+(\d+)\s+(.*\S)\s*$/.exec(line) ?? [];
    return stat && pid && command ? [{ stat, pid: Number(pid), command }] : [];
  });
}

/** Parses lines of `/proc/[pid]/stat`: pid (command) state …; a command may hold spaces and brackets. */
function parseProcStat(output: string): Process[] {
  return output.split("\n").flatMap((line) => {
    const [, pid, command, stat] = /^(\d+) \((.*)\) ([A-Za-z]) /.exec(line) ?? [];
    return stat && pid && command !== undefined ? [{ stat, pid: Number(pid), command }] : [];
  });
}

/** The pids of zombies named claude. */
export const zombiePidsOf = (processes: readonly Process[]): number[] =>
  processes
    .filter(({ stat, command }) => stat.startsWith("Z") && command.includes("claude"))
    .map(({ pid }) => pid)
    .sort((a, b) => a - b);

/** A container that was removed, or has stopped, since the list was made. */
export class ContainerGone extends Error {}

const statusOf = (error: unknown) => (error as { statusCode?: number }).statusCode;

/** Runs a command in the container and returns its standard output. @throws where it did not exit with 0 */
async function output(container: Docker.Container, command: string[], signal: AbortSignal): Promise<string> {
  const exec = await container.exec({ Cmd: command, AttachStdout: true, AttachStderr: true });
  // dockerode uses a signal in start() only; the deadline around this call covers the rest.
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

/** Extracts standard output. Docker frames each write of an exec: stream number, three zeros, length, bytes. */
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
 * Lists the processes of a container.
 * @throws ContainerGone where it no longer runs
 * @throws SourceError where neither ps nor /proc gave the processes
 */
export async function processesOf(container: Docker.Container, signal: AbortSignal): Promise<Process[]> {
  const reasons: string[] = [];
  for (const [command, parse] of [
    [PS, parsePs],
    [PROC, parseProcStat],
  ] as const) {
    try {
      // The list always holds the command that made it: an empty list means that nothing was read.
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
