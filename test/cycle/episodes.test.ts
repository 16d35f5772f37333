/** Episodes: what a cycle writes of them, what a reader sees, also where writes fail. */
import { randomBytes } from "node:crypto";
import { DeleteCommand, GetCommand } from "@aws-sdk/lib-dynamodb";
import { describe, expect, test } from "vitest";
import { NEVER_JUDGED } from "../../shared/alerts/state.ts";
import { EMPTY_MEMORY, memorySizes } from "../../shared/cycle/memory.ts";
import { endingsOf, keptEndings } from "../../shared/cycle/tally.ts";
import type { EpisodeName, StoredEpisode } from "../../shared/store/episode.ts";
import type { EpisodeFilter } from "../../shared/store/episodes.ts";
import { MAX_LATEST_BYTES } from "../../shared/store/latest.ts";
import { decodeMemory, encodeMemory, fitMemory } from "../../shared/store/memory-codec.ts";
import { formatInstant } from "../../shared/time.ts";
import { commit, DAY_MS, MINUTE_MS, type ScriptedCanary, slot, useCanaries } from "../support/cycle.ts";
import { rosterOf, slotsOf } from "../support/facts.ts";

const canaryOf = useCanaries();

/** Agents that hold so many slots without a run. */
const leaks = (leaked: Record<string, number>) => ({
  slots: slotsOf(
    Object.fromEntries(
      Object.entries(leaked).map(([agent, n]) => [
        agent,
        Array.from({ length: n }, (_, i) => slot(`${agent}-${i}`)),
      ]),
    ),
  ),
});
const list = async (canary: ScriptedCanary, filter: Partial<EpisodeFilter> = {}, limit = 100) =>
  (
    await canary.store.episodes.list(
      { startMs: 0, endMs: canary.now(), nowMs: canary.now(), ...filter },
      limit,
      null,
    )
  ).items;

describe("one episode", () => {
  test("begins, grows and ends: three cycles, with the first and the last state and the peak", async () => {
    const canary = await canaryOf();
    canary.set(leaks({ alpha: 1 }));
    await canary.cycle("S-01");
    const since = formatInstant(canary.now() - canary.deps.settings.confirmAfterMs);
    canary.set(leaks({ alpha: 3 }));
    const peakAt = formatInstant(canary.now() + 5 * MINUTE_MS);
    await canary.cycle();
    canary.set(leaks({ alpha: 2 }));
    await canary.cycle();
    const [open] = await list(canary, { invariantId: "S-01" });
    expect(open).toMatchObject({ subject: "alpha", since, until: null, cycles: 3, ended: null, held: null });
    canary.set(leaks({}));
    await canary.cycle();
    const [ended] = await list(canary, { invariantId: "S-01" });
    expect(ended).toMatchObject({
      id: open!.id,
      invariant_id: "S-01",
      severity: "critical",
      since,
      until: formatInstant(canary.now()),
      ended: "recovered",
      cycles: 3,
      on_roster: true,
      first_state: { in_redis_only: ["alpha-0"] },
      last_state: { in_redis_only: ["alpha-0", "alpha-1"] },
      peak: { value: 3, at: peakAt },
    });
    expect(ended!.peak.words).toContain("alpha-2");
    expect(ended!.words).toContain("alpha-1");
    expect(await canary.store.episodes.get(ended!.id, canary.now())).toEqual(ended);
    expect((await canary.memory()).endings).toHaveLength(1);
    await canary.cycle();
    expect((await canary.memory()).endings).toEqual([]);
    expect(await list(canary)).toEqual([ended]);
    canary.advance(91 * DAY_MS);
    expect(await list(canary)).toEqual([]);
  });
});

