/** Proxies in front of real servers, which can fail as networks and servers do; the one for HTTP counts the requests. */
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";

export type Fault =
  | "none"
  /** Takes the request and never answers. */
  | "hangs"
  /** Ends the connection without an answer. */
  | "resets"
  /** 200 and an HTML page. */
  | "html"
  /** 200 and JSON of another shape. */
  | "wrong json"
  | "http 500"
  | "http 401";

export interface FaultProxy {
  readonly url: string;
  fault: Fault;
  /** The path of each request that has arrived. */
  readonly requests: string[];
  close(): Promise<void>;
}

const ANSWERS: Partial<Record<Fault, readonly [number, string, string]>> = {
  html: [200, "text/html", "<html>It works!</html>"],
  "wrong json": [200, "application/json", '{"hello": ["world"]}'],
  "http 500": [500, "text/plain", "boom"],
  "http 401": [401, "application/json", '{"error": "Unauthorized"}'],
};

/** @param target the address of the real server */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const { hostname, port } = new URL(target);
  const requests: string[] = [];
  const proxy = { fault: "none" as Fault };

  function pass(incoming: IncomingMessage, outgoing: ServerResponse) {
    const { method, url, headers } = incoming;
    const forwarded = request({ hostname, port, method, path: url, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    forwarded.on("error", () => outgoing.destroy());
    incoming.pipe(forwarded);
  }

  const server = createServer((incoming, outgoing) => {
    requests.push(incoming.url ?? "");
    const { fault } = proxy;
    if (fault === "none") return pass(incoming, outgoing);
    if (fault === "hangs") return undefined;
    if (fault === "resets") return incoming.socket.resetAndDestroy();
    const [status, type, body] = ANSWERS[fault]!;
    incoming.resume();
    return outgoing.writeHead(status, { "content-type": type }).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(proxy, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

/** Its faults are "hangs" and "resets"; each takes hold of the connections that begin under it. @param target the address of the real server */
export async function startTcpFaultProxy(target: string): Promise<FaultProxy> {
  const { hostname, port, href } = new URL(target);
  const open = new Set<Socket>();
  const proxy = { fault: "none" as Fault };
  const keep = (socket: Socket) => {
    open.add(socket);
    return socket.on("error", () => socket.destroy()).on("close", () => open.delete(socket));
  };
  const server = createTcpServer((incoming) => {
    keep(incoming);
    const { fault } = proxy;
    if (fault === "resets") incoming.resetAndDestroy();
    else if (fault === "none") {
      const outgoing = keep(connect(Number(port), hostname));
      incoming.pipe(outgoing).pipe(incoming);
      for (const [one, other] of [
        [incoming, outgoing],
        [outgoing, incoming],
      ] as const)
        one.on("close", () => other.destroy());
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(proxy, {
    url: href.replace(`:${port}/`, `:${(server.address() as AddressInfo).port}/`),
    requests: [],
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}
