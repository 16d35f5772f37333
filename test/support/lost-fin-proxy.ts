/** A TCP proxy in front of a real server that loses the end of idle connections, as a network does while a function is frozen. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface LostFinProxy {
  /** The target's address with the proxy's host and port. */
  readonly url: string;
  /**
   * Ends the server's side of every connection that is open now, and keeps it from the client: the client believes the
   * connection to be good, and its next byte is answered by a reset. Connections that are made later work.
   */
  loseFins(): void;
  close(): Promise<void>;
}

/** @param options.target the address of the real server */
export async function startLostFinProxy({ target }: { readonly target: URL }): Promise<LostFinProxy> {
  const port = Number(target.port || (target.protocol === "https:" ? 443 : 80));
  const open = new Map<Socket, Socket>();

  const server = createServer((client) => {
    const upstream = connect(port, target.hostname);
    open.set(client, upstream);
    for (const socket of [client, upstream]) socket.on("error", () => socket.destroy());
    client.on("data", (bytes) => {
      if (open.has(client)) upstream.write(bytes);
      else client.resetAndDestroy();
    });
    client.on("close", () => {
      open.delete(client);
      upstream.destroy();
    });
    upstream.on("data", (bytes) => client.write(bytes));
    upstream.on("close", () => {
      // A connection whose end was lost is no longer open, and its client hears of nothing.
      if (open.delete(client)) client.end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const clients = new Set<Socket>();
  server.on("connection", (client) => {
    clients.add(client);
    client.on("close", () => clients.delete(client));
  });
  const url = new URL(target);
  url.hostname = "127.0.0.1";
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.pathname === "/" ? url.origin : url.href,
    loseFins() {
      const lost = [...open.values()];
      open.clear();
      for (const upstream of lost) upstream.destroy();
    },
    async close() {
      for (const client of clients) client.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
