/** Sends one HTTP request. `fetch` would do the same, and takes as much CPU as all the rest of a command. */
import type { ClientRequest, IncomingMessage, RequestOptions } from "node:http";

type Send = (
  url: string,
  options: RequestOptions,
  onAnswer: (answer: IncomingMessage) => void,
) => ClientRequest;

/** The part of a `Response` that the commands use. */
export interface Answer {
  readonly status: number;
  readonly ok: boolean;
  text(): Promise<string>;
}

export interface Message {
  readonly method?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends the request and waits for the whole answer. Redirects are not followed: the token is for this address only.
 * @throws the errors of `node:http`, with their `code`; the signal's reason where it is aborted
 */
export function sendRequest(url: string, message: Message): Promise<Answer> {
  const { method, headers, body, signal } = message;
  // Not imported: an ES module evaluates every export of `node:http`, and one of them loads all of `fetch`.
  const { request: send }: { request: Send } = process.getBuiltinModule(
    url.startsWith("https:") ? "node:https" : "node:http",
  );
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(signal?.aborted ? signal.reason : error);
    const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
    const options = {
      method: method ?? "GET",
      headers: { ...headers, ...length },
      ...(signal && { signal }),
    };
    const sent = send(url, options, (answer) => {
      const parts: Buffer[] = [];
      answer.on("data", (part: Buffer) => parts.push(part));
      answer.on("error", fail);
      answer.on("end", () => {
        const status = answer.statusCode ?? 0;
        const text = Buffer.concat(parts).toString("utf8");
        resolve({ status, ok: status >= 200 && status < 300, text: async () => text });
      });
    });
    sent.on("error", fail);
    sent.end(body);
  });
}
