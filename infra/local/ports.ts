/** Servers of the loopback: a port for one, and patience until it answers. */
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

/** Tries until it works. @throws the last error after about `tries` × 50 ms */
export async function until<T>(work: () => Promise<T>, tries = 200): Promise<T> {
  for (let left = tries; ; left -= 1) {
    try {
      return await work();
    } catch (error) {
      if (left <= 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
