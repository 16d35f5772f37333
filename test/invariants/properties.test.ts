/**
 * Random platform states, judged by the code and by a second statement of each rule, written from the table and the
 * list of what was found later, as plainly as possible: loops over everything, no helper of the code.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type BacklogDefect,
  type Execution,
  type Facts,
  type FinishedRow,
  type ReadingTime,
  type RowName,
  type Slot,
  TERMINAL_STATUSES,
  type UnreadableRow,
  zombieKey,
} from "../../shared/facts/facts.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import type { Invariant } from "../../shared/invariants/invariant.ts";
import type { Verdict } from "../../shared/verdict/evaluate.ts";
import {
  executionsOf,
  judge,
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
    triggeredBy: fc.constantFrom("manual", "schedule", "chat", "mcp", null),
    hasSession: fc.constantFrom(true, true, true, false, null),
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
  })
  .map(({ id, ageSeconds, own, agents, ttl, delta }) => {
    const left = Math.ceil((own ?? agents) + 300 + delta - Math.max(0, ageSeconds));
    const ttlSeconds = { given: Math.max(0, left), gone: -2, eternal: -1, over: 0, unread: null }[ttl]!;
    return { id, score: secondsAgo(ageSeconds), ttlSeconds, expiresAtSeconds: null, timeoutSeconds: own };
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

interface World {
  facts: Facts;
  times: Record<keyof Facts, ReadingTime>;
  dwellSeconds: number;
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
    tick: fc.option(ageNear(-60, 0, 60, 60, 120, 120, 600), { freq: 8 }),
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
    return { facts, times: { ...allAtOnce, ...w.times } as World["times"], dwellSeconds: w.dwellSeconds };
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
type Rule = (facts: Facts, times: World["times"], dwellSeconds: number) => Stated;

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

const RULES: Record<string, Rule> = {
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
      const redisOnly: string[] = [];
      for (const s of slots) {
        let found = false;
        for (const row of rows) if (row.id === s.id) found = true;
        // Its row is there, only whose it is can't be read.
        for (const { id } of facts.executions.unreadable)
          if (id === s.id) {
            found = true;
            stated.unseen.push(`${agent}/redis:${s.id}`);
          }
        if (!found && !within3s(s.score * 1000, times.slots)) redisOnly.push(s.id);
      }
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
      const sqlOnly: string[] = [];
      for (const row of rows) {
        let found = false;
        for (const s of slots) if (s.id === row.id) found = true;
        const starting = row.startedAtMs !== null && within3s(row.startedAtMs, times.executions);
        if (!found && !starting) sqlOnly.push(row.id);
      }
      // Each unread member may be the slot of one of these rows.
      const unread = unreadOf(facts, agent);
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
        const givenMs = s.ttlSeconds * 1000 + ageMs;
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
        });
    }
    return stated;
  },

  "E-02": (facts) => {
    const unseen = facts.executions.unreadable.map((row) => nameless(row));
    const stated: Stated = { subjects: [], unseen, red: [] };
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
      if (end !== null && times.endedBeforeStart.fromMs - end > 3_600_000) continue;
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

  "B-02": (facts, times) => {
    const now = times.drainTick.fromMs;
    const { atSeconds } = facts.drainTick;
    const tickAge = atSeconds === null ? null : wholeSeconds(atSeconds * 1000, now);
    const stated: Stated = { subjects: [...facts.roster.keys()], unseen: [], red: [] };
    for (const [agent, { maxParallelTasks: cap }] of facts.roster) {
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
          queued_count: waiting,
          slot_count: taken,
          max_parallel_tasks: cap,
          free_slots: cap - taken,
          drain_tick_at: atSeconds === null ? null : Math.floor(atSeconds),
          drain_tick_age_seconds: tickAge,
          drain_tick_grace_seconds: 60,
        });
    }
    return stated;
  },

  "R-01": (facts, times, dwellSeconds) => {
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

const saidBy = (invariant: Invariant, { facts, times }: World) => judge(invariant, facts, { times });

const shuffledWorld = fc.tuple(world, fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })));

/** The same platform, its rows given in another order. */
function shuffled({ facts, ...rest }: World, random: () => number): World {
  const mix = <T>(values: Iterable<T>): T[] =>
    [...values]
      .map((value) => ({ value, at: random() }))
      .sort((a, b) => a.at - b.at)
      .map(({ value }) => value);
  const mixMap = <K, V>(map: ReadonlyMap<K, V>) => new Map(mix(map));
  const { executions, orphans, queueCounts, slots, zombies } = facts;
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

describe.each(INVARIANTS.map((invariant) => [invariant.id, invariant] as const))(
  "%s on random platforms",
  (id, invariant) => {
    test("comes to the same as its rule stated a second time: verdict, subjects, unseen and numbers", () => {
      const seen = new Map<string, number>();
      fc.assert(
        fc.property(world, (w) => {
          const verdict = saidBy(invariant, w);
          const stated = RULES[id]!(w.facts, w.times, w.dwellSeconds);
          seen.set(verdict.status, (seen.get(verdict.status) ?? 0) + 1);

          expect(verdict.status).toBe(statusOf(stated));
          expect([...verdict.coverage.subjects].sort()).toEqual([...new Set(stated.subjects)].sort());
          expect(recordOf(verdict).unseen).toEqual([...new Set(stated.unseen)].sort());

          const violations = violationsOf(verdict);
          const shown = violations.map((v, i) => ({
            ...observedOf(verdict)[i],
            subject: v.subject,
            severity: v.severity,
          }));
          const expected = stated.red.map((finding) => ({ severity: invariant.severity, ...finding }));
          // Fields that are given only to help (a daemon, sample rows) are not part of the rule.
          const fields = [...new Set(expected.flatMap((finding) => Object.keys(finding)))].sort();
          expect(inOneOrder(shown.map((v) => pick(v, fields)))).toEqual(
            inOneOrder(expected.map((v) => pick(v, fields))),
          );
        }),
        { numRuns: RUNS },
      );
      // A generator that hardly ever makes red or green proves nothing.
      expect(seen.get("red") ?? 0).toBeGreaterThan(RUNS / 50);
      expect(seen.get("green") ?? 0).toBeGreaterThan(RUNS / 50);
    });

    test("never throws, says the same twice, and does not care in which order the rows came", () => {
      fc.assert(
        fc.property(shuffledWorld, ([w, stream]) => {
          const verdict = saidBy(invariant, w);
          expect(verdict.reason ?? "").not.toMatch(/the check failed/);
          expect(withoutFunctions(saidBy(invariant, w))).toEqual(withoutFunctions(verdict));

          const again = saidBy(
            invariant,
            shuffled(w, () => stream.next().value),
          );
          expect(violationsOf(again)).toEqual(violationsOf(verdict));
          expect(again.findings.map((f) => f.keys)).toEqual(verdict.findings.map((f) => f.keys));
          expect(recordOf(again)).toEqual(recordOf(verdict));
        }),
        { numRuns: RUNS / 5 },
      );
    });

    test("findings have distinct keys, a known subject, and texts that an operator can read", () => {
      fc.assert(
        fc.property(world, (w) => {
          const { findings, coverage } = saidBy(invariant, w);
          const keys = findings.flatMap((f) => f.keys.map((key) => JSON.stringify([f.subject, key])));
          expect(new Set(keys).size).toBe(keys.length);
          for (const finding of findings) {
            expect(finding.keys.length).toBeGreaterThan(0);
            expect(coverage.subjects.has(finding.subject)).toBe(true);
            expect(`${invariant.explain(finding.observed)} ${finding.signalQuery}`).not.toMatch(
              /undefined|NaN/,
            );
          }
          if (findings.length > 0) expect(invariant.summarize(findings)).toMatch(/\d/);
        }),
        { numRuns: RUNS / 5 },
      );
    });
  },
);

function pick(from: Record<string, unknown>, fields: readonly string[]): unknown[] {
  return fields.map((field) => [field, from[field]]);
}

test("the fixed instant is a whole second, so that ages of quarter seconds are exact", () => {
  expect(NOW_MS % 1000).toBe(0);
});
