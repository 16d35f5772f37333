/** What the three sources that speak HTTP have in common: where they go, how much they take, how long they stay. */
import type { ServerResponse } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { withDeadline } from "../shared/deadline.ts";
import { describeError } from "../shared/errors.ts";
import type { FactName, Readings } from "../shared/facts/facts.ts";
import { ask, type SourceRequest } from "../shared/http.ts";
import { queueCounts } from "../shared/sources/queue-counts/queue-counts.ts";
import { redisReader } from "../shared/sources/redis/redis.ts";
import type { Source, SourceContext } from "../shared/sources/source.ts";
import { openDatabase } from "../shared/sources/sqlite/database.ts";
import { SQLITE } from "../shared/sources/sqlite/dialect.ts";
import { startLostFinProxy } from "./support/lost-fin-proxy.ts";
import {
  type Asked,
  type ScriptedServer,
  sendForEver,
  startScriptedServer,
} from "./support/scripted-server.ts";

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const server of opened.splice(0)) await server.close();
});
async function serverOf(answer: (asked: Asked, response: ServerResponse) => void): Promise<ScriptedServer> {
  const server = await startScriptedServer(answer);
  opened.push(server);
  return server;
}

/** Finds no queue in SQL. */
const noRows = async (statements: readonly string[]) => statements.map(() => [[""]]);
const CONTEXT = { database: { sql: SQLITE, batch: noRows, separately: noRows } } as unknown as SourceContext;

async function reasonsOf(read: Source["read"] | string, wanted: FactName[], signal: AbortSignal) {
  const context = { signal, now: () => 1_000, wanted: new Set(wanted), since: { ended: null } };
  const { readings, unavailable } = await (read as Source["read"])(context);
  return { readings, unavailable };
}

interface Read {
  readonly readings: Readings;
  readonly unavailable: readonly string[];
}
const NOTHING: Read = { readings: {}, unavailable: [] };

/** Each reads its source at that address, with the token "hunter2". */
const SOURCES = {
  LIBSQL_URL: async (url: string, signal: AbortSignal): Promise<Read> => {
    await openDatabase(url, "hunter2").batch(["SELECT 1"], signal);
    return NOTHING;
  },
  UPSTASH_REDIS_REST_URL: (url: string, signal: AbortSignal): Promise<Read> =>
    reasonsOf(redisReader({ url, token: "hunter2" }), ["slots", "drainTick"], signal),
  QUEUE_COUNTS_URL: (url: string, signal: AbortSignal): Promise<Read> =>
    reasonsOf(queueCounts.configure({ url, token: "hunter2" }, CONTEXT), ["queueCounts"], signal),
};
const EACH = Object.entries(SOURCES).map(([variable, read]) => ({ variable, read }));

const inTime = <T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> => withDeadline(60_000, work);
/** What the operator reads of the failure. */
const failureOf = (read: (typeof EACH)[number]["read"], url: string): Promise<string> =>
  inTime((signal) => read(url, signal)).then(() => "it was read", describeError);

describe.each(EACH)("$variable", ({ variable, read }) => {
  test.each([301, 302, 303, 307, 308])(
    "HTTP %d is not followed: nobody else hears of the request",
    async (status) => {
      const elsewhere = await serverOf((_, response) => response.end('{"counts": {"ruby": 77}}'));
      const server = await serverOf((_, response) => {
        response.writeHead(status, { location: `${elsewhere.url}/invocation/next?key=secret` }).end();
      });
      expect(await failureOf(read, server.url)).toBe(
        `the answer is a redirect (HTTP ${status}), which is not followed: check ${variable}`,
      );
      expect(elsewhere.asked).toEqual([]);
      expect(server.asked.length).toBeGreaterThan(0);
    },
  );

  test.each([
    ["that never ends", "x".repeat(60_000)],
    ["of one line that never ends", `"${"[1,".repeat(20_000)}`],
  ])("an answer %s is cut", async (_, piece) => {
    const server = await serverOf((_asked, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      sendForEver(response, piece);
    });
    expect(await failureOf(read, server.url)).toMatch(/^the answer is larger than (8|32) MB$/);
  });

  test("an error that never ends is cut as well", async () => {
    const server = await serverOf((_, response) => {
      response.writeHead(500);
      sendForEver(response, "boom".repeat(10_000));
    });
    expect(await failureOf(read, server.url)).toMatch(/^the answer is larger than (8|32) MB$/);
  });

  test("an answer that stops half-way is cut at the deadline", async () => {
    const server = await serverOf((_, response) => {
      response.writeHead(200, { "content-length": "1000" }).write("{");
    });
    const work = withDeadline(300, (signal) => read(server.url, signal));
    expect(await work.then(() => "it was read", describeError)).toBe("no answer within 300 ms");
  });

  test("no connection outlives its read, whether it went well or not", async () => {
    const server = await serverOf((_, response) => response.end('{"counts": {}}'));
    await failureOf(read, server.url);
    await expect.poll(server.connections, { timeout: 30_000 }).toBe(0);
  });

  test("the token is sent to that address", async () => {
    const server = await serverOf((_, response) => response.writeHead(401).end("{}"));
    expect(await failureOf(read, server.url)).toMatch(
      /check (LIBSQL_AUTH|UPSTASH_REDIS_REST|QUEUE_COUNTS)_TOKEN$/,
    );
    for (const { headers } of server.asked) expect(headers.authorization).toBe("Bearer hunter2");
  });
});

