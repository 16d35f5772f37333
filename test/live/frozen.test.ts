/** A function is frozen between two reads, and the ends of its connections are lost meanwhile. The next read is whole. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type LocalRedis, startRedis } from "../../infra/local/redis.ts";
import { redisRestApp } from "../../infra/local/redis-rest.ts";
import { serve } from "../../infra/local/serve.ts";
import { describeLive, startSqld } from "../support/live.ts";
import { type LostFinProxy, startLostFinProxy } from "../support/lost-fin-proxy.ts";
import type { Reader, ReadOrder } from "../support/reading-child.ts";

describeLive(["redis-server", "sqld"], "a process that is frozen between two reads", () => {
  let child: ChildProcess;
  let redis: LocalRedis;
  let accessor: Server;
  const proxies = {} as Record<Reader, LostFinProxy>;
  const parts: { close(): unknown }[] = [];
  beforeAll(async () => {
    redis = await startRedis();
    await redis.client.set("canary:drain_tick_at", "1");
    const rest = await serve(redisRestApp(redis, "token"), 0);
    const sqld = await startSqld();
    accessor = createServer((request, response) => {
      request.resume().on("end", () => response.end(request.method === "GET" ? '{"counts": {}}' : "ok"));
    });
    // The server would keep an idle connection for longer than the test runs.
    accessor.keepAliveTimeout = 600_000;
    accessor.listen(0, "127.0.0.1");
    await once(accessor, "listening");
    const accessorUrl = `http://127.0.0.1:${(accessor.address() as AddressInfo).port}`;
    const targets = {
      redis: rest.url,
      database: sqld.url,
      accessor: accessorUrl,
      slack: accessorUrl,
      fetch: accessorUrl,
    };
    for (const [reader, url] of Object.entries(targets))
      proxies[reader as Reader] = await startLostFinProxy({ target: new URL(url) });
    parts.push(...Object.values(proxies), rest, redis, sqld);
    child = fork(fileURLToPath(new URL("../support/reading-child.ts", import.meta.url)), { execArgv: [] });
  });
  afterAll(async () => {
    child?.disconnect();
    for (const part of parts) await part.close();
    accessor?.closeAllConnections();
    accessor?.close();
  });

  async function read(reader: Reader): Promise<unknown> {
    child.send({ reader, url: proxies[reader].url } satisfies ReadOrder);
    const [answer] = await once(child, "message");
    return answer;
  }

  /** Freezes the process, loses the ends of all its connections, and asks it at once when it goes on. */
  async function readAfterFreeze(reader: Reader): Promise<unknown> {
    child.kill("SIGSTOP");
    proxies[reader].loseFins();
    const answer = read(reader);
    child.kill("SIGCONT");
    return answer;
  }

  test("connections that are kept over the freeze are dead: a fetch fails", async () => {
    expect(await read("fetch")).toBe("");
    expect(await readAfterFreeze("fetch")).toBe("ECONNRESET");
  });

  test.each(["redis", "database", "accessor", "slack"] as const)(
    "%s is reached, time and again",
    async (reader) => {
      expect(await read(reader)).toBe("");
      for (let freeze = 0; freeze < 3; freeze += 1) expect(await readAfterFreeze(reader)).toBe("");
    },
  );
});
