/** A post to a channel over HTTP: once, on a connection of its own, and without its address in any error. */
import { send } from "../../http.ts";
import { NotDelivered } from "./channel.ts";

/** Channels answer with a few words. */
const MAX_ANSWER_BYTES = 100_000;

/** Parses the header, which has seconds or a date, to ms. */
function parseRetryAfter(header: string | undefined, nowMs: number): number | null {
  if (header === undefined) return null;
  if (/^\d+$/.test(header.trim())) {
    const ms = Number(header) * 1000;
    return Number.isFinite(ms) ? ms : null;
  }
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}

export interface Posted {
  readonly status: number;
  readonly body: string;
  readonly retryAfterMs: number | null;
}

type Content =
  | { readonly json: object }
  | { readonly body: string; readonly headers: Readonly<Record<string, string>> };

/**
 * Posts once. A post whose connection was reset may have arrived: the outbox sends it again later.
 * @param channel its name, for errors
 * @throws NotDelivered where there is no answer
 */
export async function post(
  channel: string,
  url: string,
  content: Content,
  signal: AbortSignal,
): Promise<Posted> {
  const { body, headers } =
    "json" in content
      ? {
          body: JSON.stringify(content.json),
          headers: { "content-type": "application/json; charset=utf-8" },
        }
      : content;
  try {
    const answer = await send({
      url,
      method: "POST",
      headers,
      body,
      maxBytes: MAX_ANSWER_BYTES,
      isOnce: true,
      signal,
    });
    return {
      status: answer.status,
      body: answer.body.toString("utf8").trim(),
      retryAfterMs: parseRetryAfter(answer.headers["retry-after"], Date.now()),
    };
  } catch (error) {
    if (signal.aborted) throw new NotDelivered(`${channel}: no answer in time`);
    const code = Object(error).code;
    throw new NotDelivered(`${channel}: ${typeof code === "string" ? code : "the connection failed"}`);
  }
}

/**
 * Says whether the receiver refused this message for what it is. 408 and 429 are of the moment; 401, 403, 404, 405, 407 and
 * 410 are of the address or the token, and would meet every message.
 */
export const isRefusal = (status: number): boolean =>
  status >= 400 && status < 500 && ![401, 403, 404, 405, 407, 408, 410, 425, 429].includes(status);
