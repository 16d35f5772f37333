/** What is asked of a real Redis, by size, and what one unreadable part of it spoils. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { fillRedis } from "../../infra/bench/fleet.ts";
import { type Recorder, startRecorder } from "../../infra/bench/recorder.ts";
import { type LocalRedis, startRedis } from "../../infra/local/redis.ts";
import { redisRestApp } from "../../infra/local/redis-rest.ts";
import { serve } from "../../infra/local/serve.ts";
import { seededRandom } from "../../infra/soak/random.ts";
import { withDeadline } from "../../shared/deadline.ts";
import type { Reading } from "../../shared/facts/facts.ts";
import { REDIS_FACTS } from "../../shared/facts/trust.ts";
import { redisReader } from "../../shared/sources/redis/redis.ts";
import { describeLive } from "../support/live.ts";

const TOKEN = "token";
const NOW_MS = Date.now();
const bytes = (...parts: (string | number)[]) =>
  Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : Buffer.from([part]))));
const valueIn = <T>(reading: Reading<T> | undefined): T => {
  if (!reading?.read) throw new Error(`it is unread: ${reading?.reason}`);
  return reading.value;
};

/** How slots are read, and what makes a server refuse the other way. */
const WAYS = [
  { way: "scripts", acl: "+eval_ro" },
  { way: "transactions", acl: "-eval_ro" },
] as const;

