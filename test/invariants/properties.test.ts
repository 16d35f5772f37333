/**
 * Random platform states, judged by the code and by a second statement of each rule, written from the table and the
 * list of what was found later, as plainly as possible: loops over everything, no helper of the code.
 */
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type BacklogDefect,
  type Execution,
  type Facts,
  type FinishedRow,
  type Readings,
  type ReadingTime,
  type RowName,
  type RunningContainer,
  type Slot,
  TERMINAL_STATUSES,
  type UnreadableRow,
  zombieKey,
} from "../../shared/facts/facts.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import type { Invariant } from "../../shared/invariants/invariant.ts";
import { evaluate, type Verdict } from "../../shared/verdict/evaluate.ts";
import {
  executionsOf,
  leaseUntil,
  msAgo,
  NOW_MS,
  observedOf,
  readBetween,
  readingsOf,
  recordOf,
  secondsAgo,
  violationsOf,
  zombiesOf,
} from "../support/facts.ts";

const RUNS = 1500;

// ── Random platforms ────────────────────────────────────────────────────────────────────────────────────────────────

const KNOWN = ["ada", "cornelius-m", "123", "__proto__", "constructor"] as const;
const GHOSTS = ["ghost", "toString", "null", "drain-agent"] as const;
const IDS = [
  "123",
  "1e5",
  "null",
  "{}",
  "drain-x",
  "drain-",
  "__proto__",
  "constructor",
  "",
  "run-1",
  "run-2",
  "É",
];

const agentName = fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...KNOWN) }, fc.constantFrom(...GHOSTS));
const timeout = fc.constantFrom(0, 60, 300, 900);

/** An age in seconds, at or just beside a limit. A quarter of a second is exact in a double, at any distance. */
const ageNear = (...limits: number[]) =>
  fc
    .tuple(fc.constantFrom(...limits), fc.constantFrom(-1, -0.25, 0, 0, 0, 0.25, 1))
    .map(([limit, beside]) => limit + beside);
const age = ageNear(-60, -3, 0, 1, 3, 10, 30, 60, 120, 300, 360, 600, 900, 1200, 1500, 9000);

/** When a fact was read: mostly at the fixed instant, sometimes a little apart or slowly. */
const readingTime: fc.Arbitrary<ReadingTime> = fc
  .tuple(fc.constantFrom(0, 0, 0, 0, -1, 0.25, 5), fc.constantFrom(0, 0, 0, 0, 0.25, 5))
  .map(([from, took]) => readBetween(from, from + took));

const execution: fc.Arbitrary<Execution> = fc
  .record({
    id: fc.constantFrom(...IDS),
    agent: agentName,
    status: fc.constantFrom("running" as const, "queued" as const),
    startedSecondsAgo: fc.option(age, { freq: 8 }),
    queuedSecondsAgo: fc.option(ageNear(0, 60, 60, 120), { freq: 3 }),
    lease: fc.oneof(
      { weight: 3, arbitrary: fc.constant(null) },
      {
        weight: 1,
        arbitrary: fc
          .option(ageNear(-60, 0, 600, 600, 9000), { freq: 4 })
          .map((secondsAgo) => leaseUntil(secondsAgo === null ? null : msAgo(secondsAgo))),
      },
    ),
    triggeredBy: fc.constantFrom("manual", "schedule", "chat", "chat", "mcp", "agent", null),
    conversation: fc.constantFrom(null, null, "c-1", "c-2"),
    hasSession: fc.constantFrom(true, true, true, true, true, true, false, false, null),
    runsAtStart: fc.constantFrom(null, 0, 1, 2, 5),
    scheduleTimeoutSeconds: fc.oneof(
      { weight: 6, arbitrary: fc.constant(null) },
      { weight: 3, arbitrary: timeout },
      { weight: 1, arbitrary: fc.constant("unreadable" as const) },
    ),
  })
  .map(({ startedSecondsAgo, queuedSecondsAgo, ...row }) => ({
    ...row,
    startedAt: startedSecondsAgo === null ? null : `${startedSecondsAgo} s ago`,
    startedAtMs: startedSecondsAgo === null ? null : msAgo(startedSecondsAgo),
    queuedAtMs: queuedSecondsAgo === null ? null : msAgo(queuedSecondsAgo),
  }));

const unreadableRow: fc.Arbitrary<UnreadableRow> = fc
  .tuple(execution, fc.constantFrom("id", "id", "id", "agent", "both"))
  .map(([row, hidden]) => ({
    ...row,
    id: hidden === "agent" ? row.id : null,
    agent: hidden === "id" ? row.agent : null,
  }));

const rowName: fc.Arbitrary<RowName> = fc
  .tuple(
    fc.constantFrom(...IDS),
    agentName,
    fc.constantFrom("none", "none", "none", "none", "id", "agent", "both"),
  )
  .map(([id, agent, hidden]) => ({
    id: hidden === "id" || hidden === "both" ? null : id,
    agent: hidden === "agent" || hidden === "both" ? null : agent,
  }));
/** An id is there once. */
const oneOfEach = <R extends RowName>(rows: readonly R[]): R[] =>
  rows.filter((row, i) => row.id === null || rows.findIndex(({ id }) => id === row.id) === i);
const DEFECTS = [
  "queued_at_null",
  "backlog_metadata_null",
  "backlog_metadata_invalid_json",
  "unread",
] as const;

const finishedRows: fc.Arbitrary<FinishedRow[]> = fc
  .array(
    fc
      .record({
        row: rowName,
        status: fc.constantFrom(...TERMINAL_STATUSES),
        started: fc.option(age, { freq: 6 }),
        skew: fc.option(ageNear(-60, 0, 1, 1, 2, 60), { freq: 6 }),
      })
      .map(({ row, status, started, skew }) => {
        const completed = started === null || skew === null ? null : started + skew;
        const shown = (seconds: number | null) => (seconds === null ? null : `${seconds} s ago`);
        return {
          ...row,
          status,
          startedAt: shown(started),
          startedAtMs: started === null ? null : msAgo(started),
          completedAt: shown(completed),
          completedAtMs: completed === null ? null : msAgo(completed),
        };
      }),
    { maxLength: 3 },
  )
  .map(oneOfEach);

const slot: fc.Arbitrary<Slot> = fc
  .record({
    id: fc.constantFrom(...IDS),
    ageSeconds: age,
    own: fc.option(timeout, { freq: 2 }),
    agents: timeout,
    ttl: fc.constantFrom("given", "given", "given", "gone", "eternal", "over", "unread"),
    delta: fc.constantFrom(-30, -3, -2, -2, -1, 0, 1),
    // Redis says when a hash expires, by a clock that may be another than the platform's.
    expiry: fc.constantFrom(null, null, 0, -0.25, 0.5, 600, -600),
  })
  .map(({ id, ageSeconds, own, agents, ttl, delta, expiry }) => {
    const left = Math.ceil((own ?? agents) + 300 + delta - Math.max(0, ageSeconds));
    const ttlSeconds = { given: Math.max(0, left), gone: -2, eternal: -1, over: 0, unread: null }[ttl]!;
    const score = secondsAgo(ageSeconds);
    const isDated = expiry !== null && ttlSeconds !== null && ttlSeconds >= 0;
    const expiresAtSeconds = isDated ? score + (own ?? agents) + 300 + delta + expiry : null;
    return { id, score, ttlSeconds, expiresAtSeconds, timeoutSeconds: own };
  });

const someAgents = (maxLength: number) =>
  fc.uniqueArray(agentName, { maxLength }).map((names) => new Set<string>(names));
const mapOf = <V>(value: fc.Arbitrary<V>, key: fc.Arbitrary<string> = agentName, maxLength = 4) =>
  fc.uniqueArray(fc.tuple(key, value), { selector: ([name]) => name, maxLength }).map((e) => new Map(e));
const rarely = <T>(arbitrary: fc.Arbitrary<T>, otherwise: T) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(otherwise) }, { weight: 1, arbitrary });