describe("what a red fleet costs", () => {
  /** A fleet in which each agent leaks a slot. Evidence is kept here and not in the table, which counts what is asked for. */
  async function redFleet(size: number) {
    const canary = await canaryOf();
    const names = Array.from({ length: size }, (_, i) => `agent-${i}`);
    canary.set({
      ...leaks(Object.fromEntries(names.map((name) => [name, 1]))),
      roster: rosterOf(
        Object.fromEntries(names.map((name) => [name, { executionTimeoutSeconds: 7 * 86_400 }])),
      ),
    });
    const cost = { written: 0, lookUps: 0 };
    const kept = new Map<string, StoredEpisode>();
    canary.stateCalls("evidence.reserveIds", async () => 1);
    canary.stateCalls("evidence.write", async () => {});
    canary.stateCalls("latest.write", async () => {});
    canary.stateCalls("episodes.write", async (episodes: StoredEpisode[]) => {
      cost.written += episodes.length;
      for (const episode of episodes) kept.set(episode.subject, episode);
    });
    canary.stateCalls("episodes.lookUp", async (wanted: EpisodeName[]) => {
      cost.lookUps += 1;
      return new Map(
        wanted.flatMap(({ subject }) => (kept.has(subject) ? [[subject, kept.get(subject)!]] : [])),
      );
    });
    const cycle = async () => {
      Object.assign(cost, { written: 0, lookUps: 0 });
      await canary.cycle();
      return { ...cost };
    };
    return { canary, cycle, kept };
  }

  test("1,000 subjects: one item each when they begin and when they end, and one a day in between", async () => {
    const { canary, cycle, kept } = await redFleet(1_000);
    expect(await cycle()).toEqual({ written: 1_000, lookUps: 0 });
    // The next cycle looks whether they are there: one query.
    expect(await cycle()).toEqual({ written: 0, lookUps: 1 });
    let written = 0;
    for (let hour = 0; hour < 24; hour += 1) {
      canary.advance(55 * MINUTE_MS);
      const cost = await cycle();
      expect(cost.written).toBeLessThanOrEqual(100);
      written += cost.written;
    }
    // Some of the last hour's are written by the next cycle, and some of the first hour's were there before.
    expect(written).toBeGreaterThan(900);
    expect(written).toBeLessThan(1_100);
    canary.set(leaks({}));
    expect(await cycle()).toEqual({ written: 1_000, lookUps: 1 });
    expect(await cycle()).toEqual({ written: 0, lookUps: 1 });
    expect(await cycle()).toEqual({ written: 0, lookUps: 0 });
    expect(new Set([...kept.values()].map((e) => `${e.cycles} ${e.ended}`))).toEqual(
      new Set(["26 recovered"]),
    );
  });
});

describe("a store that takes no items for a while", () => {
  test("keeps the first, the last and the worst of what ends meanwhile, and of what goes on", async () => {
    const canary = await canaryOf();
    canary.stateFails("episodes.write");
    canary.set(leaks({ alpha: 1, beta: 1 }));
    await canary.cycle();
    canary.set(leaks({ alpha: 3, beta: 2 }));
    await canary.cycle();
    canary.set(leaks({ alpha: 3, beta: 1 }));
    await canary.cycle();
    canary.set(leaks({ beta: 3 }));
    await canary.cycle();
    await canary.cycle();
    canary.stateRecovers();
    await canary.cycle();
    await canary.cycle();
    const stored = (await list(canary, { invariantId: "S-01" })).map((e) => [
      e.subject,
      e.ended,
      e.first_state?.in_redis_only,
      [e.last_state?.in_redis_only].flat().length,
      [e.peak.value, e.peak.words === e.words],
    ]);
    expect(stored.sort()).toEqual([
      ["alpha", "recovered", ["alpha-0"], 3, [3, true]],
      ["beta", null, ["beta-0"], 3, [3, true]],
    ]);
  });
});

test("a reader whose memory is older than an item takes its episode for open", async () => {
  const canary = await canaryOf();
  await canary.cycle();
  const before = await canary.memory();
  canary.set(leaks({ alpha: 1 }));
  await canary.cycle();
  const filter = { startMs: 0, endMs: canary.now(), nowMs: canary.now(), invariantId: "S-01" };
  const { items } = await canary.store.episodes.list(filter, 9, null, { memory: before, latest: null });
  expect(items.map(({ until, ended }) => [until, ended])).toEqual([[null, null]]);
});

