/** Readers of Docker daemons on this machine: a process for each that is called at once, kept for the next call. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { Environment } from "../../shared/config/reader.ts";
import { SourceError } from "../../shared/errors.ts";
import { CERTIFICATE_NAMES } from "../../shared/sources/docker/certificates.ts";
import { type CallReader, readerError } from "../../shared/sources/docker/reader-call.ts";

const RUNTIME = new URL("../runtime.mjs", import.meta.url).href;
const ENTRY = fileURLToPath(new URL("./reader-process.ts", import.meta.url));

export interface ReaderProcesses extends CallReader {
  /** Those that run. */
  readonly processes: ReadonlySet<ChildProcess>;
  /** Ends them. They also end with this process. */
  close(): Promise<void>;
}

interface ReaderProcessOptions {
  /** How many are of use at once. Default: one for each core. */
  readonly most?: number;
  /** The file that each runs. Default: the handler of the function. */
  readonly entry?: string;
  readonly execArgv?: readonly string[];
}

/** Lets this process end although that one runs. */
function letGo(child: ChildProcess): void {
  child.unref();
  child.channel?.unref();
}

/** @param env has the variables of the client certificate: a reader gets these and no others */
export function readerProcesses(env: Environment, options: ReaderProcessOptions = {}): ReaderProcesses {
  const { most = availableParallelism(), entry = ENTRY, execArgv = ["--import", RUNTIME] } = options;
  const own = Object.fromEntries(CERTIFICATE_NAMES.map((name) => [name, env[name]]));
  const running = new Set<ChildProcess>();
  const idle: ChildProcess[] = [];

  function start(): ChildProcess {
    const child = fork(entry, {
      env: own,
      execArgv: [...execArgv],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    running.add(child);
    child.once("exit", () => {
      running.delete(child);
      if (idle.includes(child)) idle.splice(idle.indexOf(child), 1);
    });
    return child;
  }

  return {
    most,
    processes: running,
    async call(event, signal) {
      const child = idle.pop() ?? start();
      child.ref();
      child.channel?.ref();
      const done = new AbortController();
      try {
        const answered = once(child, "message", { signal: done.signal });
        const ended = once(child, "exit", { signal: done.signal }).then(([code, by]) => {
          throw new SourceError(`it ended with ${by ?? `code ${code}`}`);
        });
        const late = once(signal, "abort", { signal: done.signal }).then(() => {
          throw signal.reason;
        });
        child.send(event);
        const [message] = await Promise.race([answered, ended, late]);
        idle.push(child);
        letGo(child);
        const { result, error } = Object(message);
        if (error !== undefined) throw readerError(Object(error));
        return result;
      } catch (error) {
        // It may answer yet, and would answer the next call with it.
        if (!idle.includes(child)) child.kill("SIGKILL");
        throw error;
      } finally {
        done.abort();
      }
    },
    async close() {
      const ended = [...running].map((child) => once(child, "exit"));
      for (const child of running) child.kill("SIGKILL");
      await Promise.all(ended);
    },
  };
}
