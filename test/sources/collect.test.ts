import { describe, expect, test } from "vitest";
import type { FactName, Reading } from "../../shared/facts/facts.ts";
import { type CollectOptions, type ConfiguredSource, collect } from "../../shared/sources/collect.ts";
import type { ReadContext, SourceResult } from "../../shared/sources/source.ts";

const NOW_MS = 1_800_000_000_000;

const reading = <T>(value: T): Reading<T> => ({ read: true, value, time: { fromMs: NOW_MS, toMs: NOW_MS } });
const TICK = reading({ atSeconds: 7 });

const sourceOf = (
  name: string,
  gives: FactName[],
  read: (context: ReadContext) => Promise<SourceResult>,
): ConfiguredSource => ({ name, gives, read });

/** A source that gives the heartbeat. */
const redis = (read: (context: ReadContext) => Promise<SourceResult>) =>
  sourceOf("redis", ["slots", "drainTick"], read);
const wellRedis = redis(async () => ({ readings: { drainTick: TICK }, unavailable: [] }));

const collected = (sources: ConfiguredSource[], wanted: FactName[], over: Partial<CollectOptions> = {}) =>
  collect({
    sources,
    wanted: new Set(wanted),
    deadlineMs: 10_000,
    now: () => NOW_MS,
    since: { ended: null },
    redact: (line) => line.replaceAll("hunter2", "***"),
    isStranger: () => false,
    ...over,
  });

describe("a snapshot", () => {
  test("puts together what the sources gave, at the instant it was begun", async () => {
    const sessions = reading(new Set(["e-1"]));
    const sqlite = sourceOf("sqlite", ["sessions"], async () => ({
      readings: { sessions },
      unavailable: [],
    }));
    const snapshot = await collected([sqlite, wellRedis], ["sessions", "drainTick"]);
    expect(snapshot).toMatchObject({ takenAtMs: NOW_MS, unavailable: [] });
    expect(snapshot.readings).toEqual({ sessions, drainTick: TICK });
    expect(Object.keys(snapshot.latencyMsBySource).sort()).toEqual(["redis", "sqlite"]);
  });

  test("asks only the sources that give something that is wanted", async () => {
    const docker = sourceOf("docker", ["zombies"], () => Promise.reject(new Error("nobody asked")));
    const snapshot = await collected([docker, wellRedis], ["drainTick"]);
    expect(snapshot.unavailable).toEqual([]);
    expect(snapshot.latencyMsBySource).not.toHaveProperty("docker");
  });

  test("asks all of them at once", async () => {
    let meet = () => {};
    const met = new Promise<void>((resolve) => {
      meet = resolve;
    });
    const waits = sourceOf("sqlite", ["sessions"], async () => {
      await met;
      return { readings: {}, unavailable: [] };
    });
    const arrives = redis(async () => {
      meet();
      return { readings: { drainTick: TICK }, unavailable: [] };
    });
    expect((await collected([waits, arrives], ["sessions", "drainTick"])).unavailable).toEqual([]);
  });

  test("passes a source the wanted facts, and the cursor of ended rows", async () => {
    const contexts: ReadContext[] = [];
    const since = { ended: { readAtMs: NOW_MS - 1 } };
    const asked = redis(async (context) => {
      contexts.push(context);
      return { readings: {}, unavailable: [] };
    });
    await collected([asked], ["drainTick"], { since });
    expect(contexts[0]).toMatchObject({ since, wanted: new Set(["drainTick"]) });
    expect(contexts[0]?.now()).toBe(NOW_MS);
  });
});

describe("a source that fails", () => {
  const ETIMEDOUT = Object.assign(new Error("x"), { code: "ETIMEDOUT" });

  test("leaves its facts unread with one reason, and the others' alone", async () => {
    const sqlite = sourceOf("sqlite", ["roster", "sessions"], () => Promise.reject(ETIMEDOUT));
    const snapshot = await collected([sqlite, wellRedis], ["roster", "sessions", "drainTick"]);
    const unread = { read: false, reason: "sqlite: ETIMEDOUT" };
    expect(snapshot.readings).toEqual({ roster: unread, sessions: unread, drainTick: TICK });
    expect(snapshot.unavailable).toEqual(["sqlite: ETIMEDOUT"]);
  });

  test("leaves each fact that was wanted of it unread, and no other", async () => {
    const fails = redis(() => Promise.reject(ETIMEDOUT));
    expect((await collected([fails], ["slots", "roster"])).readings).toEqual({
      slots: { read: false, reason: "redis: ETIMEDOUT" },
    });
  });

  test("also where it throws before it is asynchronous", async () => {
    const broken = redis(() => {
      throw ETIMEDOUT;
    });
    expect((await collected([broken], ["drainTick"])).unavailable).toEqual(["redis: ETIMEDOUT"]);
  });

  test("is cut at its deadline though it ignores the signal, and the others are kept", async () => {
    const hangs = sourceOf("docker", ["zombies"], () => new Promise(() => {}));
    const snapshot = await collected([hangs, wellRedis], ["zombies", "drainTick"], { deadlineMs: 30 });
    expect(snapshot.readings).toEqual({
      zombies: { read: false, reason: "docker: no answer within 30 ms" },
      drainTick: TICK,
    });
  });

  test("in parts keeps the rest, and has a line for each part", async () => {
    const partly = redis(async () => ({
      readings: { drainTick: TICK },
      unavailable: ["redis: 1 key of another type"],
    }));
    const snapshot = await collected([partly], ["drainTick", "slots"]);
    expect(snapshot.readings).toEqual({ drainTick: TICK });
    expect(snapshot.unavailable).toEqual(["redis: 1 key of another type"]);
  });

  test("shows no secret, in its own lines or in its error", async () => {
    const reports = redis(async () => ({ readings: {}, unavailable: ["redis: token hunter2 refused"] }));
    const throws = sourceOf("sqlite", ["roster"], () => Promise.reject(new Error("token hunter2 refused")));
    const snapshot = await collected([reports, throws], ["drainTick", "roster"]);
    expect(snapshot.unavailable).toEqual(["redis: token *** refused", "sqlite: token *** refused"]);
    expect(JSON.stringify(snapshot.readings)).not.toContain("hunter2");
  });
});

describe("a source that is not there", () => {
  test("not configured: its facts are unread, and it is named", async () => {
    const absent = { name: "redis", gives: ["drainTick"] as const, absent: "not configured" as const };
    const snapshot = await collected([absent], ["drainTick"]);
    expect(snapshot.readings).toEqual({
      drainTick: { read: false, reason: "redis: not configured", notConfigured: true },
    });
    expect(snapshot.unavailable).toEqual(["redis: not configured"]);
  });

  test("off: its facts are off, and nothing is called unavailable", async () => {
    const absent = { name: "redis", gives: ["drainTick"] as const, absent: "off" as const };
    const snapshot = await collected([absent], ["drainTick"]);
    expect(snapshot.readings).toEqual({ drainTick: { read: false, reason: "redis: off", off: true } });
    expect(snapshot.unavailable).toEqual([]);
  });

  test("is not named where nothing of it is wanted", async () => {
    const absent = { name: "redis", gives: ["drainTick"] as const, absent: "not configured" as const };
    expect((await collected([absent], ["zombies"])).unavailable).toEqual([]);
  });
});
