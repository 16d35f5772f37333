/** One cycle, from the lease to the commit. */
import { randomUUID } from "node:crypto";
import type { Alert, Channel, Pending } from "../alerts/alert.ts";
import type { Senders } from "../alerts/channels/channels.ts";
import { deliver, isDue, pending } from "../alerts/outbox.ts";
import { type AlertContext, toAlert } from "../alerts/to-alert.ts";
import { type AlertPolicy, type Announcement, step, type Transition } from "../alerts/transition.ts";
import type { Canary } from "../canary.ts";
import { withDeadline } from "../deadline.ts";
import { describeError } from "../errors.ts";
import {
  type FactName,
  type Readings,
  type Snapshot,
  type TerminalStatus,
  zombieKey,
} from "../facts/facts.ts";
import { INVARIANTS } from "../invariants/index.ts";
import type { Invariant } from "../invariants/invariant.ts";
import { asFact, hashOf, newEntries, type TerminalMemory } from "../recall/finished-runs.ts";
import { type CollectOptions, collect } from "../sources/collect.ts";
import { type Lease, LeaseLost, type Store } from "../store/store.ts";
import { dayOf, violationId } from "../store/table.ts";
import { cut } from "../text.ts";
import { formatInstant } from "../time.ts";
import { confirmed, knownIn, suspects } from "../verdict/confirm.ts";
import { evaluate, factsOf, isOff, type Verdict } from "../verdict/evaluate.ts";
import type { CycleRecord, CycleReport, FoundRecord, ViolationRecord } from "../wire/schemas.ts";
import { toTransitionRecords, toVerdictRecord, toViolation } from "../wire/serialize.ts";
import { EMPTY_MEMORY, type Memory } from "./memory.ts";

export interface CycleSettings {
  /** For each source, and for each call of the state store. */
  readonly sourceDeadlineMs: number;
  /** How long after the first read a new red is read again. */
  readonly confirmAfterMs: number;
  /** How long the same zombie has to be there before it counts. */
  readonly dwellSeconds: number;
}

/** Who is told, of what, and under which name. */
export interface AlertSettings {
  readonly senders: Senders;
  readonly policy: Omit<AlertPolicy, "hasChannel">;
  readonly environment: string;
  /** The address of the status page, where there is one. */
  readonly statusUrl: string | null;
}

/** The parts of a cycle, in their order; terminal memory and sources are read at once. */
export type CycleStep =
  | "lease"
  | "terminal memory"
  | "sources"
  | "evaluate"
  | "confirm"
  | "step"
  | "evidence"
  | "commit"
  | "deliver";

export interface CycleRequest {
  /** The invariants to run; all where it is left out. Their ids must exist. */
  readonly invariantIds?: readonly string[] | undefined;
  /** Who asked: "schedule", "http", "cli". */
  readonly trigger: string;
  /** How much time the caller has left, in ms: alerts are delivered only within it. */
  readonly timeLeftMs?: () => number;
}

export type CycleOutcome =
  /** The cycle has happened. */
  | {
      readonly kind: "done";
      readonly report: CycleReport;
      readonly latencyMsBySource: Snapshot["latencyMsBySource"];
      readonly alerts: AlertsOutcome;
    }
  /** The verdicts stand, but the state could not be read or written: nothing opened or closed. */
  | { readonly kind: "stateless"; readonly report: CycleReport; readonly reason: string }
  /** Another cycle runs, or took this one's place. */
  | { readonly kind: "busy"; readonly retryAfterSeconds: number };

/** What became of alerts in this cycle. */
export interface AlertsOutcome {
  readonly delivered: number;
  readonly pending: number;
  /** Given up after a day, or pushed out of a full outbox. */
  readonly dropped: readonly { readonly key: string; readonly channel: Channel }[];
  /** Why a channel did not take one, without secrets. */
  readonly failures: readonly string[];
}

