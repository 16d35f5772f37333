/** A proxy in front of a PostgreSQL, as a pooler or a network is that fails. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface PostgresProxy {
  /** The address of the server, by way of this proxy. */
  readonly url: string;
  /** How many connections were made. */
  readonly connections: () => number;
  /** Ends the next connections after so many bytes of the server's. */
  cutAfter(bytes: readonly number[]): void;
  /** Forwards nothing more on the connections that there are, and tells nobody. */
  blackhole(): void;
  close(): Promise<void>;
}

export async function startPostgresProxy(url: string): Promise<PostgresProxy> {
  const target = new URL(url);
  const open = new Set<Socket>();
  let made = 0;
  let cuts: readonly number[] = [];
  const server = createServer((client) => {
    made += 1;
    const [limit = Infinity, ...later] = cuts;
    cuts = later;
    let passed = 0;
    const upstream = connect(Number(target.port), target.hostname);
    for (const socket of [client, upstream]) open.add(socket.on("error", () => {}));
    client.pipe(upstream);
    upstream.on("data", (chunk: Buffer) => {
      passed += chunk.length;
      if (passed <= limit) client.write(chunk);
      else for (const socket of [client, upstream]) socket.destroy();
    });
    upstream.on("close", () => client.destroy());
    client.on("close", () => upstream.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const own = new URL(url);
  own.port = String((server.address() as AddressInfo).port);
  return {
    url: own.href,
    connections: () => made,
    cutAfter(bytes) {
      cuts = bytes;
    },
    blackhole() {
      for (const socket of open) {
        socket.removeAllListeners("data").unpipe();
        socket.resume();
      }
    },
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
