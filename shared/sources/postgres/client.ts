/** The client of PostgreSQL, on a socket of ours. */
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import postgres from "postgres";
import { SourceError } from "../../errors.ts";
import type { Address } from "./address.ts";
import { URL_VARIABLE } from "./errors.ts";
import { frames, UnreadableAnswer } from "./frames.ts";

/**
 * What the client takes for its socket. It hears whole messages that were checked, and nothing before it listens. What it throws
 * while it hears them ends the connection.
 */
function checkedSocket(socket: Socket, take: (chunk: Buffer) => Buffer, place: string) {
  const heard = new EventEmitter();
  const hear = (chunk: Buffer) => {
    // What was read before an end still comes after it.
    if (socket.destroyed) return;
    try {
      const messages = take(chunk);
      if (messages.length > 0) heard.emit("data", messages);
    } catch (error) {
      const why = error instanceof UnreadableAnswer ? error.message : "the client can't read the answer";
      socket.destroy(new SourceError(`${why}, ${place}: ${URL_VARIABLE}`));
    }
  };
  heard.on("newListener", (event) => void (event === "data" && socket.on("data", hear)));
  for (const event of ["close", "drain"]) socket.on(event, (...about) => heard.emit(event, ...about));
  // An error that nobody listens to would be thrown.
  socket.on("error", (error) => heard.listenerCount("error") > 0 && heard.emit("error", error));
  return Object.assign(heard, {
    write: socket.write.bind(socket),
    setKeepAlive: socket.setKeepAlive.bind(socket),
    destroy: () => void socket.destroy(),
  });
}

/** The client, on this socket and no other: it would connect again by itself, past the deadline. */
export function clientOn(socket: Socket, { host, port, user, database, password, place }: Address) {
  const { take, ask } = frames();
  let isGiven = false;
  const options = {
    host: [host],
    port: [port],
    user,
    database,
    pass: () => password ?? "",
    max: 1,
    ssl: false,
    prepare: false,
    fetch_types: false,
    connect_timeout: 0,
    idle_timeout: 0,
    max_lifetime: null,
    onnotice() {},
    connection: { application_name: "trinity-canary" },
    socket: async () => {
      if (isGiven) throw Object.assign(new Error("closed"), { code: "ECONNRESET" });
      isGiven = true;
      return checkedSocket(socket, take, place);
    },
  };
  return {
    // Its types leave out `socket`.
    sql: postgres(options as unknown as postgres.Options<Record<string, never>>),
    /** Called with the number of texts that are sent. */
    expectAnswers: ask,
  };
}
