/** What a PostgreSQL server sends, message by message, and a server that sends what it is told. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

const int16 = (n: number) => Buffer.from([n >> 8, n & 255]);
const int32 = (n: number) => Buffer.from([n >> 24, (n >> 16) & 255, (n >> 8) & 255, n & 255]);
const text = (value: string) => Buffer.from(`${value}\0`);

/** A message. @param length what it says of its length; left out: the truth */
export function message(letter: string, parts: readonly Buffer[] = [], length?: number): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(letter), int32(length ?? body.length + 4), body]);
}

/** @param data what the kind of authentication has of its own */
export const authentication = (kind: number, data = ""): Buffer =>
  message("R", [int32(kind), Buffer.from(data)]);

export const parameter = (name: string, value: string): Buffer => message("S", [text(name), text(value)]);
export const backendKey = (): Buffer => message("K", [int32(42), int32(7)]);
export const ready = (status = "T"): Buffer => message("Z", [Buffer.from(status)]);
export const complete = (tag: string): Buffer => message("C", [text(tag)]);

/** @param count what it says of its columns; left out: the truth */
export const columns = (names: readonly string[], count = names.length): Buffer =>
  message("T", [
    int16(count),
    ...names.flatMap((name) => [text(name), int32(0), int16(0), int32(25), int16(-1), int32(-1), int16(0)]),
  ]);

/** @param count what it says of its columns; left out: the truth */
export const row = (cells: readonly (string | null)[], count = cells.length): Buffer =>
  message("D", [
    int16(count),
    ...cells.flatMap((cell) =>
      cell === null ? [int32(-1)] : [int32(Buffer.byteLength(cell)), Buffer.from(cell)],
    ),
  ]);

/** An error or, as "N", a notice. */
export const complaint = (letter: "E" | "N", fields: Readonly<Record<string, string>>): Buffer =>
  message(letter, [
    ...Object.entries(fields).map(([field, value]) => text(`${field}${value}`)),
    Buffer.from([0]),
  ]);

/** How a server greets that asks for no password. */
export const greeting = (): Buffer[] => [
  authentication(0),
  parameter("server_version", "16.4"),
  parameter("client_encoding", "UTF8"),
  backendKey(),
  ready("I"),
];

/** What the canary's transaction gets for one text, from the beginning to the end: two rows, and no table was rewritten. */
export const transaction = (): Buffer[] => [
  ...[complete("BEGIN"), complete("SET"), complaint("N", { S: "NOTICE", C: "00000", M: "a notice" })],
  ...[columns(["set_config"]), row(["UTF8"]), complete("SELECT 1"), complete("SAVEPOINT"), ready()],
  ...[columns(["id", "agent"]), row(["1", "ruby"]), row([null, "Zoë"]), complete("SELECT 2"), ready()],
  ...[complete("ROLLBACK"), columns(["relname"]), complete("SELECT 0"), ready()],
  ...[complete("COMMIT"), ready("I")],
];

export interface ScriptedPostgres {
  readonly url: string;
  /**
   * Sends these one by one, each when the client has sent something. With the last one it does what `end` says; left out: it waits.
   */
  play(answers: readonly Buffer[], options?: { readonly end?: "ends" | "resets" | "waits" }): void;
  /** How many connections are open now. */
  readonly connections: () => number;
  /** Resets them. */
  reset(): void;
  close(): Promise<void>;
}

/** A server that sends what it is told, whatever it is asked. */
export async function startScriptedPostgres(): Promise<ScriptedPostgres> {
  const open = new Set<Socket>();
  let script: Parameters<ScriptedPostgres["play"]> = [[]];
  const server = createServer((socket) => {
    open.add(socket.on("error", () => {}).on("close", () => open.delete(socket)));
    const [answers, { end = "waits" } = {}] = script;
    const left = [...answers];
    const sendNext = () => {
      const answer = left.shift();
      if (answer !== undefined) socket.write(answer);
      if (left.length > 0 || end === "waits") return;
      if (end === "resets") socket.resetAndDestroy();
      else socket.end();
    };
    socket.on("data", sendNext);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `postgres://canary@127.0.0.1:${(server.address() as AddressInfo).port}/trinity?sslmode=disable`,
    play(...given) {
      script = given;
    },
    connections: () => open.size,
    reset() {
      for (const socket of open) socket.resetAndDestroy();
    },
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