const table = fc.constantFrom("schedule_executions", "agent_tags", "chat_sessions", "agent_sharing");
const container = fc.record({
  agent: agentName,
  containerId: fc.constantFrom("c1", "c2", "c3", "c4"),
  daemon: fc.constantFrom("tcp://one:2376", "tcp://two:2376"),
  startedAt: fc.constantFrom(null, "2026-11-23T08:00:00Z", "2026-11-23T11:00:00Z"),
  zombiePids: fc.uniqueArray(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }).map((pids) => pids.sort()),
});

const runningContainer: fc.Arbitrary<RunningContainer> = fc.record({
  agent: agentName,
  containerId: fc.constantFrom("p1", "p2", "p3", "p4", "p5"),
  startedAtMs: fc.option(ageNear(0, 300, 300, 9000), { freq: 6 }).map((s) => (s === null ? null : msAgo(s))),
  isPullMode: fc.constantFrom(true, true, false),
  poolSize: fc.constantFrom(0, 1, 1, 2, 3, null),
});

/** How a fact came that a check can do without. */
const sight = fc.constantFrom(
  "read",
  "read",
  "read",
  "read",
  "read",
  "down",
  "off",
  "unlisted",
  "not configured",
);
type Sight = "read" | "down" | "off" | "unlisted" | "not configured";
type Optional = "roster" | "slots" | "containers";

interface World {
  facts: Facts;
  times: Record<keyof Facts, ReadingTime>;
  dwellSeconds: number;
  /** Only for those who can do without the fact. */
  sights: Record<Optional, Sight>;
}

const world: fc.Arbitrary<World> = fc
  .record({
    roster: mapOf(
      fc.record({
        maxParallelTasks: fc.constantFrom(0, 1, 1, 2, 2, 3, null),
        executionTimeoutSeconds: fc.constantFrom(0, 60, 60, 300, 900, null),
        isDeleted: fc.constantFrom(false, false, false, true),
      }),
      fc.constantFrom(...KNOWN),
      KNOWN.length,
    ),
    live: fc.uniqueArray(execution, { selector: (e) => e.id, maxLength: 7 }),
    unreadable: rarely(fc.array(unreadableRow, { maxLength: 3 }), []),
    unreadableTables: rarely<string[]>(fc.constant(["agent_tags"]), []),
    endedWithoutTime: finishedRows,
    endedBeforeStart: finishedRows,
    backlogDefects: fc
      .array(
        rowName.chain((row) =>
          fc.constantFrom(...DEFECTS).map((defect) => ({ ...row, defect }) satisfies BacklogDefect),
        ),
        { maxLength: 3 },
      )
      .map(oneOfEach),
    credentialsInQueue: fc
      .array(
        rowName.chain((row) => fc.constantFrom("sk", "ghp", null).map((pattern) => ({ ...row, pattern }))),
        { maxLength: 3 },
      )
      .map(oneOfEach),
    schedules: fc
      .array(
        fc
          .tuple(rowName, fc.option(ageNear(0, 3600, 3600, 3601, 9000), { freq: 5 }))
          .map(([row, seconds]) => ({
            ...row,
            nextRunAt: seconds === null ? "soon" : `${seconds} s ago`,
            nextRunAtMs: seconds === null ? null : msAgo(seconds),
          })),
        { maxLength: 4 },
      )
      .map(oneOfEach),
    sessions: fc.uniqueArray(fc.constantFrom(...IDS), { maxLength: 6 }).map((ids) => new Set(ids)),
    byAgent: mapOf(fc.uniqueArray(slot, { selector: (s) => s.id, maxLength: 5 })),
    unseenSlots: rarely(someAgents(2), new Set<string>()),
    unreadSlots: rarely(
      mapOf(
        fc
          .record({ unreadable: fc.integer({ min: 0, max: 2 }), beyond: fc.constantFrom(0, 0, 2) })
          .filter(({ unreadable, beyond }) => unreadable + beyond > 0),
      ),
      new Map(),
    ),
    unreadKeys: rarely<string[]>(fc.constant(["od\ufffd"]), []),
    ghosts: mapOf(mapOf(fc.integer({ min: 1, max: 9 }), table).filter((rows) => rows.size > 0)),
    unseenTables: rarely<string[]>(fc.constant(["chat_sessions"]), []),
    counts: mapOf(fc.integer({ min: 0, max: 3 })),
    overHttp: fc.boolean(),
    sides: fc.tuple(mapOf(fc.integer({ min: 0, max: 3 })), mapOf(fc.integer({ min: 0, max: 3 }))),
    honest: fc.boolean(),
    tick: fc.option(ageNear(-60, 0, 60, 90, 90, 120, 120, 600), { freq: 8 }),
    ceiling: fc.constantFrom<number | null | "unreadable">(10, 10, 10, null, 0, 1, 2, "unreadable"),
    newestStart: fc.option(ageNear(0, 300, 301, 360, 900, 9000), { freq: 5 }),
    waiting: rarely(
      fc.uniqueArray(
        fc.record({
          id: fc.option(fc.constantFrom(...IDS), { freq: 6 }),
          agent: fc.option(agentName, { freq: 6 }),
        }),
        { selector: ({ id }) => id, maxLength: 4 },
      ),
      [],
    ),
    polls: fc.oneof(
      fc.constant(new Map<string, number | null>()),
      mapOf(fc.option(ageNear(-60, 0, 300, 300, 900), { freq: 6 })),
    ),
    hasSlotKey: fc.boolean(),
    hasHeartbeat: fc.boolean(),
    running: fc.uniqueArray(runningContainer, { selector: (c) => c.containerId, maxLength: 5 }),
    uninspected: rarely(
      fc.array(fc.record({ agent: agentName, containerId: fc.constant("mute") }), { maxLength: 2 }),
      [],
    ),
    unlistedDaemons: rarely<string[]>(fc.constant(["tcp://three:2376"]), []),
    doubtSince: fc.option(ageNear(0, 59, 60, 60, 300), { freq: 5 }),
    sights: fc.record({ roster: sight, slots: sight, containers: sight }),
    containers: fc.uniqueArray(container, { selector: (c) => c.containerId, maxLength: 4 }),
    unseenContainers: rarely(
      fc.array(fc.record({ agent: agentName, containerId: fc.constant("mute") }), { maxLength: 2 }),
      [],
    ),
    unseenDaemons: rarely<string[]>(fc.constant(["tcp://three:2376"]), []),
    remembered: mapOf(fc.constantFrom(...TERMINAL_STATUSES), fc.constantFrom(...IDS), 5),
    sightings: fc.array(fc.tuple(container, fc.integer({ min: 1, max: 4 }), age), { maxLength: 6 }),
    sightingsOfThese: fc.array(age, { maxLength: 6 }),
    dwellSeconds: fc.constantFrom(0, 0, 60, 300),
    times: fc.record({
      slots: readingTime,
      executions: readingTime,
      endedWithoutTime: readingTime,
      endedBeforeStart: readingTime,
      schedules: readingTime,
      drainTick: readingTime,
      pullPolls: readingTime,
      zombies: readingTime,
    }),
  })
  .map((w) => {
    // An accessor that mostly tells the truth, so that what is wrong is wrong by one.
    const queuedOf = new Map<string, number>();
    for (const e of [...w.live, ...w.unreadable])
      if (e.status === "queued" && e.agent !== null) queuedOf.set(e.agent, (queuedOf.get(e.agent) ?? 0) + 1);
    const counts = new Map(w.honest ? [...queuedOf, ...[...w.counts].slice(0, 1)] : w.counts);
    const here = w.containers.flatMap((c) => c.zombiePids.map((pid) => zombieKey(c, pid)));
    const read = readingsOf({
      roster: w.roster,
      executions: { live: w.live, unreadable: w.unreadable },
      sessions: w.sessions,
      endedWithoutTime: w.endedWithoutTime,
      endedBeforeStart: w.endedBeforeStart,
      backlogDefects: w.backlogDefects,
      credentialsInQueue: w.credentialsInQueue,
      schedules: w.schedules,
      orphans: {
        ghosts: new Map([...w.ghosts].map(([name, rowsByTable]) => [name, { rowsByTable, samples: [] }])),
        unseenTables: w.unseenTables,
        tablesWithUnreadable: w.unreadableTables,
      },
      queueCounts: {
        counts,
        absentIsZero: !w.overHttp,
        around: w.overHttp ? [w.honest ? queuedOf : w.sides[0], w.sides[1]] : null,
      },
      slots: {
        byAgent: w.byAgent,
        unread: w.unreadSlots,
        unreadKeys: w.unreadKeys,
        unseenAgents: w.unseenSlots,
      },
      drainTick: { atSeconds: w.tick === null ? null : secondsAgo(w.tick) },
      zombies: zombiesOf(w.containers, {
        unseenContainers: w.unseenContainers,
        unseenDaemons: w.unseenDaemons,
      }),
      platformSettings: { maxParallelTasksCeiling: w.ceiling },
      newestStart: w.newestStart === null ? null : msAgo(w.newestStart),
      // A row is either live or waits for its retry.
      pendingRetries: w.waiting.filter(({ id }) => !w.live.some((row) => row.id === id)),
      pullPolls: new Map([...w.polls].map(([name, age]) => [name, age === null ? null : secondsAgo(age)])),
      platformKeys: { hasSlotKey: w.hasSlotKey, hasHeartbeat: w.hasHeartbeat },
      containers: {
        running: w.running,
        unseenContainers: w.uninspected,
        unseenDaemons: w.unlistedDaemons,
      },
      rosterDoubtSince: w.doubtSince === null ? null : msAgo(w.doubtSince),
      finishedRuns: { statusOf: (id: string) => w.remembered.get(id) },
      zombieSightings: {
        dwellSeconds: w.dwellSeconds,
        othersSinceMs: null,
        firstSeenMs: new Map([
          ...w.sightings.map(([c, pid, seconds]) => [zombieKey(c, pid), msAgo(seconds)] as const),
          ...w.sightingsOfThese.flatMap((seconds, i) =>
            here[i] ? [[here[i], msAgo(seconds)] as const] : [],
          ),
        ]),
      },
    });
    const facts = Object.fromEntries(
      Object.entries(read).map(([name, reading]) => [name, reading.read && reading.value]),
    ) as unknown as Facts;
    const allAtOnce = Object.fromEntries(Object.keys(facts).map((name) => [name, readBetween(0, 0)]));
    const times = { ...allAtOnce, ...w.times } as World["times"];
    return { facts, times, dwellSeconds: w.dwellSeconds, sights: w.sights as World["sights"] };
  });

