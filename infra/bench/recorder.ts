/** A proxy that passes requests on and keeps them, to count them and to send them once again. */
import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

export interface Recorded {
  /** Where it was passed on to: an address, or `unix:` and a path. */
  readonly target: string;
  readonly method: string;
  readonly path: string;
  /** Names and values by turns, as they came. */
  readonly headers: readonly string[];
  /** In base64. */
  readonly body: string;
  readonly startedAtMs: number;
  endedAtMs: number;
  status: number;
  bytesIn: number;
  /** The answer's body, in base64, where it was asked for. */
  answer: string;
}

export interface Recorder {
  readonly url: string;
  /** All that has passed, in the order in which it came. */
  readonly requests: Recorded[];
  close(): Promise<void>;
}

/**
 * @param target the address of the real server, or `unix:` and a path
 * @param socketPath where to listen instead of a port of the loopback
 */
export async function startRecorder(target: string, socketPath?: string): Promise<Recorder> {
  const requests: Recorded[] = [];
  const where = target.startsWith("unix:")
    ? { socketPath: target.slice("unix:".length) }
    : { hostname: new URL(target).hostname, port: new URL(target).port };

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
      bytesIn: 0,
      answer: "",
    };
    requests.push(recorded);
    const passed = request(
      { ...where, method: incoming.method, path: incoming.url, headers: incoming.headers },
      async (answer) => {
        const parts: Buffer[] = [];
        for await (const part of answer) parts.push(part as Buffer);
        const bytes = Buffer.concat(parts);
        Object.assign(recorded, {
          status: answer.statusCode,
          bytesIn: bytes.length,
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
  server.listen(socketPath ? { path: socketPath } : { port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  return {
    url: socketPath ? `unix://${socketPath}` : `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export const bodyOf = ({ body }: Recorded): Buffer => Buffer.from(body, "base64");

/** Commands as a hosted Redis counts them: those of a pipeline each, and MULTI and EXEC around a transaction. */
export const commandsOf = (requests: readonly Recorded[]): number =>
  requests.reduce((sum, request) => {
    const commands = JSON.parse(bodyOf(request).toString()) as unknown[];
    return sum + commands.length + (request.path === "/multi-exec" ? 2 : 0);
  }, 0);

/** The rows that sqld says it read. */
export function rowsReadOf(requests: readonly Recorded[]): number {
  let sum = 0;
  for (const { answer } of requests) {
    JSON.parse(Buffer.from(answer, "base64").toString(), (name, value) => {
      if (name === "rows_read") sum += Number(value);
      return value;
    });
  }
  return sum;
}
