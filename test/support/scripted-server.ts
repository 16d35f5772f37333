/** An HTTP server on the loopback whose answers a test writes, whole or byte by byte. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  /** The client's port: the same for two requests on one connection. */
  readonly port: number;
}

export interface ScriptedServer {
  readonly url: string;
  /** In the order in which they came. */
  readonly asked: Asked[];
  /** The connections that are open. */
  connections(): Promise<number>;
  close(): Promise<void>;
}

/** @param answer is called once a request is there whole */
export async function startScriptedServer(
  answer: (asked: Asked, response: ServerResponse) => void,
): Promise<ScriptedServer> {
  const all: Asked[] = [];
  const server = createServer(async (request, response) => {
    const { method = "", url = "", headers, socket } = request;
    const asked = { method, path: url, headers, body: await text(request), port: socket.remotePort ?? 0 };
    all.push(asked);
    answer(asked, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: all,
    connections: () =>
      new Promise((resolve, reject) =>
        server.getConnections((error, n) => (error ? reject(error) : resolve(n))),
      ),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Sends `piece` until nobody takes it any more. */
export function sendForEver(response: ServerResponse, piece: string): void {
  const more = () => {
    while (!response.destroyed && response.write(piece));
  };
  response.on("drain", more);
  response.on("error", () => {});
  more();
}