// ── The rules, stated a second time ─────────────────────────────────────────────────────────────────────────────────

interface Stated {
  /** Why there can be no verdict, or no green one. */
  blind?: "no verdict" | "not green";
  subjects: string[];
  unseen: string[];
  /** What the violations show, each with its subject. */
  red: ({ subject: string; severity?: string } & Record<string, unknown>)[];
}
type Rule = (facts: Facts, times: World["times"], world: World) => Stated;

// A reading takes time. Whatever was written is as young as it can have been when it was read ("a slow collection must
// not shorten the grace"), but for the life that a slot was given: there, it is as old as it can have been.
const wholeSeconds = (fromMs: number, toMs: number) => {
  if (toMs < fromMs) return 0;
  return Math.floor((toMs - fromMs) / 1000);
};
const within3s = (atMs: number, { fromMs, toMs }: ReadingTime) =>
  !(fromMs - atMs >= 3000) && !(atMs - toMs >= 3000);
const sorted = (ids: string[]) => [...ids].sort();
/** A row that can't be named, as a part that is unseen. */
const nameless = ({ id, agent }: RowName, keyBefore = "") =>
  `${agent === null ? "(unreadable name)" : agent}/${keyBefore}${id === null ? "(unreadable id)" : id}`;

/** Members that are there and could not be read, of which nothing is known but that they hold a slot. */
function unreadOf({ slots }: Facts, agent: string): number {
  const members = slots.unread.get(agent);
  return members ? members.unreadable + members.beyond : 0;
}

/** Where there are more members than are read, each slot may be one of these; else only a part without a name is. */
function hiddenSlots({ slots }: Facts, agent: string, part: string): string[] {
  const members = slots.unread.get(agent);
  if (!members) return [];
  return [members.beyond > 0 ? agent : `${agent}/${part}`];
}

/** A `drain-` member counts as a real slot from 10 s on. */
function realSlotsOf({ slots }: Facts, agent: string, time: ReadingTime): Slot[] {
  const real: Slot[] = [];
  for (const member of slots.byAgent.get(agent) ?? []) {
    const isSentinel = member.id.slice(0, 6) === "drain-";
    const leaked = time.fromMs - member.score * 1000 >= 10_000;
    if (!isSentinel || leaked) real.push(member);
  }
  return real;
}

const isChat = (row: Execution) =>
  row.triggeredBy === "chat" || row.triggeredBy === "mcp" || row.triggeredBy === "agent";

/** A turn whose dispatch was parked has its age restarted, and queued_at says when it was admitted. */
const whenAdmitted = (row: Execution) => (row.queuedAtMs !== null ? row.queuedAtMs : row.startedAtMs);

/** Takes the closest slot and chat row out of both lists, again and again. Returns how many pairs there were. */
function pairOff(slots: Slot[], rows: Execution[]): number {
  for (let pairs = 0; ; pairs += 1) {
    let best: { row: Execution; slot: Slot; apart: number } | null = null;
    // Of pairs that are as close, the first by the row's id, then by the slot's.
    for (const row of [...rows].sort((a, b) => (a.id < b.id ? -1 : 1)))
      for (const slot of [...slots].sort((a, b) => (a.id < b.id ? -1 : 1))) {
        const admitted = whenAdmitted(row);
        if (!isChat(row) || admitted === null || slot.id.slice(0, 6) === "drain-") continue;
        const after = admitted - slot.score * 1000;
        if (after < -2000 || after > 10_000) continue;
        if (best === null || Math.abs(after) < best.apart) best = { row, slot, apart: Math.abs(after) };
      }
    if (best === null) return pairs;
    slots.splice(slots.indexOf(best.slot), 1);
    rows.splice(rows.indexOf(best.row), 1);
  }
}

/** The smaller of the agent's cap and the ceiling; null where one of them can't be read. */
function capOf(facts: Facts, agent: string): number | null {
  const own = facts.roster.get(agent)!.maxParallelTasks;
  const ceiling = facts.platformSettings.maxParallelTasksCeiling;
  if (own === null || ceiling === "unreadable") return null;
  return ceiling !== null && ceiling < own ? ceiling : own;
}

/** Whoever has asked for work, or holds a lease. */
function pullsWork(facts: Facts, agent: string): boolean {
  if (facts.pullPolls.has(agent)) return true;
  for (const row of [...facts.executions.live, ...facts.executions.unreadable])
    if (row.agent === agent && row.lease) return true;
  return false;
}

/** The container of an agent that counts, or why there is none. */
function containerFor({ facts, sights }: World, agent: string): RunningContainer | "stopped" | "unknown" {
  if (sights.containers !== "read" && sights.containers !== "unlisted") return "unknown";
  let found: RunningContainer | null = null;
  for (const c of facts.containers.running) {
    if (c.agent !== agent) continue;
    if (found === null) found = c;
    // One with workers before one without, then what started last, then by the id.
    const mode = Number(c.isPullMode) - Number(found.isPullMode);
    const start = (c.startedAtMs ?? -Infinity) - (found.startedAtMs ?? -Infinity);
    if (mode > 0 || (mode === 0 && (start > 0 || (!(start < 0) && c.containerId < found.containerId))))
      found = c;
  }
  if (found) return found;
  const mayRun =
    sights.containers === "unlisted" ||
    facts.containers.unseenDaemons.length > 0 ||
    facts.containers.unseenContainers.some((c) => c.agent === agent);
  return mayRun ? "unknown" : "stopped";
}

