/** Requests over HTTP: no redirects, an answer of limited size, no connection that outlives its signal. */
import http from "node:http";
import https from "node:https";
import { SourceError } from "./errors.ts";

export interface HttpRequest {
  readonly url: string;
  /** Default: GET. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Ends the request, and with it every connection that was made under this signal. */
  readonly signal: AbortSignal;
  readonly maxBytes: number;
  /** It has a connection of its own, and is not sent a second time. Left out: false. */
  readonly isOnce?: boolean;
}

/** A request to a source. */
export interface SourceRequest extends HttpRequest {
  /** The name of the variable that holds the address, for error texts. */
  readonly variable: string;
}

export interface HttpAnswer {
  readonly status: number;
  /** The status is from 200 to 299. */
  readonly ok: boolean;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer<ArrayBuffer>;
}

interface Agents {
  readonly "http:": http.Agent;
  readonly "https:": https.Agent;
}

/**
 * Connections are kept for one signal, such as that of the read of a source. A function is frozen between two reads: a
 * connection that was kept over the freeze may be dead without anyone having heard of its end, and a timer that should
 * have closed it was frozen too.
 */
const agentsOfSignal = new WeakMap<AbortSignal, Agents>();

function agentsOf(signal: AbortSignal): Agents {
  const known = agentsOfSignal.get(signal);
  if (known) return known;
  const agents: Agents = {
    "http:": new http.Agent({ keepAlive: true }),
    "https:": new https.Agent({ keepAlive: true }),
  };
  agentsOfSignal.set(signal, agents);
  const destroy = () => Object.values(agents).forEach((agent: http.Agent) => void agent.destroy());
  signal.addEventListener("abort", destroy, { once: true });
  return agents;
}

/** Reads the body of an answer, or of a refusal. @throws AnswerTooLarge where it is larger than allowed */
export async function bodyOf(response: http.IncomingMessage, maxBytes: number): Promise<Buffer<ArrayBuffer>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Leaving the loop closes the connection: nothing more of an endless answer arrives.
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new AnswerTooLarge(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}

/** An answer that was cut: a smaller question may be answered. */
export class AnswerTooLarge extends SourceError {
  constructor(maxBytes: number) {
    super(`the answer is larger than ${maxBytes / 1_000_000} MB`);
  }
}

const open = (asked: HttpRequest, url: URL, agent: http.Agent | false): Promise<http.IncomingMessage> =>
  new Promise((resolve, reject) => {
    const { method = "GET", headers, body, signal } = asked;
    const { request } = url.protocol === "https:" ? https : http;
    request(url, { method, headers: { ...headers }, agent, signal })
      .on("error", reject)
      .on("response", resolve)
      .end(body);
  });

const isReset = (error: unknown): boolean =>
  error instanceof Error && "code" in error && (error.code === "ECONNRESET" || error.code === "EPIPE");

/**
 * Sends a request. Where its connection is reset before an answer, it is sent once more on a new one.
 * @returns the answer, of any status; a redirect is not followed
 * @throws AnswerTooLarge for an answer above `maxBytes`; the reason of the signal once it is aborted; otherwise the
 *   network's error
 */
export async function send(asked: HttpRequest): Promise<HttpAnswer> {
  const { signal, maxBytes, isOnce = false } = asked;
  signal.throwIfAborted();
  const url = new URL(asked.url);
  const agent = isOnce ? false : agentsOf(signal)[url.protocol as keyof Agents];
  try {
    const response = await open(asked, url, agent).catch((error: unknown) => {
      if (isOnce || signal.aborted || !isReset(error)) throw error;
      return open(asked, url, false);
    });
    const status = response.statusCode ?? 0;
    const body = await bodyOf(response, maxBytes);
    return { status, ok: status >= 200 && status < 300, headers: response.headers, body };
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

/** The JSON of a body; undefined where it is something else: no JSON gives that. */
export function jsonOf({ body }: HttpAnswer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}

/**
 * Asks a source.
 * @returns the answer, of any status but a redirect
 * @throws SourceError for a redirect; otherwise as `send`
 */
export async function ask(asked: SourceRequest): Promise<HttpAnswer> {
  const answer = await send(asked);
  if (answer.status >= 300 && answer.status < 400)
    throw new SourceError(
      `the answer is a redirect (HTTP ${answer.status}), which is not followed: check ${asked.variable}`,
    );
  return answer;
}