describe("what the memory can't say", () => {
  const redOf = async (canary: ScriptedCanary) => {
    canary.set(leaks({ alpha: 1 }));
    await canary.cycle();
  };
  const leaseIn = async (canary: ScriptedCanary) => {
    const lease = await canary.store.lease.acquire("another", canary.now(), 60_000);
    if ("busyUntilMs" in lease) throw new Error("the lease is another's");
    return lease;
  };

  test("an invariant that is turned off: its episode stays open, held, and ends once it is on again", async () => {
    const canary = await canaryOf();
    await redOf(canary);
    canary.deploy({ off: ["S-01"] });
    await canary.cycle();
    expect(await list(canary)).toMatchObject([{ until: null, held: "off", cycles: 1 }]);
    expect(await list(canary, { openOnly: true })).toEqual([]);
    canary.deploy({});
    canary.set(leaks({}));
    await canary.cycle();
    expect(await list(canary)).toMatchObject([{ until: formatInstant(canary.now()), held: null, cycles: 1 }]);
  });

  test("what could not be looked at: it is held, with its last state, and those cycles are not counted", async () => {
    const canary = await canaryOf();
    await redOf(canary);
    canary.unread("slots", "redis: no answer");
    await canary.cycle();
    await canary.cycle();
    const [held] = await list(canary, { openOnly: true });
    expect(held).toMatchObject({ held: "unseen", cycles: 1, last_state: { in_redis_only: ["alpha-0"] } });
    canary.set(leaks({ alpha: 1 }));
    await canary.cycle();
    expect(await list(canary, { openOnly: true })).toMatchObject([{ held: null, cycles: 2 }]);
  });

  test("a memory of an older version: its red is an episode from then on, counted from this version on", async () => {
    const canary = await canaryOf();
    const lease = await leaseIn(canary);
    const sinceMs = canary.now() - DAY_MS;
    const state = { ...NEVER_JUDGED, status: "red" as const, sinceMs };
    const red = { alpha: { sinceMs, keys: ["redis:alpha-0"] } };
    await commit(canary.store, lease, { ...EMPTY_MEMORY, states: { "S-01": { ...state, red } } });
    expect(await list(canary)).toMatchObject([{ since: formatInstant(sinceMs), until: null, cycles: 0 }]);
    await redOf(canary);
    await canary.cycle();
    const open = await list(canary);
    expect(open).toMatchObject([
      { since: formatInstant(sinceMs), cycles: 2, first_state: { agent_name: "alpha" } },
    ]);
    canary.set(leaks({}));
    await canary.cycle();
    expect(await list(canary)).toMatchObject([{ id: open[0]!.id, ended: "recovered", cycles: 2 }]);
  });

  test("a state that was deleted: what was open has ended, when nobody knows, and is not open for ever", async () => {
    const canary = await canaryOf();
    await redOf(canary);
    const began = formatInstant(canary.now() - canary.deps.settings.confirmAfterMs);
    await canary.client.send(
      new DeleteCommand({ TableName: canary.table, Key: { pk: "MEMORY", sk: "MEMORY" } }),
    );
    expect(await list(canary)).toMatchObject([{ until: began, ended: "unknown" }]);
    await canary.cycle();
    expect((await list(canary)).map((e) => e.ended)).toEqual([null, "unknown"]);
  });

  test("subjects that the memory only counts have no episode, and end none", async () => {
    const canary = await canaryOf();
    canary.set(leaks({ alpha: 1, beta: 1 }));
    await canary.cycle();
    const lease = await leaseIn(canary);
    const { beta: _, ...red } = lease.memory.states["S-01"]!.red;
    const cut = { ...lease.memory.states["S-01"]!, red, redBesides: 1 };
    await commit(canary.store, lease, { ...lease.memory, states: { ...lease.memory.states, "S-01": cut } });
    const held = (await list(canary)).map(({ subject, until, held }) => [subject, until, held]);
    expect(held.sort()).toEqual([
      ["alpha", null, null],
      ["beta", null, "uncounted"],
    ]);
    expect((await list(canary, { openOnly: true })).map((e) => e.subject)).toEqual(["alpha"]);
  });

  test("20,000 subjects that recover at once: the newest ends are kept until their items say so", () => {
    const red = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, i) => [`agent-${i}`, { sinceMs: 1, keys: [] }]),
    );
    const prior = { "S-01": { ...NEVER_JUDGED, status: "red" as const, sinceMs: 1, red } };
    const kept = keptEndings(endingsOf(prior, {}, 2, () => false));
    expect(kept).toHaveLength(5_000);
    const memory = { ...EMPTY_MEMORY, endings: kept };
    expect(decodeMemory(encodeMemory([memory]))).toEqual(memory);
  });
});