/** How many workers there are, how many have a run with a lease, and how many are left; null: not known. */
function workersOf(world: World, agent: string) {
  const { facts, times } = world;
  const found = containerFor(world, agent);
  const own = typeof found === "string" ? null : found.poolSize;
  const size = own !== null ? own : facts.roster.get(agent)!.maxParallelTasks;
  let busy: number | null = 0;
  for (const row of [...facts.executions.live, ...facts.executions.unreadable]) {
    if (row.agent !== agent || row.status !== "running" || !row.lease) continue;
    if (row.lease.expiresAtMs === null) busy = null;
    else if (busy !== null && row.lease.expiresAtMs > times.executions.fromMs) busy += 1;
  }
  const idle = size === null || busy === null ? null : size > busy ? size - busy : 0;
  return { found, size, busy, idle };
}

/** Up to ten of these, as agent and id. */
const sampleOf = (rows: { agent: string; id: string }[]) =>
  sorted(rows.map((r) => `${r.agent}/${r.id}`)).slice(0, 10);

const RULES: Record<string, Rule> = {
  "H-01": (facts, _times, { sights }) => {
    const stated: Stated = { subjects: ["roster"], unseen: [], red: [] };
    const unknown: Stated = { blind: "no verdict", subjects: [], unseen: [], red: [] };
    if (sights.roster === "off" || sights.roster === "not configured") return unknown;
    const isRead = sights.roster !== "down";
    if (isRead && facts.roster.size > 0) return stated;
    if (sights.roster === "unlisted") return unknown;
    const seesDocker = sights.containers === "read" || sights.containers === "unlisted";
    const seesRedis = sights.slots === "read" || sights.slots === "unlisted";
    const named = new Set<string>();
    let isOnDocker = false;
    if (seesDocker)
      for (const c of [...facts.containers.running, ...facts.containers.unseenContainers]) {
        named.add(c.agent);
        isOnDocker = true;
      }
    if (seesRedis)
      for (const name of [
        ...facts.slots.byAgent.keys(),
        ...facts.slots.unread.keys(),
        ...facts.slots.unseenAgents,
      ])
        named.add(name);
    let reason = isRead ? "roster_empty_contradicted" : "roster_read_failed";
    if (named.size === 0) {
      if (seesDocker || seesRedis) {
        const isBlind = [sights.containers, sights.slots].some((s) => s === "down" || s === "not configured");
        const isPartly =
          seesDocker && (facts.containers.unseenDaemons.length > 0 || sights.containers === "unlisted");
        return isRead && !isBlind && !isPartly ? stated : unknown;
      }
      if (isRead) reason = "roster_empty_unverifiable";
    }
    const since = facts.rosterDoubtSince ?? NOW_MS;
    if (NOW_MS - since < 60_000) return unknown;
    const available = (s: Sight) => (s === "off" ? null : s === "read" || s === "unlisted");
    stated.red.push({
      subject: "roster",
      severity: isOnDocker ? "critical" : "major",
      reason,
      blind_since: new Date(since).toISOString(),
      known_agent_count: 0,
      evidence_agent_count: named.size,
      evidence_sample: sorted([...named]).slice(0, 10),
      docker_available: available(sights.containers),
      redis_available: available(sights.slots),
    });
    return stated;
  },

  "H-02": (facts, times) => {
    if (facts.roster.size === 0) return { blind: "no verdict", subjects: [], unseen: [], red: [] };
    const stated: Stated = { subjects: ["database"], unseen: [], red: [] };
    const strange: { agent: string; id: string; at: number }[] = [];
    for (const [agent, members] of facts.slots.byAgent)
      for (const { id, score } of members) {
        if (id.slice(0, 6) === "drain-") continue;
        const hasRow = [...facts.executions.live, ...facts.executions.unreadable].some(
          (row) => row.id === id,
        );
        if (!hasRow && facts.finishedRuns.statusOf(id) === undefined)
          strange.push({ agent, id, at: score * 1000 });
      }
    const rowTimes = facts.executions.live.flatMap((row) => row.startedAtMs ?? []);
    if (facts.newestStart !== null) rowTimes.push(facts.newestStart);
    const newestRow = rowTimes.length > 0 ? Math.max(...rowTimes) : null;
    const behind = (at: number) => newestRow === null || Math.floor((at - newestRow) / 1000) > 300;
    const agents = new Set(strange.map(({ agent }) => agent));
    const newestSlot = Math.max(...strange.map(({ at }) => at));
    if (strange.length >= 3 && agents.size >= 2 && behind(newestSlot))
      stated.red.push({
        subject: "database",
        slot_count: strange.length,
        agent_count: agents.size,
        newest_slot_at: new Date(newestSlot).toISOString(),
        newest_row_at: newestRow === null ? null : new Date(newestRow).toISOString(),
        behind_seconds: newestRow === null ? null : Math.floor((newestSlot - newestRow) / 1000),
        sample: sampleOf(strange),
      });
    else {
      // Whose slots were not all read may be a further agent with strange ones.
      const further = new Set([...facts.slots.unseenAgents, ...facts.slots.unread.keys()]);
      for (const agent of agents) further.delete(agent);
      const hidden = further.size + facts.slots.unreadKeys.length;
      if (hidden > 0 && hidden + agents.size >= 2 && behind(times.slots.toMs)) stated.blind = "not green";
    }
    return stated;
  },

  "H-03": (facts) => {
    const stated: Stated = { subjects: ["redis"], unseen: [], red: [] };
    if (facts.platformKeys.hasSlotKey || facts.platformKeys.hasHeartbeat) return stated;
    const nameless = facts.executions.unreadable
      .filter((row) => row.agent !== null)
      .map((row) => ({ ...row, agent: row.agent!, id: row.id ?? "(unreadable id)" }));
    const runs = [...facts.executions.live, ...nameless].filter(
      (row) => row.status === "running" && !row.lease,
    );
    if (runs.some((row) => row.hasSession === null))
      return { blind: "no verdict", subjects: [], unseen: [], red: [] };
    const dispatched = runs.filter((row) => row.hasSession);
    const agents = new Set(dispatched.map((row) => row.agent));
    if (agents.size >= 2)
      stated.red.push({
        subject: "redis",
        running_row_count: dispatched.length,
        agent_count: agents.size,
        sample: sampleOf(dispatched),
      });
    return stated;
  },

  "S-01": (facts, times) => {
    const stated: Stated = {
      subjects: [...facts.roster.keys()],
      unseen: [...facts.slots.unreadKeys],
      red: [],
    };
    const holdsSlot = (row: UnreadableRow) => row.status === "running" && !row.lease;
    for (const row of facts.executions.unreadable)
      if (holdsSlot(row) && (row.agent === null || facts.roster.has(row.agent)))
        stated.unseen.push(nameless(row, "sql:"));
    for (const agent of stated.subjects) {
      if (facts.slots.unseenAgents.has(agent)) {
        stated.unseen.push(agent);
        continue;
      }
      const slots = realSlotsOf(facts, agent, times.slots);
      const rows: Execution[] = [];
      for (const row of facts.executions.live)
        if (row.agent === agent && row.status === "running" && !row.lease) rows.push(row);
      const lonelySlots: Slot[] = [];
      for (const s of slots) {
        let found = false;
        for (const row of rows) if (row.id === s.id) found = true;
        // Its row is there, only whose it is can't be read.
        for (const { id } of facts.executions.unreadable)
          if (id === s.id) {
            found = true;
            stated.unseen.push(`${agent}/redis:${s.id}`);
          }
        if (!found) lonelySlots.push(s);
      }
      const lonelyRows = rows.filter((row) => !slots.some((s) => s.id === row.id));
      const pairs = pairOff(lonelySlots, lonelyRows);
      const redisOnly = lonelySlots.filter((s) => !within3s(s.score * 1000, times.slots)).map(({ id }) => id);
      // As many slots without a row may be those of rows that can't be named: which ones they are can't be said.
      let ofThisAgent = 0;
      let ofAnyAgent = 0;
      for (const row of facts.executions.unreadable) {
        if (row.id !== null || !holdsSlot(row)) continue;
        if (row.agent === agent) ofThisAgent += 1;
        if (row.agent === null) ofAnyAgent += 1;
      }
      const nameless = ofThisAgent + ofAnyAgent;
      if (nameless > 0) for (const id of redisOnly) stated.unseen.push(`${agent}/redis:${id}`);
      if (nameless >= redisOnly.length) redisOnly.length = 0;
      const unread = unreadOf(facts, agent);
      const cap = capOf(facts, agent);
      const lost: Execution[] = [];
      for (const row of lonelyRows) {
        const at = row.startedAtMs;
        const { fromMs, toMs } = times.executions;
        const starting = at !== null && within3s(at, times.executions);
        const dispatching = at !== null && !row.hasSession && fromMs - at < 60_000 && at - toMs < 60_000;
        if (!starting && !dispatching) lost.push(row);
      }
      // The newest first: the platform lets three turns of an agent go on without a slot.
      lost.sort((a, b) => (whenAdmitted(b) ?? 0) - (whenAdmitted(a) ?? 0) || (a.id < b.id ? -1 : 1));
      let goOn = 0;
      const sqlOnly: string[] = [];
      for (const row of lost) {
        const isFull = cap === null || slots.length + unread >= cap;
        const wasFull = cap !== null && row.runsAtStart !== null && row.runsAtStart >= cap;
        if (isChat(row) && goOn < 3 && (isFull || wasFull)) {
          goOn += 1;
          if (cap === null) stated.unseen.push(`${agent}/sql:${row.id}`);
        } else sqlOnly.push(row.id);
      }
      // Each unread member may be the slot of one of these rows.
      sqlOnly.sort();
      for (let n = 0; n < unread && sqlOnly.length > 0; n += 1)
        stated.unseen.push(`${agent}/sql:${sqlOnly.pop()}`);
      stated.unseen.push(...hiddenSlots(facts, agent, "redis:(unreadable)"));
      if (redisOnly.length > 0 || sqlOnly.length > 0)
        stated.red.push({
          subject: agent,
          agent_name: agent,
          redis_slot_count: slots.length + unread,
          unread_slot_count: unread || undefined,
          sql_running_count: rows.length + ofThisAgent,
          in_redis_only: sorted(redisOnly),
          in_sql_only: sorted(sqlOnly),
          paired_chat_turns: pairs,
        });
    }
    return stated;
  },

  "S-02": (facts, times) => {
    const stated: Stated = {
      subjects: [...facts.roster.keys()],
      unseen: [...facts.slots.unreadKeys],
      red: [],
    };
    for (const [agent, { maxParallelTasks: cap }] of facts.roster) {
      if (cap === null || facts.slots.unseenAgents.has(agent)) stated.unseen.push(agent);
      else {
        const ids = realSlotsOf(facts, agent, times.slots).map((s) => s.id);
        const unread = unreadOf(facts, agent);
        const count = ids.length + unread;
        if (count > cap)
          stated.red.push({
            subject: agent,
            agent_name: agent,
            slot_count: count,
            unread_slot_count: unread || undefined,
            max_parallel_tasks: cap,
            overbooked_by: count - cap,
            slot_ids: sorted(ids),
          });
      }
    }
    return stated;
  },

  "S-03": (facts, times) => {
    const stated: Stated = {
      subjects: [...facts.roster.keys()],
      unseen: [...facts.slots.unreadKeys],
      red: [],
    };
    for (const [agent, { executionTimeoutSeconds }] of facts.roster) {
      if (facts.slots.unseenAgents.has(agent)) {
        stated.unseen.push(agent);
        continue;
      }
      stated.unseen.push(...hiddenSlots(facts, agent, "(unreadable)"));
      for (const s of facts.slots.byAgent.get(agent) ?? []) {
        if (s.id.slice(0, 6) === "drain-") continue;
        const allowed = s.timeoutSeconds !== null ? s.timeoutSeconds : executionTimeoutSeconds;
        // How long a hash is to live, and since when, must be known to call its life too short, not to call it gone or
        // eternal.
        const isDated = s.score >= -Number.MAX_SAFE_INTEGER && s.score <= Number.MAX_SAFE_INTEGER;
        if (s.ttlSeconds === null || (s.ttlSeconds >= 0 && (allowed === null || !isDated))) {
          stated.unseen.push(`${agent}/${s.id}`);
          continue;
        }
        const floor = allowed === null ? null : allowed + 300;
        const finding = {
          subject: agent,
          agent_name: agent,
          execution_id: s.id,
          redis_ttl_seconds: s.ttlSeconds,
          execution_timeout_seconds: allowed,
          slot_ttl_buffer_seconds: 300,
          floor_seconds: floor,
          floor_source: s.timeoutSeconds !== null ? "slot" : "agent",
        };
        if (s.ttlSeconds < 0) {
          const kind = s.ttlSeconds === -2 ? "missing" : "no_expiry";
          if (!within3s(s.score * 1000, times.slots)) stated.red.push({ ...finding, kind });
          continue;
        }
        let ageMs = times.slots.toMs - s.score * 1000;
        if (ageMs < 0) ageMs = 0;
        const givenMs =
          s.expiresAtSeconds !== null ? (s.expiresAtSeconds - s.score) * 1000 : s.ttlSeconds * 1000 + ageMs;
        if (givenMs < (floor! - 2) * 1000)
          stated.red.push({
            ...finding,
            kind: "below_floor",
            initial_ttl_seconds: Math.floor(givenMs / 1000),
            age_seconds: Math.floor(ageMs / 1000),
          });
      }
    }
    return stated;
  },

  "E-01": (facts, times) => {
    const now = times.executions.fromMs;
    const stated: Stated = { subjects: [...facts.roster.keys()], unseen: [], red: [] };
    for (const row of facts.executions.unreadable)
      if (row.status === "running" && (row.agent === null || facts.roster.has(row.agent)))
        stated.unseen.push(nameless(row));
    for (const row of facts.executions.live) {
      const agent = facts.roster.get(row.agent);
      if (!agent || row.status !== "running") continue;
      if (row.lease && row.lease.expiresAtMs !== null) {
        const overdueMs = now - row.lease.expiresAtMs;
        if (overdueMs < 600_000) continue;
      }
      const unreadable =
        row.startedAtMs === null ||
        agent.executionTimeoutSeconds === null ||
        row.scheduleTimeoutSeconds === "unreadable" ||
        (row.lease && row.lease.expiresAtMs === null) ||
        facts.slots.unseenAgents.has(row.agent) ||
        (unreadOf(facts, row.agent) > 0 &&
          !(facts.slots.byAgent.get(row.agent) ?? []).some((s) => s.id === row.id));
      if (unreadable) {
        stated.unseen.push(`${row.agent}/${row.id}`);
        continue;
      }
      let longest = agent.executionTimeoutSeconds!;
      let source = "agent";
      if (row.scheduleTimeoutSeconds !== null && Number(row.scheduleTimeoutSeconds) > longest) {
        longest = Number(row.scheduleTimeoutSeconds);
        source = "schedule";
      }
      for (const s of facts.slots.byAgent.get(row.agent) ?? [])
        if (s.id === row.id && s.timeoutSeconds !== null && s.timeoutSeconds > longest) {
          longest = s.timeoutSeconds;
          source = "slot";
        }
      const ageSeconds = wholeSeconds(row.startedAtMs!, now);
      if (ageSeconds > longest + 300)
        stated.red.push({
          subject: row.agent,
          agent_name: row.agent,
          execution_id: row.id,
          started_at: row.startedAt,
          age_seconds: ageSeconds,
          execution_timeout_seconds: agent.executionTimeoutSeconds,
          slot_ttl_buffer_seconds: 300,
          effective_timeout_seconds: longest,
          timeout_source: source,
          lease_expires_at: row.lease ? row.lease.expiresAt : undefined,
          lease_overdue_seconds: row.lease ? wholeSeconds(row.lease.expiresAtMs!, now) : undefined,
        });
    }
    return stated;
  },

  "E-02": (facts) => {
    const unseen = facts.executions.unreadable.map((row) => nameless(row));
    const stated: Stated = { subjects: [], unseen, red: [] };
    for (const { id, agent } of facts.pendingRetries) {
      const part = nameless({ id, agent } as UnreadableRow);
      const subject = agent === null ? "(unreadable name)" : agent;
      if (id === null || agent === null) stated.unseen.push(part);
      stated.subjects.push(subject);
      const was = id === null ? undefined : facts.finishedRuns.statusOf(id);
      if (was === "success" || was === "cancelled" || was === "skipped")
        stated.red.push({
          subject,
          agent_name: subject,
          execution_id: id,
          previous_status: was,
          current_status: "pending_retry",
        });
    }
    for (const row of facts.executions.live) {
      stated.subjects.push(row.agent);
      const was = facts.finishedRuns.statusOf(row.id);
      if (was !== undefined)
        stated.red.push({
          subject: row.agent,
          agent_name: row.agent,
          execution_id: row.id,
          previous_status: was,
          current_status: row.status,
        });
    }
    return stated;
  },

  "E-03": (facts, times) => {
    const stated: Stated = { subjects: [...facts.roster.keys()], unseen: [], red: [] };
    let longest = -1;
    for (const { executionTimeoutSeconds } of facts.roster.values())
      if (executionTimeoutSeconds !== null && executionTimeoutSeconds > longest)
        longest = executionTimeoutSeconds;
    if (longest < 0) longest = 3600;
    for (const row of facts.endedWithoutTime) {
      const ageMs = row.startedAtMs === null ? 0 : times.endedWithoutTime.fromMs - row.startedAtMs;
      if (ageMs > (longest + 300) * 1000) continue;
      if (row.startedAtMs === null || row.id === null || row.agent === null)
        stated.unseen.push(nameless(row));
      else {
        stated.subjects.push(row.agent);
        stated.red.push({
          subject: row.agent,
          agent_name: row.agent,
          execution_id: row.id,
          status: row.status,
          started_at: row.startedAt,
          completed_at: null,
        });
      }
    }
    return stated;
  },

  "E-04": (facts) => {
    const stated: Stated = { subjects: [], unseen: [], red: [] };
    for (const row of facts.executions.live) if (row.status === "queued") stated.subjects.push(row.agent);
    for (const row of facts.executions.unreadable)
      if (row.status === "queued") stated.unseen.push(nameless(row));
    for (const row of facts.backlogDefects) {
      if (row.defect === "unread") stated.unseen.push(nameless(row));
      else if (row.id !== null && row.agent !== null) {
        stated.subjects.push(row.agent);
        stated.red.push({
          subject: row.agent,
          agent_name: row.agent,
          execution_id: row.id,
          reason: row.defect,
        });
      }
    }
    return stated;
  },

  "G-04": (facts) => {
    const stated: Stated = { subjects: [], unseen: [], red: [] };
    for (const row of facts.executions.live) if (row.status === "queued") stated.subjects.push(row.agent);
    for (const row of facts.executions.unreadable)
      if (row.status === "queued") stated.unseen.push(nameless(row));
    for (const row of facts.credentialsInQueue) {
      if (row.pattern === null) stated.unseen.push(nameless(row));
      else if (row.id !== null && row.agent !== null) {
        stated.subjects.push(row.agent);
        stated.red.push({
          subject: row.agent,
          agent_name: row.agent,
          execution_id: row.id,
          matched_pattern: row.pattern,
        });
      }
    }
    return stated;
  },

  "E-06": (facts, times) => {
    const stated: Stated = { subjects: [...facts.roster.keys()], unseen: [], red: [] };
    for (const { id, agent, nextRunAt, nextRunAtMs } of facts.schedules) {
      if (agent !== null && !facts.roster.has(agent)) continue;
      if (agent !== null && facts.roster.get(agent)!.isDeleted) continue;
      if (nextRunAtMs === null) {
        stated.unseen.push(nameless({ id, agent }));
        continue;
      }
      const overdue = wholeSeconds(nextRunAtMs, times.schedules.fromMs);
      if (overdue <= 3600) continue;
      if (id === null || agent === null) stated.unseen.push(nameless({ id, agent }));
      else
        stated.red.push({
          subject: agent,
          agent_name: agent,
          schedule_id: id,
          next_run_at: nextRunAt,
          overdue_seconds: overdue,
          misfire_grace_seconds: 3600,
        });
    }
    return stated;
  },

  "G-03": (facts, times) => {
    const stated: Stated = { subjects: [...facts.roster.keys()], unseen: [], red: [] };
    for (const row of facts.endedBeforeStart) {
      const { id, agent, startedAtMs: start, completedAtMs: end } = row;
      const isLongAgo = (at: number) => times.endedBeforeStart.fromMs - at > 3_600_000;
      const isStart = start !== null && start >= 0 && start <= times.endedBeforeStart.toMs + 86_400_000;
      if (end !== null && isLongAgo(end) && (!isStart || isLongAgo(start))) continue;
      if (end === null && isStart && isLongAgo(start + 86_400_000)) continue;
      const isBackward = start !== null && end !== null && start > end + 1000;
      if (start === null || end === null || (isBackward && (id === null || agent === null)))
        stated.unseen.push(nameless(row));
      else if (isBackward) {
        stated.subjects.push(agent!);
        stated.red.push({
          subject: agent!,
          agent_name: agent,
          execution_id: id,
          status: row.status,
          started_at: row.startedAt,
          completed_at: row.completedAt,
          skew_seconds: wholeSeconds(end, start),
        });
      }
    }
    return stated;
  },

  "E-05": (facts, times) => {
    const unseen = facts.executions.unreadable
      .filter((row) => row.status === "running" && !row.lease)
      .map((row) => nameless(row));
    const stated: Stated = { subjects: [], unseen, red: [] };
    for (const row of facts.executions.live) {
      if (row.status !== "running" || row.lease) continue;
      stated.subjects.push(row.agent);
      if (facts.sessions.has(row.id)) continue;
      if (row.startedAtMs === null) stated.unseen.push(`${row.agent}/${row.id}`);
      else {
        const ageSeconds = wholeSeconds(row.startedAtMs, times.executions.fromMs);
        if (ageSeconds > 60)
          stated.red.push({
            subject: row.agent,
            agent_name: row.agent,
            execution_id: row.id,
            started_at: row.startedAt,
            age_seconds: ageSeconds,
            grace_seconds: 60,
          });
      }
    }
    return stated;
  },

  "L-03": (facts) => {
    if (facts.roster.size === 0) return { blind: "no verdict", subjects: [], unseen: [], red: [] };
    const stated: Stated = { subjects: [...facts.roster.keys()], unseen: [], red: [] };
    if (facts.orphans.unseenTables.length > 0) stated.blind = "not green";
    for (const name of facts.orphans.tablesWithUnreadable) stated.unseen.push(`(unreadable name)/${name}`);
    for (const name of facts.slots.unseenAgents) if (!facts.roster.has(name)) stated.unseen.push(name);
    stated.unseen.push(...facts.slots.unreadKeys);
    const named = [facts.orphans.ghosts, facts.slots.byAgent, facts.slots.unread].flatMap((m) => [
      ...m.keys(),
    ]);
    for (const ghost of new Set(named)) {
      if (facts.roster.has(ghost)) continue;
      let rows = 0;
      const places: string[] = [];
      for (const [name, n] of facts.orphans.ghosts.get(ghost)?.rowsByTable ?? []) {
        rows += n;
        places.push(name);
      }
      const slots = (facts.slots.byAgent.get(ghost)?.length ?? 0) + unreadOf(facts, ghost);
      if (slots > 0) places.push("redis:agent:slots");
      // Nothing names it: a key that has no member any more is no key.
      if (places.length === 0) continue;
      stated.subjects.push(ghost);
      stated.red.push({
        subject: ghost,
        severity: slots > 0 || places.includes("schedule_executions") ? "critical" : "major",
        ghost_agent_name: ghost,
        orphan_count: rows,
        redis_slot_count: slots,
        tables_hit: sorted(places),
      });
    }
    return stated;
  },

  "B-01": (facts) => {
    const { counts, absentIsZero, around } = facts.queueCounts;
    const rows = [...facts.executions.live, ...facts.executions.unreadable];
    const agents = [...facts.roster.keys(), ...rows.flatMap((e) => e.agent ?? []), ...counts.keys()];
    const stated: Stated = { subjects: [...new Set(agents)], unseen: [], red: [] };
    for (const agent of stated.subjects) {
      let said = counts.get(agent);
      if (said === undefined && absentIsZero) said = 0;
      const isKnown = facts.roster.has(agent) || rows.some((row) => row.agent === agent);
      const isSpeltOtherwise = rows.some((row) => row.agent === null && row.status === "queued") && !isKnown;
      if (said === undefined || isSpeltOtherwise) {
        stated.unseen.push(agent);
        continue;
      }
      let queued = 0;
      const ids: string[] = [];
      for (const row of rows)
        if (row.agent === agent && row.status === "queued") {
          queued += 1;
          if (row.id !== null) ids.push(row.id);
        }
      // Of the two counts around the answer, one is as low and one as high as it: then it may have been true.
      let maybeTrue = false;
      if (around !== null) {
        const [before, after] = [around[0].get(agent) ?? 0, around[1].get(agent) ?? 0];
        maybeTrue = (before <= said && said <= after) || (after <= said && said <= before);
      }
      if (said !== queued && !maybeTrue)
        stated.red.push({
          subject: agent,
          agent_name: agent,
          service_count: said,
          snapshot_count: queued,
          snapshot_queued_ids: sorted(ids),
        });
    }
    return stated;
  },

  "B-02": (facts, times, world) => {
    const now = times.drainTick.fromMs;
    const { atSeconds } = facts.drainTick;
    const tickAge = atSeconds === null ? null : wholeSeconds(atSeconds * 1000, now);
    const stated: Stated = { subjects: [...facts.roster.keys()], unseen: [], red: [] };
    for (const [agent, { maxParallelTasks: own }] of facts.roster) {
      if (pullsWork(facts, agent)) {
        const readAt = times.executions.fromMs;
        const queue = [...facts.executions.live, ...facts.executions.unreadable].filter(
          (row) => row.agent === agent && row.status === "queued",
        );
        if (queue.length === 0) continue;
        let oldest = -1;
        const all = [...facts.executions.live, ...facts.executions.unreadable];
        // No worker may claim a second turn of a conversation.
        const waiting = queue.filter(
          ({ conversation }) =>
            !all.some(
              (o) => o.agent === agent && o.status === "running" && o.conversation === conversation,
            ) || conversation === null,
        );
        for (const row of waiting) {
          const since = row.queuedAtMs !== null ? row.queuedAtMs : row.startedAtMs;
          if (since !== null) oldest = Math.max(oldest, wholeSeconds(since, readAt));
        }
        if (oldest <= 120) {
          for (const row of waiting)
            if (row.queuedAtMs === null && row.startedAtMs === null) stated.unseen.push(nameless(row));
          continue;
        }
        const { found, size, busy, idle } = workersOf(world, agent);
        const isWrong = found === "stopped" || (typeof found !== "string" && !found.isPullMode);
        if (!isWrong && idle === null) stated.unseen.push(agent);
        if (isWrong || (idle !== null && idle > 0))
          stated.red.push({
            subject: agent,
            severity: typeof found === "string" ? "major" : "critical",
            agent_name: agent,
            mode: "pull",
            kind: found === "stopped" ? "pilot_stopped" : "queued_not_claimed",
            queued_count: queue.length,
            oldest_queued_age_seconds: oldest,
            claim_grace_seconds: 120,
            container_pull_mode: typeof found === "string" ? null : found.isPullMode,
            pool_size: size,
            busy_workers: busy,
            idle_workers: idle,
          });
        continue;
      }
      const cap = capOf(facts, agent);
      if (cap === null || facts.slots.unseenAgents.has(agent)) {
        stated.unseen.push(agent);
        continue;
      }
      let waiting = 0;
      let longestWait = -1;
      const undated: string[] = [];
      for (const row of [...facts.executions.live, ...facts.executions.unreadable]) {
        if (row.agent !== agent || row.status !== "queued") continue;
        waiting += 1;
        const since = row.queuedAtMs !== null ? row.queuedAtMs : row.startedAtMs;
        if (since === null) undated.push(nameless(row));
        else longestWait = Math.max(longestWait, wholeSeconds(since, now));
      }
      const taken = realSlotsOf(facts, agent, times.slots).length + unreadOf(facts, agent);
      if (waiting === 0 || taken >= cap) continue;
      const dead = tickAge === null || tickAge > 120;
      const late = tickAge !== null && tickAge >= 90 && longestWait > 60;
      if (!dead && !late && tickAge >= 90) stated.unseen.push(...undated);
      if (dead || late)
        stated.red.push({
          subject: agent,
          agent_name: agent,
          mode: "push",
          queued_count: waiting,
          slot_count: taken,
          max_parallel_tasks: own,
          effective_max_parallel_tasks: cap,
          free_slots: cap - taken,
          drain_tick_at: atSeconds === null ? null : Math.floor(atSeconds),
          drain_tick_age_seconds: tickAge,
          drain_tick_grace_seconds: 60,
        });
    }
    return stated;
  },

  "B-08": (facts, times, world) => {
    const stated: Stated = { subjects: [], unseen: [], red: [] };
    for (const agent of facts.roster.keys()) {
      if (!pullsWork(facts, agent)) continue;
      stated.subjects.push(agent);
      const { found, size, busy, idle } = workersOf(world, agent);
      if (found === "stopped") continue;
      if (found === "unknown") {
        stated.unseen.push(agent);
        continue;
      }
      const polled = facts.pullPolls.get(agent);
      const finding = {
        subject: agent,
        agent_name: agent,
        container_pull_mode: found.isPullMode,
        pool_size: size,
        busy_workers: busy,
        idle_workers: idle,
        last_worker_poll_at: polled == null ? null : Math.floor(polled),
        poll_silence_grace_seconds: 300,
      };
      if (!found.isPullMode) {
        stated.red.push({ ...finding, kind: "workers_missing", poll_silence_seconds: null });
        continue;
      }
      if (idle === 0) continue;
      const readAt = times.pullPolls.fromMs;
      // Since the later of the poll and the start, so far as they are known.
      const silences: number[] = [];
      if (found.startedAtMs !== null) silences.push(wholeSeconds(found.startedAtMs, readAt));
      if (typeof polled === "number") silences.push(wholeSeconds(polled * 1000, readAt));
      const isRecent = silences.some((seconds) => seconds <= 300);
      if (isRecent) continue;
      if (idle === null || found.startedAtMs === null || polled === null) stated.unseen.push(agent);
      else
        stated.red.push({
          ...finding,
          kind: "workers_silent",
          poll_silence_seconds: Math.min(...silences),
        });
    }
    return stated;
  },

  "R-01": (facts, times, { dwellSeconds }) => {
    const { roster, zombies } = facts;
    const containers = zombies.containers.filter((c) => roster.has(c.agent));
    const unseenContainers = zombies.unseenContainers.filter((c) => roster.has(c.agent));
    const stated: Stated = { subjects: containers.map((c) => c.agent), unseen: [], red: [] };
    const isNothing = containers.length === 0 && unseenContainers.length === 0;
    if (zombies.unseenDaemons.length > 0 || isNothing) stated.blind = "not green";
    for (const { agent, containerId } of unseenContainers)
      stated.unseen.push(stated.subjects.includes(agent) ? `${agent}/${containerId}` : agent);
    for (const c of containers) {
      const pids: number[] = [];
      for (const pid of c.zombiePids) {
        const firstSeen = facts.zombieSightings.firstSeenMs.get(zombieKey(c, pid));
        const dwelt = firstSeen === undefined ? 0 : times.zombies.fromMs - firstSeen;
        if (dwelt >= dwellSeconds * 1000) pids.push(pid);
      }
      if (pids.length > 0)
        stated.red.push({
          subject: c.agent,
          agent_name: c.agent,
          zombie_count: pids.length,
          zombie_pids: pids,
          container_id: c.containerId,
        });
    }
    return stated;
  },
};

