/**
 * A connection to one Docker daemon. dockerode knows the API. Its requests are sent here, since docker-modem's own read
 * answers of any size, and follow redirects to any address.
 */
import http from "node:http";
import https from "node:https";
import Docker from "dockerode";
import { SourceError } from "../../errors.ts";
import { bodyOf } from "../../http.ts";
import { cut } from "../../text.ts";

/** Client certificates for daemons on TCP, in PEM. */
export type DockerTls = { readonly [K in "ca" | "cert" | "key"]?: string };

/** A container takes two or three kilobytes of a list. */
export const MAX_LIST_BYTES = 8_000_000;
/** An inspect has some kilobytes. Many are read at once. */
export const MAX_ANSWER_BYTES = 1_000_000;
const MAX_MESSAGE = 200;

/** docker-modem takes an agent, which its types leave out. */
type ModemOptions = Docker.DockerOptions & { agent: http.Agent };

/** What docker-modem says of a request beside the options of Node. */
interface Asked {
  readonly path: string;
  /** The answer is given as a stream. */
  readonly isStream?: boolean;
  /** True for those of an answer; a text for those of a refusal. */
  readonly statusCodes: Readonly<Record<number, true | string>>;
}

/** What answers is something else than Docker. */
export class NotADaemon extends SourceError {
  constructor() {
    super("the answer is not that of a Docker daemon");
  }
}

const open = (
  options: https.RequestOptions,
  body: string | undefined,
  isTls: boolean,
): Promise<http.IncomingMessage> =>
  new Promise((resolve, reject) => {
    const { request } = isTls ? https : http;
    request(options).on("error", reject).on("response", resolve).end(body);
  });

/** Parses JSON; undefined where it is something else. */
function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}

/** The daemon did not do what it was asked for. Its status tells why. */
function refusal(statusCode: number, body: Buffer): Error {
  const { message } = Object(parsed(body)) as { message?: unknown };
  const why = typeof message === "string" ? `: ${cut(message, MAX_MESSAGE)}` : "";
  return Object.assign(new Error(`the daemon answered HTTP ${statusCode}${why}`), { statusCode });
}

/**
 * Sends a request.
 * @returns the stream of its answer, where that is asked for; otherwise what its JSON says
 * @throws AnswerTooLarge where it is larger than that of any daemon; an error with a `statusCode` where the daemon refuses
 */
async function answerTo(
  asked: Asked,
  options: https.RequestOptions,
  body: string | undefined,
  isTls: boolean,
) {
  const response = await open(options, body, isTls);
  const { statusCode = 0 } = response;
  const isRefused = asked.statusCodes[statusCode] !== true;
  if (asked.isStream && !isRefused) return response;
  const isList = asked.path.startsWith("/containers/json");
  const bytes = await bodyOf(response, isList ? MAX_LIST_BYTES : MAX_ANSWER_BYTES);
  if (isRefused) throw refusal(statusCode, bytes);
  const answer = parsed(bytes);
  if (answer === undefined) throw new NotADaemon();
  return answer;
}

/**
 * Connects to one daemon.
 * @param maxSockets how many connections there are at once; they are kept until `close`
 */
export function connect(host: string, tls: DockerTls, maxSockets: number): { docker: Docker; close(): void } {
  const kept = { keepAlive: true, maxSockets, maxFreeSockets: maxSockets };
  const isTls = !host.startsWith("unix://");
  const agent = isTls ? new https.Agent({ ...kept, ...tls }) : new http.Agent(kept);
  const { hostname, port } = new URL(host);
  const options: ModemOptions = isTls
    ? { protocol: "https", host: hostname, port, agent }
    : { socketPath: host.slice("unix://".length), agent };
  const docker = new Docker(options);
  const buildRequest = (
    options: https.RequestOptions,
    asked: Asked,
    body: string | undefined,
    callback: (error: unknown, answer?: unknown) => void,
  ) => void answerTo(asked, options, body, isTls).then((answer) => callback(null, answer), callback);
  Object.assign(docker.modem, { buildRequest });
  return { docker, close: () => agent.destroy() };
}
