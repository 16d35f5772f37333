/** Facts of a small healthy platform at one fixed instant. Builders take the differences, in seconds before that instant. */
import { expect, test, vi } from "vitest";
import type {
  ContainerProcesses,
  Containers,
  DueSchedule,
  EndedCursor,
  Execution,
  Executions,
  FactName,
  Facts,
  FinishedRow,
  FinishedRuns,
  OrphanRef,
  Orphans,
  QueueCounts,
  Reading,
  Readings,
  ReadingTime,
  Roster,
  RosterAgent,
  RunningContainer,
  Slot,
  Slots,
  TerminalStatus,
  UnreadableRow,
  UnreadMembers,
  ZombieSightings,
  Zombies,
} from "../../shared/facts/facts.ts";
import type { Invariant } from "../../shared/invariants/invariant.ts";
import { formatInstant } from "../../shared/time.ts";
import { confirmed } from "../../shared/verdict/confirm.ts";
import { evaluate, factsOf, type Verdict } from "../../shared/verdict/evaluate.ts";
import { toVerdictRecord, toViolation } from "../../shared/wire/serialize.ts";

/** The default instant of every reading, unix ms. */
export const NOW_MS = Date.UTC(2026, 10, 23, 12, 0, 0);
export const SNAPSHOT_TIME = "2026-11-23T12:00:00.000Z";

/** The default agent of the builders. */
export const AGENT = "cornelius-m";

/** In unix ms. */
export const msAgo = (seconds: number): number => NOW_MS - seconds * 1000;
/** In unix seconds, as in scores and the drain heartbeat. */
export const secondsAgo = (seconds: number): number => NOW_MS / 1000 - seconds;

/** A reading that began and ended these seconds after the fixed instant. */
export const readBetween = (fromSeconds: number, toSeconds: number): ReadingTime => ({
  fromMs: NOW_MS + fromSeconds * 1000,
  toMs: NOW_MS + toSeconds * 1000,
});
const AT_ONCE = readBetween(0, 0);

/** @param agents by name, what differs from 3 parallel tasks and a timeout of 3600 s */
export const rosterOf = (agents: Record<string, Partial<RosterAgent>>): Roster =>
  new Map(
    Object.entries(agents).map(([name, differs]) => [
      name,
      { maxParallelTasks: 3, executionTimeoutSeconds: 3600, isDeleted: false, ...differs },
    ]),
  );

/** A running row, started 30 s ago. */
export function running(
  id: string,
  { ageSeconds = 30, ...differs }: Partial<Execution> & { ageSeconds?: number } = {},
): Execution {
  const startedAtMs = msAgo(ageSeconds);
  return {
    id,
    agent: AGENT,
    status: "running",
    startedAt: formatInstant(startedAtMs),
    startedAtMs,
    queuedAtMs: null,
    lease: null,
    triggeredBy: "manual",
    conversation: null,
    hasSession: true,
    runsAtStart: null,
    scheduleTimeoutSeconds: null,
    ...differs,
  };
}

/** A queued row, made and queued 30 s ago. */
export const queued = (
  id: string,
  { waitedSeconds = 30, ...differs }: Partial<Execution> & { waitedSeconds?: number } = {},
): Execution =>
  running(id, {
    ageSeconds: waitedSeconds,
    status: "queued",
    queuedAtMs: msAgo(waitedSeconds),
    ...differs,
  });

/** A row whose started_at can't be read. */
export const NO_STARTED_AT = { startedAt: "yesterday-ish", startedAtMs: null } as const;

export const executionsOf = (
  live: readonly Execution[],
  unreadable: readonly UnreadableRow[] = [],
): Executions => ({ live, unreadable });

/** A row, of `running` or `queued`, whose id can't be read. */
export const withoutId = (row: Execution): UnreadableRow => ({ ...row, id: null });
/** A row whose agent can't be read. */
export const withoutAgent = (row: Execution): UnreadableRow => ({ ...row, agent: null });

/** A slot acquired 30 s ago, with a life of exactly its floor. */
export function slot(
  id: string,
  { ageSeconds = 30, ...differs }: Partial<Slot> & { ageSeconds?: number } = {},
): Slot {
  const timeoutSeconds = differs.timeoutSeconds === undefined ? 3600 : differs.timeoutSeconds;
  return {
    id,
    score: secondsAgo(ageSeconds),
    ttlSeconds: Math.floor((timeoutSeconds ?? 3600) + 300 - ageSeconds),
    expiresAtSeconds: null,
    timeoutSeconds,
    ...differs,
  };
}

/** The member that a drain adds while it claims a row. */
export const sentinel = (id: string, ageSeconds: number): Slot =>
  slot(`drain-${id}`, { ageSeconds, ttlSeconds: null, timeoutSeconds: null });

