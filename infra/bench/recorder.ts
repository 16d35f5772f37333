/** A proxy that passes requests on and keeps them, so that they can be counted and sent again. */
import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

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
  endedAtMs: number;
  status: number;
  /** The answer's body, in base64. */
  answer: string;
}

export interface Recorder {
  readonly url: string;
  /** In the order of arrival. */
  readonly requests: Recorded[];
  close(): Promise<void>;
}

/** @param target the address of the real server */
export async function startRecorder(target: string): Promise<Recorder> {
  const requests: Recorded[] = [];
  const { hostname, port } = new URL(target);
  const server = createServer(async (incoming, outgoing) => {
    const startedAtMs = performance.now();
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const recorded: Recorded = {
      target,
      method: incoming.method ?? "GET",
      path: incoming.url ?? "/",
      headers: incoming.rawHeaders,
      body: body.toString("base64"),
      startedAtMs,
      endedAtMs: Number.NaN,
      status: 0,
      answer: "",
    };
    requests.push(recorded);
    const passed = request(
      { hostname, port, method: incoming.method, path: incoming.url, headers: incoming.headers },
      async (answer) => {
        const parts: Buffer[] = [];
        for await (const part of answer) parts.push(part as Buffer);
        const bytes = Buffer.concat(parts);
        Object.assign(recorded, {
          status: answer.statusCode,
          answer: bytes.toString("base64"),
          endedAtMs: performance.now(),
        });
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        outgoing.end(bytes);
      },
    );
    passed.on("error", () => outgoing.destroy());
    passed.end(body);
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
