/** A connection to a PostgreSQL. The socket is ours, so that a deadline can close it and an idle one keeps no process alive. */
import { once } from "node:events";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { SourceError } from "../../errors.ts";
import type { Address } from "./address.ts";
import { clientOn } from "./client.ts";
import { URL_VARIABLE } from "./errors.ts";

/** What asks a server for TLS, and what cancels: the protocol's requests that are no messages. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
const CANCEL_CODE = 80877102;
const CANCEL_MS = 1_000;

/** Waits for an event. @throws where the socket fails or is closed before, or at the signal */
async function next(socket: Socket, event: string, signal: AbortSignal): Promise<unknown[]> {
  const settled = new AbortController();
  const ended = AbortSignal.any([signal, settled.signal]);
  try {
    return await Promise.race([
      once(socket, event, { signal: ended }),
      once(socket, "close", { signal: ended }).then(() => {
        throw Object.assign(new Error("closed"), { code: "ECONNRESET" });
      }),
    ]);
  } finally {
    settled.abort();
  }
}

async function secured(socket: Socket, { host, tls, place }: Address, signal: AbortSignal): Promise<Socket> {
  socket.write(SSL_REQUEST);
  const [answer] = (await next(socket, "data", signal)) as [Buffer];
  // Whatever follows the letter was not sent by who holds the certificate.
  const said = answer.toString("latin1");
  if (said !== "S" && said !== "N")
    throw new SourceError(`what answers there is no PostgreSQL, ${place}: ${URL_VARIABLE}`);
  if (said === "N")
    throw new SourceError(
      `the server has no TLS: turn it on there, or write sslmode=disable on a private network, ${place}: ${URL_VARIABLE}`,
    );
  const secure = connectTls({
    socket,
    host,
    ...(isIP(host) === 0 && { servername: host }),
    ...(tls?.ca && { ca: tls.ca }),
  });
  secure.on("error", () => {});
  try {
    await next(secure, "secureConnect", signal);
    return secure;
  } catch (error) {
    secure.destroy();
    throw error;
  }
}

/** A server that is reached at all is connected by then. A firewall, such as a security group, drops what it does not let in. */
const CONNECT_MS = 5_000;

/** Waits for the connection. @throws ETIMEDOUT where nobody answers: the system would try for two minutes */
async function connected(socket: Socket, signal: AbortSignal, connectMs: number): Promise<void> {
  const late = AbortSignal.timeout(connectMs);
  try {
    await next(socket, "connect", AbortSignal.any([signal, late]));
  } catch (error) {
    if (!late.aborted || signal.aborted) throw error;
    throw Object.assign(new Error("no answer"), { code: "ETIMEDOUT" });
  }
}

/** Opens a socket to the server, with TLS where the address asks for it. */
async function openSocket(address: Address, signal: AbortSignal, connectMs = CONNECT_MS): Promise<Socket> {
  const socket = connectTcp({ host: address.host, port: address.port, noDelay: true });
  // It may fail while nobody waits for it. Who waits hears of its end.
  socket.on("error", () => {});
  try {
    await connected(socket, signal, connectMs);
    return address.tls === null ? socket : await secured(socket, address, signal);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

export type Rows = readonly (readonly (Uint8Array | null)[])[];

export interface Connection {
  readonly isOpen: boolean;
  /** Sends the texts at once. Each gives the rows of its statements, or fails by itself. */
  ask(texts: readonly string[]): Promise<readonly Rows[]>[];
  /** Has the server end what it does for this connection, and closes it. */
  cut(): Promise<void>;
  close(): void;
  /** Says whether the connection keeps the process alive. */
  keepAlive(isNeeded: boolean): void;
}

/** What the server calls a connection: its process, and the secret that cancels. */
interface Backend {
  readonly pid: number | null;
  readonly secret: number | null;
}

/** What the client's types leave out of a query: who answers it, once it was sent. */
interface Query extends Promise<Rows | readonly Rows[]> {
  readonly state: Backend | null;
}

/** Asks the server to end what that backend does. It answers nothing. */
async function cancel(address: Address, { pid, secret }: Backend): Promise<void> {
  if (pid === null || secret === null) return;
  const signal = AbortSignal.timeout(CANCEL_MS);
  const socket = await openSocket(address, signal);
  const request = Buffer.alloc(16);
  for (const [i, word] of [request.length, CANCEL_CODE, pid, secret].entries())
    request.writeUInt32BE(word, i * 4);
  socket.end(request);
  try {
    await next(socket.resume(), "end", signal);
  } finally {
    socket.destroy();
  }
}

/**
 * Connects, and leaves the greeting to the first question.
 * @param connectMs how long a server may take that does not answer at all
 * @throws where no connection can be made
 */
export async function openConnection(
  address: Address,
  signal: AbortSignal,
  connectMs?: number,
): Promise<Connection> {
  const socket = await openSocket(address, signal, connectMs);
  const { sql, expectAnswers } = clientOn(socket, address);
  let asked: readonly Query[] = [];
  // The client keeps what it had not sent for another connection. An error of the server comes before the end of the socket.
  const closed = new Promise<never>((_, reject) => {
    const end = () => reject(Object.assign(new Error("closed"), { code: "ECONNRESET" }));
    socket.once("close", () => setImmediate(end));
  });
  closed.catch(() => {});
  return {
    get isOpen() {
      return !socket.destroyed && socket.readyState === "open";
    },
    ask(texts) {
      expectAnswers(texts.length);
      // They leave in one piece.
      socket.cork();
      setImmediate(() => socket.uncork());
      asked = texts.map((text) => sql.unsafe(text).raw() as unknown as Query);
      return asked.map(async (query) => {
        const answers = await Promise.race([query, closed]);
        // Of several statements, each has its rows; of one, there are only its rows.
        return "command" in answers ? [answers as Rows] : (answers as readonly Rows[]);
      });
    },
    async cut() {
      const { state } = asked.find((query) => query.state !== null) ?? {};
      if (state) await cancel(address, state).catch(() => {});
      socket.destroy();
    },
    close: () => void socket.destroy(),
    keepAlive: (isNeeded) => void (isNeeded ? socket.ref() : socket.unref()),
  };
}