/** A row that started 60 s ago and ended 30 s ago; null: a time that its row does not have. */
export function finished(
  id: string,
  {
    startedSecondsAgo = 60,
    endedSecondsAgo = 30,
    ...differs
  }: Partial<FinishedRow> & { startedSecondsAgo?: number; endedSecondsAgo?: number | null } = {},
): FinishedRow {
  const [startedAtMs, completedAtMs] = [startedSecondsAgo, endedSecondsAgo].map((seconds) =>
    seconds === null ? null : msAgo(seconds),
  ) as [number, number | null];
  return {
    id,
    agent: AGENT,
    status: "success",
    startedAt: formatInstant(startedAtMs),
    startedAtMs,
    completedAt: completedAtMs === null ? null : formatInstant(completedAtMs),
    completedAtMs,
    ...differs,
  };
}

/** An enabled schedule that was due a minute ago. */
export function schedule(
  id: string,
  { overdueSeconds = 60, ...differs }: Partial<DueSchedule> & { overdueSeconds?: number } = {},
): DueSchedule {
  const nextRunAtMs = msAgo(overdueSeconds);
  return { id, agent: AGENT, nextRunAt: formatInstant(nextRunAtMs), nextRunAtMs, ...differs };
}

/** The cursor of a reading of ended rows at that time. */
export const cursorAt = (readAtMs: number): EndedCursor => ({ readAtMs });

export const slotsOf = (
  byAgent: Record<string, readonly Slot[]>,
  unseenAgents: readonly string[] = [],
  {
    unread = {},
    unreadKeys = [],
  }: { unread?: Record<string, Partial<UnreadMembers>>; unreadKeys?: string[] } = {},
): Slots => ({
  byAgent: new Map(Object.entries(byAgent)),
  unread: new Map(
    Object.entries(unread).map(([agent, members]) => [agent, { unreadable: 0, beyond: 0, ...members }]),
  ),
  unreadKeys,
  unseenAgents: new Set(unseenAgents),
});

/** @param ghosts by ghost, the number of rows in each table */
export const orphansOf = (
  ghosts: Record<string, { rows: Record<string, number>; samples?: readonly OrphanRef[] }>,
  unseenTables: readonly string[] = [],
  tablesWithUnreadable: readonly string[] = [],
): Orphans => ({
  ghosts: new Map(
    Object.entries(ghosts).map(([name, { rows, samples = [] }]) => [
      name,
      { rowsByTable: new Map(Object.entries(rows)), samples },
    ]),
  ),
  unseenTables,
  tablesWithUnreadable,
});

/** Counts of the SQL accessor. */
export const countsOf = (
  counts: Record<string, number>,
  differs: Partial<QueueCounts> = {},
): QueueCounts => ({
  counts: new Map(Object.entries(counts)),
  absentIsZero: true,
  around: null,
  ...differs,
});

/** Counts of an accessor over HTTP, with SQL's counts just before and just after. */
export const httpCountsOf = (
  counts: Record<string, number>,
  before: Record<string, number>,
  after: Record<string, number> = before,
): QueueCounts =>
  countsOf(counts, {
    absentIsZero: false,
    around: [new Map(Object.entries(before)), new Map(Object.entries(after))],
  });

export const rememberedOf = (statuses: Record<string, TerminalStatus>): FinishedRuns => {
  const byId = new Map(Object.entries(statuses));
  return { statusOf: (id) => byId.get(id) };
};

/** @param firstSeenMs by the zombie's key, when it was first seen */
export const sightingsOf = (firstSeenMs: Record<string, number>, dwellSeconds = 0): ZombieSightings => ({
  dwellSeconds,
  firstSeenMs: new Map(Object.entries(firstSeenMs)),
  othersSinceMs: null,
});

/** A running container of the agent with these zombies. */
export const container = (
  zombiePids: readonly number[],
  differs: Partial<ContainerProcesses> = {},
): ContainerProcesses => ({
  agent: AGENT,
  containerId: "c0ffee",
  daemon: "tcp://docker-1:2376",
  startedAt: null,
  zombiePids,
  ...differs,
});

export const zombiesOf = (
  containers: readonly ContainerProcesses[],
  differs: Partial<Zombies> = {},
): Zombies => ({ containers, unseenContainers: [], unseenDaemons: [], ...differs });

/** A running container of the agent, without pull workers. */
export const runningContainer = (differs: Partial<RunningContainer> = {}): RunningContainer => ({
  agent: AGENT,
  containerId: "c0ffee",
  startedAtMs: msAgo(86_400),
  isPullMode: false,
  poolSize: 3,
  ...differs,
});

export const containersOf = (
  running: readonly RunningContainer[],
  differs: Partial<Containers> = {},
): Containers => ({ running, unseenContainers: [], unseenDaemons: [], ...differs });

/** A pull worker's lease of a row, until that instant (unix ms); null: one that can't be read. */
export const leaseUntil = (expiresAtMs: number | null): NonNullable<Execution["lease"]> => ({
  expiresAt: expiresAtMs === null ? "soon" : formatInstant(expiresAtMs),
  expiresAtMs,
});