const LEASE_ENDED = "state: the cycle outlived its lease, and nothing of it counts";

/** Time for the writes at the end of a cycle, beyond its deadlines. */
const LEASE_MARGIN_MS = 30_000;
/** Time for delivery, within that. */
const DELIVERY_MS = 12_000;
/** What delivery leaves of the caller's time, for the last write and the answer. */
const LAST_WRITE_MS = 2_000;
/** More than a day of flapping; a full outbox gives up its oldest, loudly. */
const MAX_OUTBOX = 500;
/** Characters of what a cycle found of one invariant, in one line. */
const MAX_SUMMARY = 600;
/** What is red is written to the terminal memory too; this many are remembered through a pause of the canary itself. */
const MAX_PINNED = 5_000;

/** @returns for how long one cycle may hold the lease: three reads, the wait between them, and the writes */
export const leaseMs = ({ sourceDeadlineMs, confirmAfterMs }: CycleSettings): number =>
  3 * sourceDeadlineMs + confirmAfterMs + LEASE_MARGIN_MS;

/**
 * Runs one cycle.
 * @throws nothing that a source, a check, the store or a channel can cause: each is in the outcome
 */
export async function runCycle(deps: Canary, request: CycleRequest): Promise<CycleOutcome> {
  const outcome = await runOnce(deps, request);
  deps.observe?.(outcome, request.trigger);
  return outcome;
}

/** Does the work, and says how long it took. */
function timed<T>({ onStep }: Canary, name: CycleStep, work: () => T): T {
  if (!onStep) return work();
  const fromMs = performance.now();
  const tell = () => onStep(name, performance.now() - fromMs);
  const result = work();
  if (result instanceof Promise) return result.finally(tell) as T;
  tell();
  return result;
}