/** Red before unknown before green; nothing seen of what there is is unknown. */
function statusOf({ blind, subjects, unseen, red }: Stated): string {
  if (blind === "no verdict") return "unknown";
  if (red.length > 0) return "red";
  if (blind === "not green") return "unknown";
  const whole = subjects.filter(
    (subject) => !unseen.some((u) => u === subject || u.startsWith(`${subject}/`)),
  );
  return whole.length === 0 && unseen.length > 0 ? "unknown" : "green";
}

// ── The comparison ──────────────────────────────────────────────────────────────────────────────────────────────────

/** What a verdict says, without the closure that is another one in each. */
const withoutFunctions = ({ coverage: { saw: _closure, ...coverage }, ...verdict }: Verdict) => ({
  ...verdict,
  coverage,
});

const inOneOrder = (values: readonly unknown[]) => values.map((v) => JSON.stringify(v)).sort();

/** Those who can do without a fact get it as it was seen. Those who can't would only be unknown. */
function saidBy(invariant: Invariant, { facts, times, sights }: World): Verdict {
  const readings: Record<string, unknown> = { ...readingsOf(facts, times) };
  for (const fact of invariant.optional ?? []) {
    const how = sights[fact as Optional];
    if (how === "unlisted") readings[fact] = { ...(readings[fact] as object), unlisted: "some have no name" };
    else if (how !== "read")
      readings[fact] = {
        read: false,
        reason: `${fact}: ${how}`,
        ...(how === "off" && { off: true }),
        ...(how === "not configured" && { notConfigured: true }),
      };
  }
  return evaluate(invariant, readings as Readings);
}

