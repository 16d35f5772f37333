/** Receivers of alerts on the loopback, which answer well or badly: one for HTTP, and one that speaks as EventBridge does. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import { bodyOf, listen } from "../../infra/chaos/webhook.ts";

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A status, or what happens in place of an answer. */
export type ReceiverAnswer = number | "hangs" | "resets";

export interface Receiver {
  readonly address: string;
  /** Every request that arrived, whatever the answer was. */
  readonly received: Received[];
  answer: ReceiverAnswer;
  /** Of an answer with 429. */
  retryAfter: string;
  /** What it says, by the request. */
  says: (request: Received) => string;
  close(): Promise<void>;
}

export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const receiver = { answer: 202 as ReceiverAnswer, retryAfter: "7", says: (_: Received) => "{}" };
  const server = createServer(async (incoming, outgoing) => {
    const body = await bodyOf(incoming).catch(() => null);
    if (body === null) return undefined;
    const request = { path: incoming.url ?? "", headers: incoming.headers, body };
    received.push(request);
    const { answer } = receiver;
    if (answer === "hangs") return undefined;
    if (answer === "resets") return incoming.socket.resetAndDestroy();
    const headers = {
      "content-type": "application/json",
      ...(answer === 429 && { "retry-after": receiver.retryAfter }),
    };
    return outgoing.writeHead(answer, headers).end(receiver.says(request));
  });
  const { address, close } = await listen(server);
  return Object.assign(receiver, { address, received, close });
}