async function runOnce(deps: Canary, request: CycleRequest): Promise<CycleOutcome> {
  const { store, settings, now, redact } = deps;
  const startedAtMs = now();
  const selected = INVARIANTS.filter(({ id }) => request.invariantIds?.includes(id) ?? true);

  let stateError: string | null = null;
  const failState = (error: unknown) => {
    stateError ??= redact(`state: ${describeError(error)}`);
  };
  const guarded = <T>(work: () => Promise<T>) => withDeadline(settings.sourceDeadlineMs, work);

  const owner = randomUUID();
  let lease: Lease | null = null;
  try {
    const taken = await timed(deps, "lease", () =>
      guarded(() => store.acquire(owner, startedAtMs, leaseMs(settings))),
    );
    if ("busyUntilMs" in taken) return busy(taken.busyUntilMs, now());
    lease = taken;
  } catch (error) {
    failState(error);
  }
  const memory = lease?.memory ?? EMPTY_MEMORY;

  const wanted = factsOf(selected);
  const collectOptions: CollectOptions = {
    sources: deps.sources,
    wanted,
    deadlineMs: settings.sourceDeadlineMs,
    now,
    endedSince: memory.endedCursor,
    redact,
  };
  const release = () => guarded(() => store.release(owner)).catch(() => {});
  const early = earlyWork(deps, selected, startedAtMs);
  const [terminal, snapshot] = await Promise.all([
    lease && wanted.has("remembered")
      ? timed(deps, "terminal memory", () =>
          guarded(() => store.loadTerminal(startedAtMs, memory.pinned)).catch((error) => {
            failState(error);
            return null;
          }),
        ).then((loaded) => {
          if (loaded)
            early.add(readingsOfState(lease, loaded, settings.dwellSeconds, startedAtMs, null), loaded);
          return loaded;
        })
      : null,
    timed(deps, "sources", () => collect({ ...collectOptions, onRead: early.add })),
    // The lease may have been taken although its answer was lost.
    lease ? null : release(),
  ]);
  const stateReadings = readingsOfState(
    lease,
    terminal,
    settings.dwellSeconds,
    snapshot.takenAtMs,
    stateError,
  );
  const readings: Readings = { ...snapshot.readings, ...stateReadings };

  const ran = selected.filter((invariant) => !isOff(invariant, readings));
  const { verdicts, unavailable } = await judge(
    deps,
    ran,
    readings,
    memory,
    collectOptions,
    stateReadings,
    early.verdicts,
  );
  const snapshotTime = formatInstant(snapshot.takenAtMs);
  const sourcesUnavailable = [...new Set([...snapshot.unavailable, ...unavailable])];
  const drafts = verdicts.flatMap((v) => v.findings.map((finding) => toViolation(v, finding, snapshotTime)));

  const report = (
    ids: readonly number[] | null,
    transitions: readonly Transition[],
    unavailableLines: readonly string[],
  ): CycleReport => ({
    snapshot_time: snapshotTime,
    cycle_duration_ms: now() - startedAtMs,
    checks_run: ran.map((i) => i.id),
    checks_off: selected.filter((i) => !ran.includes(i)).map((i) => i.id),
    sources_unavailable: unavailableLines,
    violations: drafts.map((draft, i) => ({ id: ids?.[i] ?? null, ...draft })),
    ...toTransitionRecords(transitions),
    verdicts: Object.fromEntries(
      verdicts.map((v) => {
        const record = toVerdictRecord(v);
        return [v.invariant.id, { ...record, reason: record.reason && redact(record.reason) }];
      }),
    ),
  });
  const stateless = (reason: string): CycleOutcome => ({
    kind: "stateless",
    report: report(null, [], [...sourcesUnavailable, reason]),
    reason,
  });

  if (!lease || stateError !== null) {
    if (lease) await release();
    return stateless(stateError ?? "state: unread");
  }
  if (now() >= lease.untilMs) return stateless(LEASE_ENDED);
  const held = lease;
  /** What takes longer than the lease may not count any more. */
  const written = <T>(work: () => Promise<T>) => withDeadline(Math.max(1, held.untilMs - now()), work);

  const channels = Object.keys(deps.alerts.senders) as Channel[];
  const stepped = timed(deps, "step", () =>
    step(
      { states: memory.states, blindSources: memory.blindSources },
      {
        verdicts,
        offSources: snapshot.offSources,
        unavailable: sourcesUnavailable,
        isFull: request.invariantIds === undefined,
      },
      startedAtMs,
      { ...deps.alerts.policy, hasChannel: channels.length > 0 },
      held.silences,
    ),
  );
  try {
    const ids = await written(() => reserveIds(store, snapshot.takenAtMs, drafts));
    const done = report(ids, stepped.transitions, sourcesUnavailable);
    const ended = readings.ended?.read ? readings.ended.value : null;
    const pinned = pinnedAfter(memory, verdicts, terminal);
    const evidence = {
      cycle: toCycleRecord(done, request.trigger, foundIn(verdicts, ids, redact)),
      violations: drafts.map((draft, i) => ({ id: ids[i]!, ...draft })),
      terminal: terminal
        ? new Map([
            ...newEntries(terminal, [], pinned, startedAtMs),
            ...(early.ended() ?? newEntries(terminal, ended?.rows ?? [], [], startedAtMs)),
          ])
        : new Map(),
    };
    await timed(deps, "evidence", () => written(() => store.writeEvidence(evidence, startedAtMs)));

    const idByFinding = new Map(verdicts.flatMap((v) => v.findings).map((finding, i) => [finding, ids[i]]));
    const alerts = toAlerts(deps, stepped.announcements, {
      snapshotTime,
      nowMs: startedAtMs,
      idOf: (finding) => idByFinding.get(finding),
    });
    const { outbox, dropped } = enqueue(memory.outbox, alerts, channels, startedAtMs);
    const next: Memory = {
      states: stepped.states,
      blindSources: stepped.blindSources,
      outbox,
      endedCursor: ended?.cursor ?? memory.endedCursor,
      pinned: pinned.slice(0, MAX_PINNED),
      zombieSightings: sightingsAfter(memory, readings, settings.dwellSeconds),
      // A run of some invariants touches only those: it is no news of the others, or of their sources.
      lastFullCycle: request.invariantIds
        ? memory.lastFullCycle
        : {
            atMs: startedAtMs,
            durationMs: now() - startedAtMs,
            checksOff: done.checks_off,
            sourcesUnavailable: sourcesUnavailable.slice(0, 50),
            latencyMsBySource: snapshot.latencyMsBySource,
          },
    };
    const willDeliver = isDue(outbox, now());
    const committed = await timed(deps, "commit", () =>
      written(() => store.commit(held, next, { release: !willDeliver, nowMs: startedAtMs })),
    );
    const delivered = willDeliver
      ? await timed(deps, "deliver", () => deliverAll(deps, committed, request))
      : { dropped: [] };
    return {
      kind: "done",
      report: { ...done, cycle_duration_ms: now() - startedAtMs },
      latencyMsBySource: snapshot.latencyMsBySource,
      alerts: {
        delivered: 0,
        pending: outbox.length,
        failures: [],
        ...delivered,
        dropped: [...dropped, ...delivered.dropped],
      },
    };
  } catch (error) {
    if (error instanceof LeaseLost) return stateless(LEASE_ENDED);
    await release();
    return stateless(redact(`state: ${describeError(error)}`));
  }
}

