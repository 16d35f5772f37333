/** What a server that speaks the Upstash REST protocol may answer, and what is made of it. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { describeError } from "../../shared/errors.ts";
import type { DrainTick, PlatformKeys, PullPolls, Reading, Slots } from "../../shared/facts/facts.ts";
import { REDIS_FACTS } from "../../shared/facts/trust.ts";
import { parseDrainTick, parseHash } from "../../shared/sources/redis/answers.ts";
import { redisReader } from "../../shared/sources/redis/redis.ts";
import { type ScriptedServer, startScriptedServer } from "../support/scripted-server.ts";

const NOW_SECONDS = 1_800_000_000;
const TOKEN = "a-token-of-thirty-five-characters-x";

describe("the heartbeat", () => {
  const tick = (text: string) => {
    try {
      return parseDrainTick(text, NOW_SECONDS).atSeconds;
    } catch (error) {
      return describeError(error);
    }
  };

  test("never written", () => expect(parseDrainTick(null, NOW_SECONDS)).toEqual({ atSeconds: null }));

  test.each([
    ["1799999990.25", 1_799_999_990.25],
    [" 1800000060 ", 1_800_000_060],
    ["0", 0],
    ["-5", -5],
    ["-1e300", -1e300],
    ["1e-400", 0],
  ])("%s is an instant, of however long ago", (text, at) => expect(tick(text)).toBe(at));

  test.each([
    "",
    "soon",
    "nan",
    "NaN",
    "inf",
    "-inf",
    "Infinity",
    "1e400",
    "-1e400",
    "0x10",
    "1_000",
    "12 34",
  ])("%j is no instant, and is shown whole", (text) =>
    expect(tick(text)).toBe(`${JSON.stringify(text)} is not a time in seconds`),
  );

  test.each(["1800000060.001", "1e300", "9".repeat(300)])("%s is in the future", (text) => {
    expect(tick(text)).toBe(`${text} is more than 60 s in the future`);
  });

  test("a text of any length is not repeated", () => {
    expect(tick("9".repeat(1_001))).toBe("a text of 1001 characters is not a time in seconds");
  });
});

describe("the hash of a slot", () => {
  const hash = (ttl: unknown, timeout: unknown) =>
    parseHash("ttl", { result: ttl }, { result: timeout }, NOW_SECONDS);

  test.each(["1e400", "-5", "nan", "inf", "", "1e9", "9999999999", null])(
    "a timeout of %j is none",
    (timeout) => {
      expect(hash(30, timeout)).toEqual({
        ttlSeconds: 30,
        expiresAtSeconds: null,
        timeoutSeconds: null,
      });
    },
  );

  test("EXPIRETIME answers an instant of Redis's own clock; the TTL that is shown follows from ours", () => {
    const read = (life: number) =>
      parseHash("expiretime", { result: life }, { result: "60" }, NOW_SECONDS + 0.4);
    expect(read(NOW_SECONDS + 300)).toEqual({
      ttlSeconds: 300,
      expiresAtSeconds: NOW_SECONDS + 300,
      timeoutSeconds: 60,
    });
    expect(read(NOW_SECONDS - 5)).toMatchObject({ ttlSeconds: 0, expiresAtSeconds: NOW_SECONDS - 5 });
    for (const gone of [-1, -2])
      expect(read(gone)).toMatchObject({ ttlSeconds: gone, expiresAtSeconds: null });
  });

  test.each([-3, -1e300, Number.POSITIVE_INFINITY, 0.5, "soon", null, undefined, {}])(
    "a life of %j can't be read",
    (ttl) => {
      expect(() => hash(ttl, "60")).toThrow("the answer to TTL is not a number");
    },
  );
});

describe("a server's own words", () => {
  let server: ScriptedServer | undefined;
  afterEach(async () => {
    await server?.close();
    server = undefined;
  });

  /** @param answers of the commands, by the first word of each; any other is unknown to this server */
  async function read(answers: Record<string, (command: string[]) => object>) {
    server = await startScriptedServer(({ body }, response) => {
      const commands = JSON.parse(body) as string[][];
      const unknown = ([name]: string[]) => ({ error: `ERR unknown command '${name}'` });
      asked.push(...commands.map(([name]) => name!.toLowerCase()));
      response.end(
        JSON.stringify(commands.map((command) => (answers[command[0]!.toLowerCase()] ?? unknown)(command))),
      );
    });
    const { readings, unavailable } = await redisReader({ url: server.url, token: TOKEN })({
      signal: new AbortController().signal,
      now: () => NOW_SECONDS * 1000,
      wanted: new Set(REDIS_FACTS),
      since: { ended: null },
    });
    const { slots, drainTick, pullPolls, platformKeys } = readings as {
      slots: Reading<Slots>;
      drainTick: Reading<DrainTick>;
      pullPolls: Reading<PullPolls>;
      platformKeys: Reading<PlatformKeys>;
    };
    return { slots, drainTick, pullPolls, platformKeys, unavailable };
  }
  /** The names of all commands that were sent. */
  const asked: string[] = [];
  beforeEach(() => void asked.splice(0));
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const page = (...keys: string[]) => ({ result: [base64("0"), keys.map(base64)] });
  const none = { get: () => ({ result: null }), scan: () => page() };

  test("are never cut before the secrets are taken out of them: a token is there whole, or not at all", async () => {
    const error = `ERR ${"x".repeat(95)} ${TOKEN} at the end`;
    const heartbeat = await read({ ...none, get: () => ({ error }) });
    expect(heartbeat.unavailable).toEqual([`redis.drain_tick: ${error}`]);
    await server?.close();
    const value = `${"1".repeat(25)}${TOKEN}`;
    const odd = await read({ ...none, get: () => ({ result: base64(value) }) });
    expect(odd.unavailable).toEqual([`redis.drain_tick: "${value}" is not a time in seconds`]);
    await server?.close();
    await expect(read({ ...none, scan: () => ({ error }) })).rejects.toThrow(error);
  });

  test.each([
    ["never written", { result: null }, true],
    ["one that may not be read", { error: "NOPERM this user has no permissions" }, true],
    ["one of another type", { error: "WRONGTYPE Operation against a key" }, false],
    ["one that is no time", { result: base64("soon") }, false],
    ["one of now", { result: base64(String(NOW_SECONDS)) }, false],
  ])(
    "no slots, and a heartbeat that is %s: whether Redis holds any key of the platform",
    async (_, get, isEmpty) => {
      const { slots, pullPolls, platformKeys } = await read({ ...none, get: () => get });
      for (const reading of [slots, pullPolls]) {
        expect(reading).toMatchObject({ read: true });
        const { insufficient } = reading as { insufficient?: string };
        expect(insufficient).toBe(isEmpty ? "Redis holds no key of the platform" : undefined);
      }
      expect(platformKeys).toMatchObject({ value: { hasSlotKey: false, hasHeartbeat: !isEmpty } });
    },
  );

  test("no slots and no heartbeat, but a pull worker that has asked: Redis is the platform's", async () => {
    const { slots, drainTick, pullPolls } = await read({
      scan: () => page("agent:pull_poll:ruby"),
      get: ([, key]) => ({ result: key === "agent:pull_poll:ruby" ? base64(String(NOW_SECONDS - 5)) : null }),
    });
    expect(pullPolls).toMatchObject({ value: new Map([["ruby", NOW_SECONDS - 5]]) });
    expect(slots).not.toHaveProperty("insufficient");
    expect(drainTick).toMatchObject({ value: { atSeconds: null } });
    expect(drainTick).not.toHaveProperty("insufficient");
  });

  test.each(["agent:slots:ruby", "agent:slot:ruby:run", "agent:slots:", "agent:slot:", "agent:slotty"])(
    "a key %s: there is a key of a slot, whatever is in it",
    async (key) => {
      const { platformKeys } = await read({
        ...none,
        scan: () => page(key),
        zrange: () => ({ error: "WRONGTYPE" }),
      });
      expect(platformKeys).toMatchObject({ value: { hasSlotKey: true, hasHeartbeat: false } });
    },
  );

  describe("the life of a hash", () => {
    const one = {
      ...none,
      scan: () => page("agent:slots:ruby", "agent:slot:ruby:run"),
      zrange: () => ({ result: [base64("run"), base64("1799999990")] }),
      hget: () => ({ result: base64("60") }),
    };
    const slotIn = ({ slots }: Awaited<ReturnType<typeof read>>) =>
      slots.read && slots.value.byAgent.get("ruby")![0];

    test("is asked by EXPIRETIME where the server knows it, and by nothing else", async () => {
      const answer = await read({
        ...one,
        expiretime: ([, key]) => ({ result: key === "canary:drain_tick_at" ? -2 : NOW_SECONDS + 350 }),
      });
      expect(slotIn(answer)).toMatchObject({ ttlSeconds: 350, expiresAtSeconds: NOW_SECONDS + 350 });
      expect(asked).not.toContain("ttl");
      expect(answer.unavailable).toEqual([]);
    });

    test.each(["ERR unknown command 'expiretime'", "NOPERM this user has no permissions to run it"])(
      "is asked by TTL where the server answers: %s",
      async (error) => {
        const answer = await read({ ...one, expiretime: () => ({ error }), ttl: () => ({ result: 350 }) });
        expect(slotIn(answer)).toMatchObject({ ttlSeconds: 350, expiresAtSeconds: null, timeoutSeconds: 60 });
        expect(asked.filter((name) => name === "expiretime")).toHaveLength(1);
        expect(answer.unavailable).toEqual([]);
        expect(answer.drainTick).toMatchObject({ read: true });
      },
    );
  });

  test("an answer with more members than were asked for is one with more, not a longer one", async () => {
    const flat = Array.from({ length: 5_000 }, (_, n) => [base64(`run-${n}`), base64("1")]).flat();
    const { slots } = await read({
      ...none,
      scan: () => page("agent:slots:ruby"),
      zrange: () => ({ result: flat }),
      zscore: () => ({ result: base64("1") }),
      ttl: () => ({ result: 60 }),
      hget: () => ({ result: null }),
      zcard: () => ({ result: 5_000 }),
    });
    if (!slots.read) throw new Error(slots.reason);
    expect(slots.value.byAgent.get("ruby")).toHaveLength(1_000);
    expect(slots.value.unread.get("ruby")).toEqual({ unreadable: 0, beyond: 4_000 });
  });

  test("very many parts that can't be read are a few lines, and a count", async () => {
    const names = Array.from({ length: 500 }, (_, n) => `agent:slots:agent-${n}`);
    const { slots, unavailable } = await read({
      ...none,
      scan: () => page(...names),
      zrange: () => ({ error: "WRONGTYPE" }),
    });
    expect(slots.read && slots.value.unseenAgents.size).toBe(500);
    expect(unavailable).toHaveLength(100);
    expect(unavailable.at(-1)).toBe("redis: 401 more parts could not be read");
  });

  test.each([
    [
      "keys for ever",
      () => page(...Array.from({ length: 100_001 }, (_, n) => `agent:slots:${n}`)),
      /more than 100000 keys/,
    ],
    ["no cursor", () => ({ result: ["soon", []] }), /no cursor/],
    ["no keys", () => ({ result: [base64("0"), "keys"] }), /not a list of strings/],
  ])("%s in answer to SCAN: the slots are unread", async (_, scan, reason) => {
    await expect(read({ ...none, scan })).rejects.toThrow(reason);
  });
});
