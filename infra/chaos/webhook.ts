/** An incoming webhook of Slack on the loopback. It answers as the real one does, well or badly. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type WebhookAnswer =
  | "ok"
  | "http 500"
  /** With the Retry-After of `retryAfter`. */
  | "http 429"
  /** Takes the message and never answers. */
  | "hangs"
  /** Takes the message and ends the connection. */
  | "resets"
  /** With status 200. */
  | "invalid_token"
  /** 400: Slack refuses this message, but not every message. */
  | "invalid_blocks"
  | "http 403"
  | "no_service"
  /** 307, to itself. */
  | "redirects"
  /** Answers with the secret of its own address, as a proxy's error page may. */
  | "echoes its address";

/** A posted message as Slack would show it. */
export interface Post {
  readonly body: { readonly text: string; readonly blocks: readonly Record<string, unknown>[] };
  /** The keys of its alerts, from the context lines `alert …`. */
  readonly keys: readonly string[];
  readonly answer: WebhookAnswer;
}

export interface Webhook {
  /** A secret: its last part is the token. */
  readonly url: string;
  readonly token: string;
  /** Every message that arrived, whatever the answer was. */
  readonly posts: Post[];
  /** The keys of the alerts whose message got the answer `ok`: those that operators can read. */
  readonly read: string[];
  answer: WebhookAnswer | ((keys: readonly string[]) => WebhookAnswer);
  retryAfter: string;
  close(): Promise<void>;
}

export const WEBHOOK_TOKEN = "XXXhookSecret0123456789a";
const PATH = `/services/T0CANARY0/B0CANARY0/${WEBHOOK_TOKEN}`;

/** Reads the body of a request. @throws where the client ends before it has sent all of it */
export async function bodyOf(incoming: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of incoming.setEncoding("utf8")) body += chunk;
  return body;
}

/** Lets the server listen on a free port of the loopback. */
export async function listen(server: Server): Promise<{ address: string; close(): Promise<void> }> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Finds the alerts' keys in the last block of a Slack message. */
function keysOf(body: Post["body"]): string[] {
  const context = body.blocks.find(({ type }) => type === "context") as
    | { elements: { text: string }[] }
    | undefined;
  const lines = (context?.elements ?? []).flatMap(({ text }) => text.split("\n"));
  const keys = lines.filter((line) => line.startsWith("alert ")).map((line) => line.slice("alert ".length));
  if (keys.length === 0) throw new Error("the message has no key");
  return keys;
}

/** An incoming webhook of Slack. */
export async function startWebhook(): Promise<Webhook> {
  const posts: Post[] = [];
  const webhook = {
    answer: "ok" as Webhook["answer"],
    retryAfter: "30",
    posts,
    get read() {
      return posts.filter(({ answer }) => answer === "ok").flatMap(({ keys }) => keys);
    },
  };
  const answers: Record<Exclude<WebhookAnswer, "hangs" | "resets">, () => readonly [number, string]> = {
    ok: () => [200, "ok"],
    "http 500": () => [500, "<html>boom</html>"],
    "http 429": () => [429, "rate_limited"],
    invalid_token: () => [200, "invalid_token"],
    invalid_blocks: () => [400, "invalid_blocks"],
    "http 403": () => [403, "action_prohibited"],
    no_service: () => [404, "no_service"],
    redirects: () => [307, ""],
    "echoes its address": () => [502, `bad gateway: POST ${PATH} (${WEBHOOK_TOKEN})`],
  };

  const server = createServer(async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const text = await bodyOf(incoming).catch(() => null);
    // Who sent it was killed meanwhile.
    if (text === null) return undefined;
    if (incoming.method !== "POST" || incoming.url !== PATH) return outgoing.writeHead(404).end("no_team");
    if (!incoming.headers["content-type"]?.startsWith("application/json"))
      return outgoing.writeHead(400).end("invalid_payload");
    const body = JSON.parse(text) as Post["body"];
    const keys = keysOf(body);
    const answer = typeof webhook.answer === "function" ? webhook.answer(keys) : webhook.answer;
    posts.push({ body, keys, answer });
    if (answer === "hangs") return undefined;
    if (answer === "resets") return incoming.socket.resetAndDestroy();
    const [status, said] = answers[answer]();
    const headers = {
      ...(answer === "http 429" && { "retry-after": webhook.retryAfter }),
      ...(answer === "redirects" && { location: PATH }),
    };
    return outgoing.writeHead(status, { "content-type": "text/html", ...headers }).end(said);
  });
  const { address, close } = await listen(server);
  return Object.assign(webhook, { url: address + PATH, token: WEBHOOK_TOKEN, close });
}