const toAlerts = (
  { alerts: { environment, statusUrl }, redact }: Canary,
  announcements: readonly Announcement[],
  context: Omit<AlertContext, "environment" | "statusUrl">,
): Alert[] =>
  announcements.map((announcement) => {
    const alert = toAlert(announcement, { environment, statusUrl, ...context });
    return { ...alert, summary: redact(alert.summary), lines: alert.lines.map(redact) };
  });

/** @returns the outbox with the new alerts behind, and what a full outbox had to give up */
function enqueue(
  outbox: readonly Pending[],
  alerts: readonly Alert[],
  channels: readonly Channel[],
  nowMs: number,
): { outbox: readonly Pending[]; dropped: AlertsOutcome["dropped"] } {
  const all = [...outbox, ...alerts.map((alert) => pending(alert, channels, nowMs))];
  const over = all.slice(0, Math.max(0, all.length - MAX_OUTBOX));
  const dropped = over.flatMap(({ alert, channels: waiting }) =>
    (Object.keys(waiting) as Channel[]).map((channel) => ({ key: alert.key, channel })),
  );
  return { outbox: all.slice(over.length), dropped };
}

/**
 * Tells operators what waits, then marks what was taken and gives the lease back. Where the marking fails, what was
 * taken is told again by the next cycle, under the same key: at least once, never not at all.
 */
async function deliverAll(deps: Canary, lease: Lease, request: CycleRequest): Promise<AlertsOutcome> {
  const { store, now, alerts, redact } = deps;
  const timeLeftMs = Math.min(DELIVERY_MS, (request.timeLeftMs?.() ?? Infinity) - LAST_WRITE_MS);
  const { outbox, delivered, dropped, failures } = await deliver(
    lease.memory.outbox,
    alerts.senders,
    now,
    Math.min(now() + timeLeftMs, lease.untilMs - LAST_WRITE_MS),
  );
  const told = failures.map(redact);
  let marked = true;
  try {
    const work = () => store.commit(lease, { ...lease.memory, outbox }, { release: true, nowMs: now() });
    await withDeadline(Math.max(1, lease.untilMs - now()), work);
  } catch (error) {
    marked = false;
    told.push(redact(`delivered alerts could not be marked: ${describeError(error)}`));
    await withDeadline(LAST_WRITE_MS, () => store.release(lease.owner)).catch(() => {});
  }
  return {
    delivered,
    pending: marked ? outbox.length : lease.memory.outbox.length,
    // What could not be marked is given up by the next cycle, and counted then.
    dropped: (marked ? dropped : []).map(({ alert, channel }) => ({ key: alert.key, channel })),
    failures: told,
  };
}