const shuffledWorld = fc.tuple(world, fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })));

/** The same platform, its rows given in another order. */
function shuffled({ facts, ...rest }: World, random: () => number): World {
  const mix = <T>(values: Iterable<T>): T[] =>
    [...values]
      .map((value) => ({ value, at: random() }))
      .sort((a, b) => a.at - b.at)
      .map(({ value }) => value);
  const mixMap = <K, V>(map: ReadonlyMap<K, V>) => new Map(mix(map));
  const { containers, executions, orphans, queueCounts, slots, zombies } = facts;
  return {
    ...rest,
    facts: {
      ...facts,
      roster: mixMap(facts.roster),
      executions: executionsOf(mix(executions.live), mix(executions.unreadable)),
      sessions: new Set(mix(facts.sessions)),
      endedWithoutTime: mix(facts.endedWithoutTime),
      endedBeforeStart: mix(facts.endedBeforeStart),
      backlogDefects: mix(facts.backlogDefects),
      credentialsInQueue: mix(facts.credentialsInQueue),
      schedules: mix(facts.schedules),
      pendingRetries: mix(facts.pendingRetries),
      pullPolls: mixMap(facts.pullPolls),
      containers: {
        ...containers,
        running: mix(containers.running),
        unseenContainers: mix(containers.unseenContainers),
      },
      orphans: {
        ...orphans,
        ghosts: new Map(
          mix(orphans.ghosts).map(([name, ghost]) => [
            name,
            { ...ghost, rowsByTable: mixMap(ghost.rowsByTable) },
          ]),
        ),
      },
      queueCounts: { ...queueCounts, counts: mixMap(queueCounts.counts) },
      slots: {
        byAgent: new Map(mix(slots.byAgent).map(([agent, members]) => [agent, mix(members)])),
        unread: mixMap(slots.unread),
        unreadKeys: mix(slots.unreadKeys),
        unseenAgents: new Set(mix(slots.unseenAgents)),
      },
      zombies: {
        ...zombies,
        containers: mix(zombies.containers),
        unseenContainers: mix(zombies.unseenContainers),
      },
    },
  };
}