test("a libsql server that names another one for the next request does not get it asked, nor its token told", async () => {
  const elsewhere = await serverOf((_, response) => response.end("{}"));
  const none = { cols: [], rows: [], affected_row_count: 0 };
  const server = await serverOf(({ body }, response) => {
    const { requests } = JSON.parse(body) as { requests: { type: string; batch?: { steps: unknown[] } }[] };
    const results = requests.map(({ type, batch }) => {
      const steps = batch?.steps ?? [];
      const result = batch
        ? { step_results: steps.map(() => none), step_errors: steps.map(() => null) }
        : none;
      return { type: "ok", response: { type, result } };
    });
    response
      .writeHead(200, { "content-type": "application/json" })
      .end(JSON.stringify({ baton: "b", base_url: elsewhere.url, results }));
  });
  const failure = inTime((signal) =>
    openDatabase(server.url, "hunter2").separately(["SELECT 1", "SELECT 2"], signal),
  );
  expect(await failure.then((answers) => answers.map(String).join(), describeError)).toContain(
    "the server names another address, which is not followed: check LIBSQL_URL",
  );
  expect(elsewhere.asked).toEqual([]);
});

describe("asking", () => {
  const to = (url: string, signal: AbortSignal, differs: Partial<SourceRequest> = {}): SourceRequest => ({
    url,
    signal,
    maxBytes: 1_000_000,
    variable: "SOME_URL",
    ...differs,
  });

  test("gives status, kind and bytes of the answer, and sends what it is given", async () => {
    const server = await serverOf((_, response) => {
      response.writeHead(418, { "content-type": "text/plain" }).end(Buffer.from([0xff, 0x00]));
    });
    const request = { method: "POST", headers: { "x-one": "1" }, body: "hello" };
    const answer = await inTime((signal) => ask(to(`${server.url}/path?q=1`, signal, request)));
    expect(answer).toEqual({
      status: 418,
      ok: false,
      headers: expect.objectContaining({ "content-type": "text/plain" }),
      body: Buffer.from([0xff, 0x00]),
    });
    expect(server.asked).toMatchObject([
      { method: "POST", path: "/path?q=1", body: "hello", headers: { "x-one": "1" } },
    ]);
  });

  test("an answer of exactly the limit is whole, one byte more is cut", async () => {
    const server = await serverOf(({ path }, response) => response.end("x".repeat(Number(path.slice(1)))));
    await inTime(async (signal) => {
      const { body } = await ask(to(`${server.url}/1000000`, signal));
      expect(body).toHaveLength(1_000_000);
      await expect(ask(to(`${server.url}/1000001`, signal))).rejects.toThrow(
        "the answer is larger than 1 MB",
      );
    });
  });

  test("the requests of one read share a connection, those of two do not", async () => {
    const server = await serverOf((_, response) => response.end("ok"));
    for (let read = 0; read < 2; read += 1)
      await inTime(async (signal) => {
        await ask(to(server.url, signal));
        await ask(to(server.url, signal));
      });
    const [a, b, c, d] = server.asked.map(({ port }) => port);
    expect([a === b, c === d, a === c]).toEqual([true, true, false]);
  });

  test("a connection that died within a read costs one more try, however many have died", async () => {
    const server = await serverOf((_, response) => response.end("ok"));
    const proxy = await startLostFinProxy({ target: new URL(server.url) });
    opened.push(proxy);
    await inTime(async (signal) => {
      await Promise.all([1, 2, 3, 4].map(() => ask(to(proxy.url, signal))));
      proxy.loseFins();
      for (let request = 0; request < 4; request += 1)
        expect((await ask(to(proxy.url, signal))).body.toString()).toBe("ok");
    });
    expect(server.asked).toHaveLength(8);
  });

  test("a server that resets each connection is asked twice, and no more", async () => {
    const server = await serverOf((_, response) => response.socket?.resetAndDestroy());
    const failure = inTime((signal) => ask(to(server.url, signal)));
    expect(await failure.then(() => "it was read", describeError)).toBe("ECONNRESET");
    expect(server.asked).toHaveLength(2);
  });

  test("a request that is sent once is not sent again, and its connection is its own", async () => {
    const server = await serverOf((_, response) => response.socket?.resetAndDestroy());
    const failure = inTime((signal) => ask({ ...to(server.url, signal), isOnce: true }));
    expect(await failure.then(() => "it was read", describeError)).toBe("ECONNRESET");
    expect(server.asked).toHaveLength(1);

    const healthy = await serverOf((_, response) => response.end("ok"));
    await inTime(async (signal) => {
      for (let n = 0; n < 2; n += 1) await ask({ ...to(healthy.url, signal), isOnce: true });
    });
    expect(new Set(healthy.asked.map(({ port }) => port)).size).toBe(2);
  });

  test("an answer that was begun is not asked for again", async () => {
    const server = await serverOf((_, response) => {
      response
        .writeHead(200, { "content-length": "1000" })
        .write("{", () => response.socket?.resetAndDestroy());
    });
    const failure = inTime((signal) => ask(to(server.url, signal)));
    expect(await failure.then(() => "it was read", describeError)).toBe("ECONNRESET");
    expect(server.asked).toHaveLength(1);
  });

  test("nothing is sent under a signal that has ended", async () => {
    const server = await serverOf((_, response) => response.end("ok"));
    await expect(ask(to(server.url, AbortSignal.abort(new Error("over"))))).rejects.toThrow("over");
    expect(server.asked).toEqual([]);
  });
});