const busy = (untilMs: number, nowMs: number): CycleOutcome => ({
  kind: "busy",
  retryAfterSeconds: Math.max(1, Math.ceil((untilMs - nowMs) / 1000)),
});

/** The facts that come from what earlier cycles left. */
function readingsOfState(
  lease: Lease | null,
  terminal: TerminalMemory | null,
  dwellSeconds: number,
  atMs: number,
  stateError: string | null,
): Pick<Readings, "remembered" | "zombieSightings"> {
  const time = { fromMs: atMs, toMs: atMs };
  const unread = { read: false, reason: stateError ?? "state: unread" } as const;
  const sightings = new Map(Object.entries(lease?.memory.zombieSightings ?? {}));
  return {
    remembered: terminal ? { read: true, value: asFact(terminal), time } : unread,
    // Without a dwell nobody asks how long a zombie has been there.
    zombieSightings: lease || dwellSeconds === 0 ? { read: true, value: sightings, time } : unread,
  };
}

/**
 * Does while slower sources are waited for what needs only the faster ones. What it has not done by the end is done then,
 * from the same readings.
 */
function earlyWork(deps: Canary, invariants: readonly Invariant[], nowMs: number) {
  let readings: Readings = {};
  let memory: TerminalMemory | undefined;
  let ended: ReadonlyMap<string, TerminalStatus> | undefined;
  const verdicts = new Map<Invariant, Verdict>();
  return {
    verdicts,
    /** @returns what is new to the terminal memory, but for what is pinned */
    ended: () => ended,
    add(more: Readings, terminal?: TerminalMemory) {
      readings = { ...readings, ...more };
      memory ??= terminal;
      for (const invariant of invariants)
        if (!verdicts.has(invariant) && invariant.reads.every((fact) => readings[fact]?.read))
          timed(deps, "evaluate", () =>
            verdicts.set(invariant, evaluate(invariant, readings, deps.settings.dwellSeconds)),
          );
      if (memory && readings.ended?.read) ended ??= newEntries(memory, readings.ended.value.rows, [], nowMs);
    },
  };
}

/**
 * Evaluates, and reads again what is newly red and was not read at one instant. What is red then too is read once more, at
 * once: a run can be caught at its start by the first read and at its next start, or its end, by the second.
 */
async function judge(
  deps: Canary,
  invariants: readonly Invariant[],
  readings: Readings,
  memory: Memory,
  collectOptions: CollectOptions,
  stateReadings: Readings,
  early: ReadonlyMap<Invariant, Verdict>,
): Promise<{ verdicts: Verdict[]; unavailable: readonly string[] }> {
  const { settings, sleep } = deps;
  let verdicts = timed(deps, "evaluate", () =>
    invariants.map(
      (invariant) => early.get(invariant) ?? evaluate(invariant, readings, settings.dwellSeconds),
    ),
  );
  const isKnown = knownIn(memory.states);
  const unavailable: string[] = [];
  for (const waitMs of [settings.confirmAfterMs, 0]) {
    const doubtful = suspects(verdicts, isKnown);
    if (doubtful.length === 0) break;
    await timed(deps, "confirm", async () => {
      if (waitMs > 0) await sleep(waitMs);
      const wanted: ReadonlySet<FactName> = factsOf(doubtful.map((v) => v.invariant));
      const again = await collect({ ...collectOptions, wanted });
      const readAgain = { ...again.readings, ...stateReadings };
      verdicts = verdicts.map((verdict) =>
        doubtful.includes(verdict) ? confirmed(verdict, readAgain, settings.dwellSeconds, isKnown) : verdict,
      );
      unavailable.push(...again.unavailable);
    });
  }
  return { verdicts, unavailable };
}

