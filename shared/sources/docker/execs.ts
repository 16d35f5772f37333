/** Commands in a container. The Docker API can't end one that hangs, so none is started beside another that still runs. */
import { setTimeout as wait } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type Docker from "dockerode";
import { SourceError } from "../../errors.ts";

export interface Command {
  readonly args: readonly string[];
  /** `uid:gid`. */
  readonly user: string;
}

/** A process list has some kilobytes: anything larger than this is something else. */
const MAX_OUTPUT_BYTES = 4_000_000;
/** Whose commands these are is asked one by one: with more than this, the container has other troubles. */
const MAX_EXECS = 100;
const LOOK_AGAIN_MS = 5;
/** How long a process list may take another reader: such a command is no leftover. */
const OTHERS_READ_MS = 500;

/** A command of ours runs in the container, or may: no other may be started there. */
export class StillRuns extends SourceError {}

export const statusOf = (error: unknown) => (error as { statusCode?: number }).statusCode;

/** Says whether that exec has this command line, as whichever user. */
const isOf = ({ ProcessConfig }: Docker.ExecInspectInfo, args: Command["args"]): boolean =>
  isDeepStrictEqual([ProcessConfig.entrypoint, ...(ProcessConfig.arguments ?? [])], args);

/** Gives null where the exec is gone. */
const inspectOf = (exec: Docker.Exec, abortSignal: AbortSignal): Promise<Docker.ExecInspectInfo | null> =>
  exec.inspect({ abortSignal }).catch((error) => {
    if (statusOf(error) === 404) return null;
    throw error;
  });

/** Waits for the end of an exec, up to `mostMs`. */
async function whenEnded(exec: Docker.Exec, abortSignal: AbortSignal, mostMs = OTHERS_READ_MS) {
  for (let waitMs = LOOK_AGAIN_MS, waitedMs = 0; ; waitMs *= 2) {
    const info = await inspectOf(exec, abortSignal);
    if (!info?.Running || waitedMs >= mostMs) return info;
    await wait(waitMs, undefined, { signal: abortSignal });
    waitedMs += waitMs;
  }
}

/**
 * Looks at what earlier reads left in the container.
 * @param execIds those of the container's inspect: what runs, or was made and never started
 * @param lines our command lines
 * @returns our execs that were made and never started; they stay until the container ends, so they are used
 * @throws StillRuns where one of ours runs
 */
export async function leftIn(
  docker: Docker,
  execIds: readonly string[],
  lines: readonly Command["args"][],
  abortSignal: AbortSignal,
): Promise<Docker.ExecInspectInfo[]> {
  if (execIds.length > MAX_EXECS)
    throw new StillRuns(`${execIds.length} commands run in the container, so no other is started`);
  const unstarted: Docker.ExecInspectInfo[] = [];
  for (const id of execIds) {
    const first = await inspectOf(docker.getExec(id), abortSignal);
    const line = first && lines.find((args) => isOf(first, args));
    if (!line) continue;
    const info = first.Running ? await whenEnded(docker.getExec(id), abortSignal) : first;
    if (info?.Running)
      throw new StillRuns(`an earlier ${line[0]} still runs in the container, so no other is started`);
    if (info?.ExitCode === null) unstarted.push(info);
  }
  return unstarted;
}

/**
 * Runs a command in the container.
 * @param unstarted execs that may be started in place of a new one
 * @returns its standard output
 * @throws StillRuns where it may not have ended
 * @throws SourceError where it did not exit with 0
 */
export async function output(
  docker: Docker,
  container: Docker.Container,
  { args, user }: Command,
  unstarted: readonly Docker.ExecInspectInfo[],
  abortSignal: AbortSignal,
): Promise<string> {
  const left = unstarted.find((info) => isOf(info, args) && info.ProcessConfig.user === user);
  const exec = left
    ? docker.getExec(left.ID)
    : await container.exec({
        Cmd: [...args],
        User: user,
        AttachStdout: true,
        AttachStderr: true,
        abortSignal,
      });
  const text = await started(exec, args, abortSignal);
  // The daemon closes the output a little before it notes the end.
  const info = await whenEnded(exec, abortSignal, Infinity);
  if (info?.ExitCode !== 0) throw new SourceError(`${args[0]} exited with ${info?.ExitCode}`);
  return text;
}

async function started(
  exec: Docker.Exec,
  [name]: Command["args"],
  abortSignal: AbortSignal,
): Promise<string> {
  try {
    const stream = await exec.start({ hijack: false, stdin: false, abortSignal });
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > MAX_OUTPUT_BYTES) throw new StillRuns(`the output of ${name} does not end`);
    }
    return demultiplex(Buffer.concat(chunks));
  } catch (error) {
    // A status is the daemon's refusal: nothing was started.
    if (error instanceof StillRuns || statusOf(error) !== undefined) throw error;
    throw new StillRuns(`the output of ${name} was cut off`, { cause: error });
  }
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