/** Fails where they differ. An `expect` costs more than the comparison: there are a hundred thousand of them. */
function same(said: unknown, right: unknown, id: string): void {
  if (!isDeepStrictEqual(said, right)) expect(said, id).toEqual(right);
}

// Making a platform costs more than judging it: each is judged by every invariant.
describe("every invariant on random platforms", () => {
  test("comes to the same as its rule stated a second time: verdict, subjects, unseen and numbers", () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(world, (w) => {
        for (const invariant of INVARIANTS) {
          const { id } = invariant;
          const verdict = saidBy(invariant, w);
          const stated = RULES[id]!(w.facts, w.times, w);
          const kind = `${id} ${verdict.status}`;
          seen.set(kind, (seen.get(kind) ?? 0) + 1);

          same(verdict.status, statusOf(stated), id);
          same([...verdict.coverage.subjects].sort(), [...new Set(stated.subjects)].sort(), id);
          same(recordOf(verdict).unseen, [...new Set(stated.unseen)].sort(), id);

          const violations = violationsOf(verdict);
          const observed = observedOf(verdict);
          const shown = violations.map(({ subject, severity }, i) => ({ ...observed[i], subject, severity }));
          const expected = stated.red.map((finding) => ({ severity: invariant.severity, ...finding }));
          // Fields that are given only to help (a daemon, sample rows) are not part of the rule.
          const fields = [...new Set(expected.flatMap((finding) => Object.keys(finding)))].sort();
          const picked = (values: readonly Record<string, unknown>[]) =>
            inOneOrder(values.map((v) => pick(v, fields)));
          same(picked(shown), picked(expected), id);
        }
      }),
      { numRuns: RUNS },
    );
    // A generator that hardly ever makes red or green proves nothing.
    for (const { id } of INVARIANTS)
      for (const status of ["red", "green"])
        expect(seen.get(`${id} ${status}`) ?? 0, `${id} ${status}`).toBeGreaterThan(RUNS / 50);
  });

  test("never throws, says the same twice, and does not care in which order the rows came", () => {
    fc.assert(
      fc.property(shuffledWorld, ([w, stream]) => {
        const mixed = shuffled(w, () => stream.next().value);
        for (const invariant of INVARIANTS) {
          const { id } = invariant;
          const verdict = saidBy(invariant, w);
          expect(verdict.reason ?? "", id).not.toMatch(/the check failed/);
          same(withoutFunctions(saidBy(invariant, w)), withoutFunctions(verdict), id);

          const again = saidBy(invariant, mixed);
          same(violationsOf(again), violationsOf(verdict), id);
          same(
            again.findings.map((f) => f.keys),
            verdict.findings.map((f) => f.keys),
            id,
          );
          same(recordOf(again), recordOf(verdict), id);
        }
      }),
      { numRuns: RUNS / 5 },
    );
  });

  test("findings have distinct keys, a known subject, and texts that an operator can read", () => {
    fc.assert(
      fc.property(world, (w) => {
        for (const invariant of INVARIANTS) {
          const { id } = invariant;
          const { findings, coverage } = saidBy(invariant, w);
          const keys = findings.flatMap((f) => f.keys.map((key) => JSON.stringify([f.subject, key])));
          expect(new Set(keys).size, id).toBe(keys.length);
          for (const finding of findings) {
            expect(finding.keys.length, id).toBeGreaterThan(0);
            expect(coverage.subjects.has(finding.subject), id).toBe(true);
            expect(`${invariant.explain(finding.observed)} ${finding.signalQuery}`, id).not.toMatch(
              /undefined|NaN/,
            );
          }
          if (findings.length > 0) expect(invariant.summarize(findings), id).toMatch(/\d/);
        }
      }),
      { numRuns: RUNS / 5 },
    );
  });
});

function pick(from: Record<string, unknown>, fields: readonly string[]): unknown[] {
  return fields.map((field) => [field, from[field]]);
}

test("the fixed instant is a whole second, so that ages of quarter seconds are exact", () => {
  expect(NOW_MS % 1000).toBe(0);
});
