/** A proxy that passes requests on and keeps them, so that they can be counted and sent again. */
import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

export interface Recorded {
  /** The address that it was passed on to. */
  readonly target: string;
  readonly method: string;
  readonly path: string;
  /** Names and values in alternation, as received. */
  readonly headers: readonly string[];
  /** In base64. */
  readonly body: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly status: number;
  /** The answer's body, in base64. */
  readonly answer: string;
}

export interface Recorder {
  readonly url: string;
  /** In the order of the answers. */
  readonly requests: Recorded[];
  close(): Promise<void>;
}

/** @param target the address of the real server */
export async function startRecorder(target: string): Promise<Recorder> {
  const requests: Recorded[] = [];
  const { hostname, port } = new URL(target);
  const server = createServer(async (incoming, outgoing) => {
    const startedAtMs = performance.now();
    const { method = "GET", url: path = "/", headers, rawHeaders } = incoming;
    const body = await buffer(incoming);
    const passed = request({ hostname, port, method, path, headers });
    passed.on("error", () => outgoing.destroy());
    passed.end(body);
    passed.on("response", async (response) => {
      const answer = await buffer(response);
      const status = response.statusCode!;
      requests.push({
        target,
        method,
        path,
        headers: rawHeaders,
        body: body.toString("base64"),
        startedAtMs,
        endedAtMs: performance.now(),
        status,
        answer: answer.toString("base64"),
      });
      outgoing.writeHead(status, response.headers).end(answer);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
