/** A server that goes down between taking a connection and the first byte on it. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { parseAddress } from "../../../shared/sources/postgres/address.ts";
import { openPostgres } from "../../../shared/sources/postgres/database.ts";

afterEach(() => {
  vi.useRealTimers();
});

test("a connection that is reset before anything was asked on it is tried again, and ends no process", async () => {
  let made = 0;
  const server = createServer((socket) => {
    made += 1;
    // By then the other end has seen the connection.
    setImmediate(() => setImmediate(() => socket.resetAndDestroy()));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const place = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const address = parseAddress(`postgres://canary@${place}/trinity?sslmode=disable`, null, null);
  // The client begins with a timer: with this clock the reset always comes first.
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  const asked = openPostgres(address, { statementMs: 1_000, lockMs: 1_000 }).batch(
    ["SELECT 1"],
    new AbortController().signal,
  );
  await expect(asked).rejects.toThrow(`the server ended the connection, ${place}: DATABASE_URL`);
  expect(made).toBe(2);
  server.close();
});