async function reserveIds(
  store: Store,
  atMs: number,
  drafts: readonly Omit<ViolationRecord, "id">[],
): Promise<number[]> {
  if (drafts.length === 0) return [];
  const day = dayOf(atMs);
  const first = await store.reserveIds(day, drafts, atMs);
  return drafts.map((_, i) => violationId(day, first + i));
}

/** An execution that is red in E-02 is remembered until it is seen otherwise, however long that takes. */
function pinnedAfter(
  memory: Memory,
  verdicts: readonly Verdict[],
  terminal: TerminalMemory | null,
): Memory["pinned"] {
  const verdict = verdicts.find((v) => v.invariant.reads.includes("remembered"));
  if (!verdict || verdict.status === "unknown" || !terminal) return memory.pinned;
  const unseenSubjects = new Set(verdict.unseen.map((u) => u.subject));
  const kept = unseenSubjects.size > 0 ? memory.pinned : [];
  const red = verdict.findings.flatMap((f) => f.keys.map((key) => hashOf(key)));
  const pinned = new Map(kept.map((p) => [p.hash, p]));
  for (const hash of red) {
    const known = terminal.get(hash);
    if (known) pinned.set(hash, { hash, status: known.status });
  }
  return [...pinned.values()];
}

/** Zombies that are there now, each with when it was first seen. Nothing is kept where no dwell is asked for. */
function sightingsAfter(memory: Memory, readings: Readings, dwellSeconds: number): Memory["zombieSightings"] {
  const reading = readings.zombies;
  if (dwellSeconds === 0) return {};
  if (!reading?.read) return memory.zombieSightings;
  const { containers, unseenContainers, unseenDaemons } = reading.value;
  const unseen = new Set(unseenContainers.map((c) => c.containerId));
  const kept = Object.entries(memory.zombieSightings).filter(
    ([key]) => unseenDaemons.length > 0 || unseen.has(key.slice(0, key.indexOf("/"))),
  );
  const seen = containers.flatMap((container) =>
    container.zombiePids.map((pid) => {
      const key = zombieKey(container, pid);
      return [key, memory.zombieSightings[key] ?? reading.time.fromMs] as const;
    }),
  );
  return Object.fromEntries([...kept, ...seen]);
}

/** @param ids of all findings, in the order of the verdicts */
function foundIn(
  verdicts: readonly Verdict[],
  ids: readonly number[],
  redact: Canary["redact"],
): NonNullable<CycleRecord["found"]> {
  const found: Record<string, FoundRecord> = {};
  let at = 0;
  for (const { invariant, findings } of verdicts) {
    if (findings.length > 0)
      found[invariant.id] = {
        violations: findings.length,
        first_violation_id: ids[at]!,
        summary: cut(redact(invariant.summarize(findings)), MAX_SUMMARY),
      };
    at += findings.length;
  }
  return found;
}

/** Lists are cut: the record of a cycle is for reading later, and must fit in an item. */
function toCycleRecord(
  report: CycleReport,
  trigger: string,
  found: NonNullable<CycleRecord["found"]>,
): CycleRecord {
  return {
    snapshot_time: report.snapshot_time,
    trigger,
    duration_ms: report.cycle_duration_ms,
    checks_run: report.checks_run,
    checks_off: report.checks_off,
    sources_unavailable: report.sources_unavailable.slice(0, 50),
    violation_count: report.violations.length,
    found,
    verdicts: Object.fromEntries(
      Object.entries(report.verdicts).map(([id, verdict]) => [
        id,
        { ...verdict, unseen: verdict.unseen.slice(0, 50) },
      ]),
    ),
    transitions: report.transitions,
    spreads: report.spreads.map((s) => ({ ...s, subjects: s.subjects.slice(0, 100) })),
    recoveries: report.recoveries.map((r) => ({ ...r, subjects: r.subjects.slice(0, 100) })),
  };
}
