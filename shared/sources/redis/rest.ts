/** The client of Redis over the Upstash REST protocol, with the sources' own way to send a request. */
import { Redis, type Requester } from "@upstash/redis";
import { SourceError } from "../../errors.ts";
import { ask, jsonOf } from "../../http.ts";

/** A page of keys has 0.07 MB on a healthy platform of any size, a transaction less. */
export const MAX_ANSWER_BYTES = 8_000_000;

/** What bytes that are not UTF-8 become. The name is lost: nothing can be asked of it. */
export const LOST = "\ufffd";

export interface RestOptions {
  readonly url: string;
  readonly token: string;
  readonly signal: AbortSignal;
  readonly variables: { readonly url: string; readonly token: string };
}

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** A server leaves some texts as they are, whatever it was asked for. */
function decodeText(text: string, encoding: "utf8" | "latin1"): string {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  if (text === "OK" || (text.length - padding) % 4 === 1 || !BASE64.test(text)) return text;
  return Buffer.from(text, "base64").toString(encoding);
}

function decode(value: unknown, encoding: "utf8" | "latin1"): unknown {
  if (typeof value === "string") return decodeText(value, encoding);
  return Array.isArray(value) ? value.map((item) => decode(item, encoding)) : value;
}

/** A script counts bytes: each character of its answer is one. */
const encodingOf = (command: unknown) =>
  Array.isArray(command) && command[0] === "eval_ro" ? "latin1" : "utf8";

const NOT_REST = ({ url }: RestOptions["variables"]) =>
  new SourceError(`the answer is not that of the Upstash REST protocol, check ${url}`);

const errorOf = (answer: unknown): string | null => {
  const error = typeof answer === "object" && answer !== null && "error" in answer ? answer.error : null;
  return typeof error === "string" ? error : null;
};

function requester({ url, token, signal, variables }: RestOptions): Requester {
  const headers = {
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
    "upstash-encoding": "base64",
  };
  const base = url.replace(/\/$/, "");
  async function request({ path = [], body }: { path?: string[]; body?: unknown }) {
    const answer = await ask({
      url: [base, ...path].join("/"),
      method: "POST",
      headers,
      body: JSON.stringify(body),
      signal,
      maxBytes: MAX_ANSWER_BYTES,
      variable: variables.url,
    });
    const value = jsonOf(answer);
    if (answer.status === 401 || answer.status === 403)
      throw new SourceError(`the token was refused, check ${variables.token}`);
    const error = errorOf(value);
    if (error !== null) throw new SourceError(error);
    if (!answer.ok) throw new SourceError(`the server answered HTTP ${answer.status}`);
    if (!Array.isArray(value)) throw NOT_REST(variables);
    const commands: readonly unknown[] = Array.isArray(body) ? body : [];
    return value.map((entry: unknown, i) => {
      if (typeof entry !== "object" || entry === null) throw NOT_REST(variables);
      const { result, error } = entry as { result?: unknown; error?: unknown };
      return {
        result: decode(result, encodingOf(commands[i])),
        ...(error != null && { error: String(error) }),
      };
    });
  }
  // The client declares one answer; it hands a pipeline's list of answers on as it is.
  return { request: request as unknown as Requester["request"] };
}

/** The client's constructor takes no options beside a requester. */
class RestRedis extends Redis {
  constructor(options: RestOptions) {
    super(requester(options));
    this.opts = { automaticDeserialization: false };
  }
}

/** Opens Redis behind Upstash's REST protocol for one read. It answers pipelines and transactions only. */
export const openRest = (options: RestOptions): Redis => new RestRedis(options);