describe("an agent's last sight", () => {
  test("ten thousand agents fit: the red ones with their slots, the others by their numbers, and how many were left out", async () => {
    const names = Array.from({ length: 10_000 }, () => randomBytes(12).toString("hex"));
    const canary = await canaryOf();
    canary.set({
      ...leaks(Object.fromEntries(names.slice(0, 3).map((name) => [name, 1]))),
      roster: rosterOf(
        Object.fromEntries(names.map((name) => [name, { executionTimeoutSeconds: 7 * 86_400 }])),
      ),
    });
    await canary.cycle();
    const latest = (await canary.store.latest.read(canary.now()))!;
    const reds = latest.agents.slice(0, 3);
    expect(reds.map(({ name }) => name).sort()).toEqual(names.slice(0, 3).sort());
    expect(reds.map(({ slots }) => slots?.length)).toEqual([1, 1, 1]);
    expect(latest.left_out + latest.agents.length).toBe(10_000);
    expect(latest.left_out).toBeGreaterThan(0);
    expect(latest.red.map((one) => one.subject).sort()).toEqual(names.slice(0, 3).sort());
    const { Item } = await canary.client.send(
      new GetCommand({ TableName: canary.table, Key: { pk: "LATEST", sk: "LATEST" } }),
    );
    expect(Item!.latest.length).toBeLessThanOrEqual(MAX_LATEST_BYTES);
  });
});

test("the peak of an overbooked agent is by how much: 1, then 4, then 2", async () => {
  const canary = await canaryOf();
  const overbooked = (n: number) => ({
    slots: slotsOf({ alpha: Array.from({ length: 3 + n }, (_, i) => slot(`r-${i}`)) }),
  });
  for (const n of [1, 4, 2]) {
    canary.set(overbooked(n));
    await canary.cycle();
  }
  const [episode] = await list(canary, { invariantId: "S-02" });
  expect(episode).toMatchObject({ cycles: 3, peak: { value: 4 }, last_state: { overbooked_by: 2 } });
  expect(episode!.peak.words).toContain("7 slots for a cap of 3");
});

test("130 agents that get worse with each cycle: no more than 100 are written at once, and each has its turn", async () => {
  const canary = await canaryOf();
  const names = Array.from({ length: 130 }, (_, i) => `agent-${i}`);
  canary.set({ roster: rosterOf(Object.fromEntries(names.map((name) => [name, {}]))) });
  const { write } = canary.store.episodes;
  let written: string[] = [];
  canary.stateCalls("episodes.write", async (episodes: StoredEpisode[], ...more: [number, AbortSignal]) => {
    written.push(...episodes.map(({ subject }) => subject));
    return write(episodes, ...more);
  });
  const worse = async (n: number) => {
    written = [];
    canary.set(leaks(Object.fromEntries(names.map((name) => [name, n]))));
    await canary.cycle("S-01");
    return written;
  };
  const begun = await worse(1);
  expect(new Set(begun)).toEqual(new Set(names));
  const turns = [await worse(2), await worse(3), await worse(4), await worse(5)];
  expect(turns[0]).toHaveLength(100);
  for (const turn of turns) expect(turn.length).toBeLessThanOrEqual(100);
  // Those that were left out at first are not always the same.
  expect(new Set(turns.flat())).toEqual(new Set(names));
  // A reader has the newest peak of each, also of one whose item is older.
  const read = await list(canary, { invariantId: "S-01" }, 200);
  const last = formatInstant(canary.now() - canary.deps.settings.confirmAfterMs);
  expect(read.map(({ peak }) => [peak.value, peak.at])).toEqual(names.map(() => [5, last]));
});

test("a memory that is too small for tallies keeps the subjects, and counts anew", () => {
  const one = {
    sinceMs: 1,
    keys: [],
    announced: true,
    episode: [12, 1, 1_795_428_300_000, 0, true, true] as const,
  };
  const red = Object.fromEntries(Array.from({ length: 14_000 }, (_, i) => [`a-rather-long-name-${i}`, one]));
  const states = { "S-01": { ...NEVER_JUDGED, status: "red" as const, sinceMs: 1, red } };
  const { memory } = fitMemory(memorySizes({ ...EMPTY_MEMORY, states }, []));
  const kept = Object.values(memory.states["S-01"]!.red);
  expect(kept).toHaveLength(14_000);
  expect(kept[0]).not.toHaveProperty("episode");
});
