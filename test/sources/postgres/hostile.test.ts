/** A server that breaks the protocol: the read fails, says so, and neither hangs nor ends the process. */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { withDeadline } from "../../../shared/deadline.ts";
import { describeError } from "../../../shared/errors.ts";
import { parseAddress } from "../../../shared/sources/postgres/address.ts";
import { openConnection } from "../../../shared/sources/postgres/connection.ts";
import { openPostgres } from "../../../shared/sources/postgres/database.ts";
import {
  authentication,
  columns,
  complete,
  greeting,
  message,
  row,
  type ScriptedPostgres,
  startScriptedPostgres,
  transaction,
} from "../../support/postgres-messages.ts";

let server: ScriptedPostgres;
beforeAll(async () => {
  server = await startScriptedPostgres();
});
afterAll(() => server?.close());

const GREETING = Buffer.concat(greeting());
const decode = (cell: unknown) => (cell === null ? null : Buffer.from(cell as Uint8Array).toString());

const address = () => parseAddress(server.url, "hunter2", null);

/** Reads one statement. @returns its rows, or what is said of the failure */
async function read(deadlineMs = 60_000): Promise<unknown> {
  const database = openPostgres(address(), {
    statementMs: 1_000,
    lockMs: 100,
  });
  try {
    const [rows] = await withDeadline(deadlineMs, (signal) => database.batch(["SELECT id, agent"], signal));
    return rows!.map((cells) => cells.map(decode));
  } catch (error) {
    return describeError(error);
  }
}

test("a sound conversation is read", async () => {
  server.play([GREETING, Buffer.concat(transaction())]);
  expect(await read()).toEqual([
    ["1", "ruby"],
    [null, "Zoë"],
  ]);
});

const SASL = authentication(10, "SCRAM-SHA-256\0\0");
test.each<[string, Buffer[]]>([
  ["a row that is shorter than its cells", [GREETING, Buffer.concat([columns(["a"]), row(["x"], 2)])]],
  ["a description of more columns than it has", [GREETING, columns(["a"], 3)]],
  ["a length of 0", [GREETING, message("D", [], 0)]],
  ["a length of 3", [GREETING, message("C", [], 3)]],
  ["a negative length", [GREETING, message("D", [], -1)]],
  ["a letter that no server sends", [GREETING, message("!")]],
  ["a copy that nobody asked for", [GREETING, message("H", [Buffer.from([0, 0, 0])])]],
  ["an error without an end", [GREETING, message("E", [Buffer.from("SERROR")])]],
  ["an authentication that is cut", [message("R", [Buffer.from([0, 0])])]],
  ["a challenge before there is anything to answer", [authentication(11, "r=a,s=YWJj,i=4096")]],
  ["a challenge that is nonsense", [SASL, authentication(11, "nonsense")]],
  ["a challenge that would take for hours", [SASL, authentication(11, "r=a,s=YWJj,i=2000000000")]],
  ["a row that nothing describes", [GREETING, row(["x"])]],
  [
    "a row of a statement that is over",
    [GREETING, Buffer.concat([columns(["a"]), complete("SELECT 0"), row(["x"])])],
  ],
])("%s ends the read with an error that names the server", async (_, answers) => {
  server.play(answers);
  expect(await read()).toMatch(
    /^what (the server sends|answers there) is no PostgreSQL( protocol \(.+\))?, 127\.0\.0\.1:\d+: DATABASE_URL$/,
  );
});

test("a server that resets the connection, whenever, costs the read and not the process", async () => {
  for (const answers of [[], [GREETING], [GREETING, columns(["a"]).subarray(0, 5)]]) {
    server.play(answers, { end: "resets" });
    expect(await read()).toMatch(/^the server ended the connection, 127\.0\.0\.1:\d+: DATABASE_URL$/);
  }
});

test("a connection that is reset before anything is asked costs the question and not the process", async () => {
  const resetAll = async () => {
    server.reset();
    await expect.poll(server.connections).toBe(0);
  };
  await resetAll();
  server.play([]);
  const connection = await openConnection(address(), new AbortController().signal);
  await expect.poll(server.connections).toBe(1);
  await resetAll();
  await expect(connection.ask(["SELECT 1"])[0]).rejects.toThrow();
});

test("answers that nobody asked for end the connection: they would be taken for those of the next read", async () => {
  const database = openPostgres(address(), { statementMs: 1_000, lockMs: 100 });
  const batch = () => database.batch(["SELECT id, agent"], AbortSignal.timeout(60_000));
  server.play([GREETING, Buffer.concat([...transaction(), columns(["id", "agent"]), row(["2", "opal"])])]);
  await expect(batch()).rejects.toThrow(/^what the server sends is no PostgreSQL protocol \(T of /);
});

test("whatever bytes of a conversation are wrong, the read ends, with rows or an error", async () => {
  const signingIn = [SASL, authentication(11, "r=a,s=c2Fs,i=1"), authentication(12, "v=c2ln")];
  const [plain, signedIn] = [[], signingIn].map((first) =>
    Buffer.concat([...first, ...greeting(), ...transaction()]),
  );
  const change = fc.record({ at: fc.nat(), byte: fc.nat({ max: 255 }) });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(plain!, signedIn!),
      fc.array(change, { maxLength: 3 }),
      async (sound, changes) => {
        const bytes = Buffer.from(sound);
        for (const { at, byte } of changes) bytes[at % bytes.length] = byte;
        // Who waits for more hears of the end.
        server.play([bytes], { end: "ends" });
        expect(String(await read())).not.toMatch(/^no answer within/);
      },
    ),
  );
});
