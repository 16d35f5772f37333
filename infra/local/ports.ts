/** Ports of the loopback, and the wait for a server there. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";

/** Finds a port of the loopback that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/**
 * Tries every 50 ms until it works. There is no limit of time: a loaded machine is slow, not broken.
 * @param given aborted where it can't work any more, such as when the server has ended
 * @throws the last error once `given` is aborted
 */
export async function until<T>(work: () => Promise<T>, given?: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (given?.aborted) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Gives a signal that is aborted when the process ends or can't be started. */
export function endOf(child: ChildProcess): AbortSignal {
  const ended = new AbortController();
  for (const event of ["exit", "error"]) child.once(event, () => ended.abort());
  return ended.signal;
}