describeLive(["redis-server"], "reading Redis", () => {
  describe.each(WAYS)("by $way", ({ way, acl }) => {
    const isScripted = way === "scripts";
    let redis: LocalRedis;
    let rest: { url: string; close(): Promise<void> };
    let recorder: Recorder;
    beforeAll(async () => {
      redis = await startRedis();
      rest = await serve(redisRestApp(redis, TOKEN), 0);
      recorder = await startRecorder(rest.url);
      await redis.client.call("ACL", "SETUSER", "default", acl);
    });
    afterAll(async () => {
      for (const part of [recorder, rest, redis]) await part?.close();
    });
    beforeEach(async () => {
      await redis.client.flushall();
      recorder.requests.length = 0;
    });

    async function read(reader = redisReader({ url: recorder.url, token: TOKEN })) {
      const { readings, unavailable } = await withDeadline(60_000, (signal) =>
        reader({
          signal,
          now: () => NOW_MS,
          wanted: new Set(REDIS_FACTS),
          since: { ended: null },
        }),
      );
      const { slots, drainTick, pullPolls, platformKeys } = readings;
      return { slots, drainTick, pullPolls, platformKeys, unavailable };
    }
    /** Members of a set, with scores from 1 on. Redis makes them itself. */
    const addMembers = (agent: string, count: number) =>
      redis.client.eval(
        "for n = 1, ARGV[1] do redis.call('ZADD', KEYS[1], n, 'run-' .. n) end",
        1,
        `agent:slots:${agent}`,
        count,
      );
    const requests = () =>
      recorder.requests.map(({ path, body, answer }) => ({
        path,
        commands: JSON.parse(Buffer.from(body, "base64").toString()) as (string | number)[][],
        answerBytes: Buffer.byteLength(answer, "base64"),
      }));

    describe("how much is asked for at once", () => {
      /** Redis gives a key of SCAN, a member of ZRANGE or a small command in 0.5 to 1.5 µs, and a command of a script in some 5: 5 ms at most for each of these. */
      function expectBounded() {
        for (const { path, commands, answerBytes } of requests()) {
          expect(commands.length).toBeLessThanOrEqual(500);
          expect(answerBytes).toBeLessThan(400_000);
          let members = 0;
          for (const [name, ...args] of commands) {
            const command = String(name).toUpperCase();
            expect(["GET", "SCAN", "EVAL_RO", "ZRANGE", "EXPIRETIME", "HGET", "ZSCORE", "ZCARD"]).toContain(
              command,
            );
            const isAlone =
              ["SCAN", "GET", "EVAL_RO", "ZCARD"].includes(command) || args[0] === "canary:drain_tick_at";
            expect(isAlone).toBe(path === "/pipeline");
            if (command === "SCAN") expect([commands.length, args.at(-1)]).toEqual([1, 2_500]);
            if (command === "EVAL_RO") {
              const [, keys] = args;
              expect([commands.length, args.slice(2 + Number(keys))[0]]).toEqual([1, "900"]);
              expect(Number(keys)).toBeLessThanOrEqual(160);
            }
            if (command !== "ZRANGE") continue;
            const [, from, to] = args.map(Number) as [number, number, number];
            expect(from).toBe(0);
            expect(to).toBeGreaterThan(0);
            members += to + 1;
          }
          expect(members).toBeLessThanOrEqual(2_000);
        }
      }

      test("of a fleet of 2,000 agents", async () => {
        await fillRedis(redis.client, { agents: 2_000, oldRows: 0 }, NOW_MS);
        const { slots, unavailable } = await read();
        expect(unavailable).toEqual([]);
        expect([...valueIn(slots).byAgent.values()].flat()).toHaveLength(4_000);
        expectBounded();
        const transactions = requests().filter(({ path }) => path === "/multi-exec");
        const scripts = requests().filter(({ commands }) => commands[0]![0] === "eval_ro");
        // A ZRANGE of up to six members, and EXPIRETIME and HGET of two slots, for each agent.
        expect(transactions).toHaveLength(isScripted ? 0 : Math.ceil(2_000 / 76));
        expect(scripts).toHaveLength(isScripted ? 2 * Math.ceil(1_000 / 160) : 2);
      });

      test("a script that is refused is not tried again by this process", async () => {
        await addMembers("fine", 2);
        const reader = redisReader({ url: recorder.url, token: TOKEN });
        const scripts = [];
        for (const _ of [1, 2]) {
          recorder.requests.length = 0;
          expect(valueIn((await read(reader)).slots).byAgent.get("fine")).toHaveLength(2);
          scripts.push(requests().filter(({ commands }) => commands[0]![0] === "eval_ro").length);
        }
        expect(scripts).toEqual(isScripted ? [1, 1] : [1, 0]);
      });

      test("of 200 agents whose slots have lost their hashes", async () => {
        for (let n = 0; n < 200; n += 1) await addMembers(`agent-${n}`, 12);
        const { slots, unavailable } = await read();
        expect(unavailable).toEqual([]);
        expect([...valueIn(slots).byAgent.values()].flat()).toHaveLength(200 * 12);
        expectBounded();
      });

      test("of a set of 200,000 members: the oldest thousand, and how many more there are", async () => {
        await addMembers("crowded", 200_000);
        await addMembers("fine", 2);
        const { slots, unavailable } = await read();
        const { byAgent, unread } = valueIn(slots);
        expect(byAgent.get("crowded")).toHaveLength(1_000);
        expect(
          byAgent
            .get("crowded")!
            .map(({ score }) => score)
            .sort((a, b) => a - b)
            .at(-1),
        ).toBe(1_000);
        expect(unread).toEqual(new Map([["crowded", { unreadable: 0, beyond: 199_000 }]]));
        expect(byAgent.get("fine")).toHaveLength(2);
        expect(unavailable).toEqual([
          "redis.slots[crowded]: 199000 members beyond those that are read at most",
        ]);
        expectBounded();
      });

      test("of keys that belong to others: the same pages", async () => {
        await redis.client.eval("for n = 1, 20000 do redis.call('SET', 'other:' .. n, '') end", 0);
        await addMembers("fine", 1);
        expect(valueIn((await read()).slots).byAgent.size).toBe(1);
        expectBounded();
      });

      test("a user that may not count members still reads the first of them, and knows of one more", async () => {
        await addMembers("crowded", 1_500);
        await addMembers("fine", 2);
        await redis.client.call("ACL", "SETUSER", "default", "-zcard");
        try {
          const { slots, unavailable } = await read();
          expect(valueIn(slots).byAgent.get("fine")).toHaveLength(2);
          expect(valueIn(slots).byAgent.get("crowded")).toHaveLength(1_000);
          expect(valueIn(slots).unread.get("crowded")).toEqual({ unreadable: 0, beyond: 1 });
          expect(unavailable[0]).toMatch(
            /^redis\.slots\[crowded\]: (NOPERM|ERR The user executing the script) /,
          );
        } finally {
          await redis.client.call("ACL", "SETUSER", "default", "+zcard");
        }
      });
    });

    describe("the life of a slot's hash", () => {
      const NOW_SECONDS = Math.floor(NOW_MS / 1000);
      beforeEach(async () => {
        await redis.client.zadd("agent:slots:ruby", NOW_SECONDS - 60, "run", 1, "gone", 2, "eternal");
        await redis.client.hset("agent:slot:ruby:run", "timeout_seconds", "600");
        await redis.client.call("EXPIREAT", "agent:slot:ruby:run", String(NOW_SECONDS + 840));
        await redis.client.hset("agent:slot:ruby:eternal", "timeout_seconds", "600");
      });
      const livesOf = ({ slots }: Awaited<ReturnType<typeof read>>) =>
        Object.fromEntries(
          valueIn(slots)
            .byAgent.get("ruby")!
            .map(({ id, ttlSeconds, expiresAtSeconds }) => [id, [ttlSeconds, expiresAtSeconds]]),
        );
      const commandsSent = () => requests().flatMap(({ commands }) => commands.map(([name]) => String(name)));

      test("is the instant at which it expires, by Redis's own clock", async () => {
        const answer = await read();
        expect(livesOf(answer)).toEqual({
          run: [expect.any(Number), NOW_SECONDS + 840],
          gone: [-2, null],
          eternal: [-1, null],
        });
        expect(commandsSent()).not.toContain("ttl");
        expect(commandsSent().includes("zrange")).toBe(!isScripted);
        expect(answer.unavailable).toEqual([]);
      });

      test("is its TTL for a user who may not ask for that, and nothing else is lost by it", async () => {
        await redis.client.set("canary:drain_tick_at", String(NOW_MS / 1000));
        await redis.client.call("ACL", "SETUSER", "default", "-expiretime");
        try {
          const answer = await read();
          expect(livesOf(answer)).toEqual({
            run: [expect.any(Number), null],
            gone: [-2, null],
            eternal: [-1, null],
          });
          const [ttl] = livesOf(answer).run!;
          // Redis counts from its own now, a moment after ours.
          expect(ttl).toBeGreaterThan(0);
          expect(ttl).toBeLessThanOrEqual(841);
          expect(commandsSent().filter((name) => name === "expiretime")).toHaveLength(1);
          expect(valueIn(answer.drainTick)).toEqual({ atSeconds: NOW_MS / 1000 });
          expect(answer.unavailable).toEqual([]);
        } finally {
          await redis.client.call("ACL", "SETUSER", "default", "+expiretime");
        }
      });
    });

    describe("when pull workers asked for work", () => {
      test("is the instant in the agent's key; what is none is null, and spoils no other", async () => {
        const key = (agent: string | Buffer) =>
          Buffer.concat([Buffer.from("agent:pull_poll:"), Buffer.from(agent)]);
        for (const [agent, value] of Object.entries({
          ruby: String(NOW_MS / 1000),
          "with:colon": "1.5",
          "": "2.5",
          odd: "soon",
          ahead: String(NOW_MS / 1000 + 61),
          void: "",
        }))
          await redis.client.set(key(agent), value);
        await redis.client.lpush(key("list"), "1");
        await redis.client.set(key("huge"), Buffer.alloc(9_000_000, "1"));
        await redis.client.set(key(bytes("od", 0xff)), "1");
        await redis.client.set(key("n".repeat(1_001)), "1");
        await redis.client.set("agent:pull_poll", "1");
        await redis.client.set("agent:pull_pollution:ruby", "1");
        const { pullPolls, platformKeys, unavailable } = await read();
        expect(valueIn(pullPolls)).toEqual(
          new Map([
            ["ruby", NOW_MS / 1000],
            ["with:colon", 1.5],
            ["", 2.5],
            ["odd", null],
            ["ahead", null],
            ["void", null],
            ["list", null],
            ["huge", null],
          ]),
        );
        expect(valueIn(platformKeys)).toEqual({ hasSlotKey: false, hasHeartbeat: false });
        expect(unavailable).toEqual([]);
      });

      test("is read in few requests for a large fleet", async () => {
        await redis.client.eval(
          "for n = 1, 2000 do redis.call('SET', 'agent:pull_poll:agent-' .. n, ARGV[1]) end",
          0,
          String(NOW_MS / 1000),
        );
        expect(valueIn((await read()).pullPolls).size).toBe(2_000);
        const polls = requests().filter(({ commands }) => {
          const [name, ...args] = commands[0]!;
          return String(args[name === "eval_ro" ? 2 : 0]).startsWith("agent:pull_poll:");
        });
        expect(polls).toHaveLength(isScripted ? 2 : 1 + 4);
      });
    });

    test("which keys of the platform there are", async () => {
      const keys = async () => valueIn((await read()).platformKeys);
      expect(await keys()).toEqual({ hasSlotKey: false, hasHeartbeat: false });
      await redis.client.set("agent:heartbeat:ruby", "1");
      expect(await keys()).toEqual({ hasSlotKey: false, hasHeartbeat: false });
      await redis.client.lpush("canary:drain_tick_at", "of another type");
      expect(await keys()).toEqual({ hasSlotKey: false, hasHeartbeat: true });
      await redis.client.set(bytes("agent:slots:od", 0xff), "of another type");
      expect(await keys()).toEqual({ hasSlotKey: true, hasHeartbeat: true });
    });

    describe("what can't be read spoils itself only", () => {
      beforeEach(async () => {
        await redis.client.set("canary:drain_tick_at", String(NOW_MS / 1000));
        await addMembers("fine", 2);
      });
      const fineIsRead = ({ slots, drainTick }: Awaited<ReturnType<typeof read>>) => {
        expect(valueIn(slots).byAgent.get("fine")).toHaveLength(2);
        expect(valueIn(drainTick)).toEqual({ atSeconds: NOW_MS / 1000 });
      };

      test("a member that is no UTF-8, and one that is too long", async () => {
        await redis.client.zadd("agent:slots:odd", 1, bytes("id", 0xff));
        await redis.client.hset(bytes("agent:slot:odd:id", 0xff), "timeout_seconds", "60");
        await redis.client.zadd("agent:slots:odd", 2, "x".repeat(1_001), 3, "x".repeat(1_000), 4, "run");
        const answer = await read();
        fineIsRead(answer);
        const { byAgent, unread, unseenAgents } = valueIn(answer.slots);
        expect(
          byAgent
            .get("odd")!
            .map(({ score }) => score)
            .sort(),
        ).toEqual([3, 4]);
        expect(unread).toEqual(new Map([["odd", { unreadable: 2, beyond: 0 }]]));
        expect(unseenAgents.size).toBe(0);
        expect(answer.unavailable).toEqual([
          "redis.slots[odd]: 2 members can't be read (not UTF-8, longer than 1000 characters, or without a score)",
        ]);
      });

      test("a set whose name is no UTF-8, and one whose name is too long", async () => {
        await redis.client.zadd(bytes("agent:slots:od", 0xff), 1, "run");
        await redis.client.zadd(`agent:slots:${"n".repeat(1_001)}`, 1, "run");
        await redis.client.zadd(`agent:slots:${"n".repeat(1_000)}`, 1, "run");
        const answer = await read();
        fineIsRead(answer);
        const { byAgent, unreadKeys } = valueIn(answer.slots);
        expect([...byAgent.keys()].sort()).toEqual(["fine", "n".repeat(1_000)]);
        expect([...unreadKeys].sort()).toEqual(["n".repeat(100), "od\ufffd"]);
        expect([...answer.unavailable].sort()).toEqual([
          `redis.slots[${"n".repeat(100)}]: the key's name can't be read (not UTF-8, or longer than 1000 characters)`,
          "redis.slots[od\ufffd]: the key's name can't be read (not UTF-8, or longer than 1000 characters)",
        ]);
      });

      test("a member that is larger than an answer may be: its agent", async () => {
        await redis.client.zadd("agent:slots:huge", 1, Buffer.alloc(9_000_000, "x"));
        const answer = await read();
        fineIsRead(answer);
        const { unseenAgents, unread } = valueIn(answer.slots);
        // A script answers with the beginning of it.
        expect([...unseenAgents]).toEqual(isScripted ? [] : ["huge"]);
        expect([...unread]).toEqual(isScripted ? [["huge", { unreadable: 1, beyond: 0 }]] : []);
        expect(answer.unavailable).toEqual([
          isScripted
            ? "redis.slots[huge]: 1 member can't be read (not UTF-8, longer than 1000 characters, or without a score)"
            : "redis.slots[huge]: the answer is larger than 8 MB",
        ]);
      });

      test("a heartbeat that is larger than an answer may be: the heartbeat", async () => {
        await redis.client.set("canary:drain_tick_at", Buffer.alloc(9_000_000, "1"));
        const { slots, drainTick, unavailable } = await read();
        expect(valueIn(slots).byAgent.get("fine")).toHaveLength(2);
        expect(drainTick).toEqual({
          read: false,
          reason: "redis.drain_tick: the answer is larger than 8 MB",
        });
        expect(unavailable).toEqual(["redis.drain_tick: the answer is larger than 8 MB"]);
      });

      test("hashes with a life or a timeout that is no number: their slots still count", async () => {
        for (const [n, timeout] of ["1e400", "-5", "nan", "", "9".repeat(400), "60"].entries()) {
          await redis.client.zadd("agent:slots:odd", n, `run-${n}`);
          await redis.client.hset(`agent:slot:odd:run-${n}`, "timeout_seconds", timeout);
        }
        await redis.client.call("EXPIRE", "agent:slot:odd:run-5", String(9_000_000_000_000));
        const answer = await read();
        fineIsRead(answer);
        const odd = [...valueIn(answer.slots).byAgent.get("odd")!].sort((a, b) => a.score - b.score);
        expect(odd.map(({ timeoutSeconds }) => timeoutSeconds)).toEqual([null, null, null, null, null, 60]);
        expect(odd[5]!.ttlSeconds).toBeGreaterThan(8_999_999_999_000);
      });

      test.each(["inf", "-inf", "1e300", "-1e300", "1e-300"])("a score of %s is a score", async (score) => {
        await redis.client.zadd("agent:slots:odd", score, "run");
        const answer = await read();
        fineIsRead(answer);
        expect(valueIn(answer.slots).byAgent.get("odd")).toMatchObject([{ id: "run" }]);
        expect(answer.unavailable).toEqual([]);
      });
    });

    // It reads in both ways: once is enough.
    if (isScripted)
      test("both ways read the same of a fleet in which much is odd", async () => {
        const random = seededRandom(20261126, "redis");
        const IDS = [
          "run",
          "a:b",
          "drain-1",
          "",
          "日本",
          "-1",
          "1e3",
          "x".repeat(999),
          "x".repeat(1_001),
          '"\\n',
        ];
        for (let n = 0; n < 120; n += 1) {
          const agent = random.one([`agent-${n}`, `a:${n}`, `日本${n}`, `${"n".repeat(900)}${n}`]);
          if (random.percent(5)) {
            await redis.client.set(`agent:slots:${agent}`, "of another type");
            continue;
          }
          for (let k = random.whole(1, random.percent(10) ? 80 : 5); k > 0; k -= 1) {
            const id = `${random.one(IDS)}${random.percent(70) ? k : ""}`;
            await redis.client.zadd(
              `agent:slots:${agent}`,
              random.one([NOW_MS / 1000, "inf", "-inf", 1e300, 0]),
              id,
            );
            const hash = `agent:slot:${agent}:${id}`;
            await redis.client.del(hash);
            if (random.percent(10)) continue;
            if (random.percent(5)) await redis.client.set(hash, "of another type");
            else
              await redis.client.hset(
                hash,
                "timeout_seconds",
                random.one(["600", "", "nan", "9".repeat(400), "60.5"]),
              );
            if (random.percent(80))
              await redis.client.expireat(hash, Math.floor(NOW_MS / 1000) + random.whole(1_000, 9_000));
          }
        }
        const sorted = ({ slots, unavailable }: Awaited<ReturnType<typeof read>>) => {
          const { byAgent, ...rest } = valueIn(slots);
          const ordered = [...byAgent].map(
            ([agent, of]) => [agent, of.toSorted((a, b) => (a.id < b.id ? -1 : 1))] as const,
          );
          return {
            ...rest,
            byAgent: new Map(ordered),
            unavailable: unavailable
              .map((line) => line.replace(/: (?:ERR )?WRONGTYPE.*/, ": WRONGTYPE"))
              .sort(),
          };
        };
        const byScripts = sorted(await read());
        await redis.client.call("ACL", "SETUSER", "default", "-eval_ro");
        const byTransactions = sorted(await read());
        await redis.client.call("ACL", "SETUSER", "default", acl);
        expect(byScripts.byAgent.size).toBeGreaterThan(90);
        expect(byScripts).toEqual(byTransactions);
      });
  });
});