/** A row that a pull worker has claimed. Its lease ends in a minute. */
export const leased = (
  id: string,
  { leftSeconds = 60, ...differs }: Partial<Execution> & { ageSeconds?: number; leftSeconds?: number } = {},
): Execution => running(id, { hasSession: false, lease: leaseUntil(msAgo(-leftSeconds)), ...differs });

export type Times = Partial<Record<FactName, ReadingTime>>;

/**
 * @param facts the differences from one idle agent with a running container and a swept queue
 * @param times when a fact was read, if not at the fixed instant
 */
export function readingsOf(facts: Partial<Facts> = {}, times: Times = {}): Readings {
  const all: Facts = {
    roster: rosterOf({ [AGENT]: {} }),
    executions: executionsOf([]),
    sessions: new Set(),
    newestStart: msAgo(30),
    pendingRetries: [],
    platformSettings: { maxParallelTasksCeiling: 10 },
    ended: { rows: [], cursor: cursorAt(NOW_MS) },
    endedWithoutTime: [],
    endedBeforeStart: [],
    backlogDefects: [],
    credentialsInQueue: [],
    schedules: [],
    orphans: orphansOf({}),
    queueCounts: countsOf({}),
    slots: slotsOf({}),
    drainTick: { atSeconds: secondsAgo(10) },
    pullPolls: new Map(),
    platformKeys: { hasSlotKey: true, hasHeartbeat: true },
    containers: containersOf([runningContainer()]),
    zombies: zombiesOf([container([])]),
    finishedRuns: rememberedOf({}),
    zombieSightings: sightingsOf({}),
    rosterDoubtSince: null,
    newestSlotSeen: null,
    ...facts,
  };
  const names = Object.keys(all) as FactName[];
  return Object.fromEntries(
    names.map((name) => [
      name,
      { read: true, value: all[name], time: times[name] ?? AT_ONCE } satisfies Reading<unknown>,
    ]),
  ) as Readings;
}

/** The verdict of the invariant on a platform with these differences. */
export const judge = (
  invariant: Invariant,
  facts: Partial<Facts> = {},
  { times = {} }: { times?: Times } = {},
): Verdict => evaluate(invariant, readingsOf(facts, times));

/** The verdict of a new red after the platform was read a second time. */
export const judgeTwice = (invariant: Invariant, first: Partial<Facts>, second: Partial<Facts>): Verdict =>
  confirmed(judge(invariant, first), readingsOf(second), () => false);

/** The violations in their wire form. */
export const violationsOf = (verdict: Verdict) =>
  verdict.findings.map((finding) => toViolation(verdict, finding, SNAPSHOT_TIME));

/** The observed_state of each violation, with wire names. */
export const observedOf = (verdict: Verdict): Record<string, unknown>[] =>
  violationsOf(verdict).map((v) => v.observed_state as Record<string, unknown>);

/** The status, the number of subjects seen whole, the unseen parts and the reason, with wire names. */
export const recordOf = toVerdictRecord;

/** For each fact that the invariant reads, a snapshot without it: the verdict is unknown and the check is not called. */
export function testUnreadFacts(invariant: Invariant): void {
  const spied = () => ({ ...invariant, check: vi.fn(invariant.check) });

  test.each([...invariant.reads])(`${invariant.id} is unknown, not green, while %s can't be read`, (fact) => {
    const blind = spied();
    const readings = {
      ...readingsOf(),
      [fact]: { read: false, reason: `${fact}: no answer within 5000 ms` },
    };
    const verdict = evaluate(blind, readings);
    expect(recordOf(verdict)).toEqual({
      status: "unknown",
      checked: 0,
      unseen: [],
      reason: `${fact}: no answer within 5000 ms`,
    });
    expect(verdict.coverage.isWhole).toBe(false);
    expect(blind.check).not.toHaveBeenCalled();
  });

  test.each([...invariant.reads])(`${invariant.id} is unknown where %s was never asked for`, (fact) => {
    const blind = spied();
    const { [fact]: _left, ...readings } = readingsOf();
    const verdict = evaluate(blind, readings);
    expect(verdict).toMatchObject({ status: "unknown", reason: `${fact}: not read` });
    expect(blind.check).not.toHaveBeenCalled();
  });

  test.each([...(invariant.optional ?? [])])(
    `${invariant.id} does not fail where %s can't be read, or was never asked for`,
    (fact) => {
      const { [fact]: _left, ...unasked } = readingsOf();
      for (const readings of [unasked, { ...unasked, [fact]: { read: false, reason: `${fact}: down` } }])
        expect(evaluate(invariant, readings).reason ?? "").not.toMatch(/the check failed/);
    },
  );

  test(`${invariant.id} asks for nothing that it does not need: other sources may all be down`, () => {
    const readings = Object.fromEntries(
      Object.entries(readingsOf()).map(([name, reading]) => [
        name,
        factsOf([invariant]).has(name as FactName) ? reading : { read: false, reason: "down" },
      ]),
    ) as Readings;
    expect(evaluate(invariant, readings).status).toBe("green");
  });
}
