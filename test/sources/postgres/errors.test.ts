/** What an operator reads where no connection could be made: what is wrong, what to check, where, and which variable says so. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect, test } from "vitest";
import { parseAddress } from "../../../shared/sources/postgres/address.ts";
import { openConnection } from "../../../shared/sources/postgres/connection.ts";
import { connectionError } from "../../../shared/sources/postgres/errors.ts";

const ADDRESS = parseAddress("postgres://canary:hunter2@db.example.com/trinity", null, null);

test.each([
  ["ECONNREFUSED", /^no server listens there \(ECONNREFUSED\): check host and port/],
  ["ENOTFOUND", /^there is no such host name \(ENOTFOUND\): check how it is spelled/],
  ["EAI_AGAIN", /^the host name can't be looked up \(EAI_AGAIN\): check the name server/],
  [
    "EHOSTUNREACH",
    /^the host can't be reached from here \(EHOSTUNREACH\): check network, route and security group/,
  ],
  [
    "ENETUNREACH",
    /^the host can't be reached from here \(ENETUNREACH\): check network, route and security group/,
  ],
  ["ETIMEDOUT", /^the host does not answer \(ETIMEDOUT\): check host and port, network and security group/],
])("%s", (code, said) => {
  const error = Object.assign(new Error(`connect ${code} postgres://canary:hunter2@db.example.com`), {
    code,
  });
  const { message } = connectionError(error, ADDRESS);
  expect(message).toMatch(said);
  expect(message).toMatch(/, db\.example\.com:5432: DATABASE_URL$/);
  expect(message).not.toContain("hunter2");
});

test("a host that drops what is sent to it, as a security group does, is said not to answer, before the deadline", async () => {
  const script = `const s = require("node:net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => console.log(s.address().port))`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "ignore"] });
  const waiting: Socket[] = [];
  try {
    const port = Number(String((await once(child.stdout, "data"))[0]));
    child.kill("SIGSTOP");
    // Once its queue is full, the system drops who comes.
    for (let i = 0; i < 8; i += 1) waiting.push(connect(port, "127.0.0.1").on("error", () => {}));
    await Promise.race(waiting.map((socket) => once(socket, "connect")));
    const address = parseAddress(`postgres://canary@127.0.0.1:${port}/trinity?sslmode=disable`, null, null);
    const error = await openConnection(address, new AbortController().signal, 300).catch((e: unknown) => e);
    expect(connectionError(error, address).message).toMatch(
      /^the host does not answer \(ETIMEDOUT\): check host and port/,
    );
  } finally {
    for (const socket of waiting) socket.destroy();
    child.kill("SIGKILL");
  }
});
