/** One cycle: take the lease, gather, judge, remember, deliver. */
import { advance } from "../alerts/advance.ts";
import { enqueue, isDue } from "../alerts/outbox.ts";
import { routesOf } from "../alerts/route.ts";
import { withStillRed } from "../alerts/still-red.ts";
import { toAlerts } from "../alerts/to-alert.ts";
import { isBlind } from "../alerts/transition.ts";
import type { Canary } from "../canary.ts";
import { type Committed, type Lease, LeaseLost, type Next } from "../store/lease.ts";
import { formatInstant } from "../time.ts";
import { factsOf, whyOff } from "../verdict/evaluate.ts";
import { deliverOutbox, LAST_WRITE_MS } from "./deliver.ts";
import { planEpisodes } from "./episodes.ts";
import type { Finished } from "./finished.ts";
import { gather } from "./gather.ts";
import { beat } from "./heartbeat.ts";
import { judge } from "./judge.ts";
import { releaseLease, takeLease, underLease } from "./lease.ts";
import { leave } from "./leave.ts";
import { EMPTY_MEMORY, type Memory, memorySizes } from "./memory.ts";
import type { AlertsOutcome, CycleNotes, CycleOutcome, CycleRequest } from "./outcome.ts";
import { reserveIds, writeRecord } from "./record.ts";
import { distinctLines, draftViolations, toReport } from "./report.ts";
import { stateLine } from "./state-line.ts";
import { timed } from "./timed.ts";

const LEASE_ENDED = "state: the cycle outlived its lease, and nothing of it counts";
/** Lines of `sources_unavailable` that the memory keeps. */
const MAX_REMEMBERED_LINES = 50;

/**
 * Runs one cycle.
 * @throws nothing that a source, a check, the store or a channel can cause: each is in the outcome
 */
export async function runCycle(canary: Canary, request: CycleRequest): Promise<CycleOutcome> {
  const { outcome, blind } = await runOnce(canary, request);
  canary.observe?.(outcome, { trigger: request.trigger, blind });
  return outcome;
}

async function runOnce(
  canary: Canary,
  request: CycleRequest,
): Promise<Pick<CycleNotes, "blind"> & { readonly outcome: CycleOutcome }> {
  const startedAtMs = canary.now();
  const taken = await takeLease(canary, startedAtMs);
  if (taken.kind === "busy") return { outcome: busy(taken.untilMs, canary.now()), blind: [] };
  const lease = taken.kind === "held" ? taken.lease : null;
  let outcome: CycleOutcome | null = null;
  let finished: Finished;
  try {
    const unreadable = taken.kind === "unreadable" ? taken.reason : null;
    [finished] = await Promise.all([
      readAndJudge(canary, request, lease, unreadable, startedAtMs),
      taken.kind === "unreadable" ? taken.giveBack() : null,
    ]);
    outcome = await conclude(canary, lease, finished);
  } finally {
    // The last commit of a cycle that is done gives the lease back itself.
    if (lease && outcome?.kind !== "done") await releaseLease(canary, lease.owner);
  }
  // The next cycle need not wait for the watcher.
  if (outcome.kind === "stateless") outcome = await withHeartbeat(canary, finished, outcome);
  return { outcome, blind: finished.verdicts.filter(isBlind).map(({ invariant }) => invariant.id) };
}

/** Remembers what the cycle came to, if the state can be read and written. */
async function conclude(canary: Canary, lease: Lease | null, finished: Finished): Promise<CycleOutcome> {
  const { stateError } = finished.gathered;
  if (lease === null || stateError !== null)
    return stateless(canary, finished, stateError ?? "state: unread");
  if (canary.now() >= lease.untilMs) return stateless(canary, finished, LEASE_ENDED);
  try {
    return await remember(canary, lease, finished);
  } catch (error) {
    const reason = error instanceof LeaseLost ? LEASE_ENDED : stateLine(canary, error);
    return stateless(canary, finished, reason);
  }
}

/** Looks and judges: this needs no lease. */
async function readAndJudge(
  canary: Canary,
  request: CycleRequest,
  lease: Lease | null,
  unreadable: string | null,
  startedAtMs: number,
): Promise<Finished> {
  const { all, off } = canary.checks;
  const selected = all.filter(({ id }) => request.invariantIds?.includes(id) ?? true);
  const wanted = selected.filter(({ id }) => !off.has(id));
  const memory = lease?.memory ?? EMPTY_MEMORY;
  const gathered = await gather(canary, factsOf(wanted), lease && memory, unreadable, startedAtMs);
  const { snapshot, readings } = gathered;
  const checksOff = Object.fromEntries(
    selected.flatMap((invariant) => {
      const reason = off.get(invariant.id) ?? whyOff(invariant, readings);
      return reason === null ? [] : [[invariant.id, reason]];
    }),
  );
  const run = selected.filter(({ id }) => !Object.hasOwn(checksOff, id));
  const judged = await judge(canary, run, gathered, memory);
  const snapshotTime = formatInstant(snapshot.takenAtMs);
  const unread = [...snapshot.unavailable, ...gathered.lost, ...judged.unavailable];
  return {
    request,
    startedAtMs,
    gathered,
    snapshotTime,
    checksRun: run.map(({ id }) => id),
    checksOff,
    unread: distinctLines(unread),
    sourcesUnavailable: distinctLines([...unread, ...judged.notes]),
    judged: judged.verdicts,
    verdicts: judged.verdicts.map((v) => withStillRed(v, memory.states[v.invariant.id])),
    drafts: draftViolations(judged.verdicts, snapshotTime),
  };
}

/**
 * Remembers and delivers: this needs the lease. The commit is the moment at which the cycle has happened. Before it stands
 * only what the next cycle would miss, after it what people read later.
 */
async function remember(canary: Canary, lease: Lease, finished: Finished): Promise<CycleOutcome> {
  const { startedAtMs, drafts, gathered, request } = finished;
  const change = timed(canary, "transition", () => changeOf(canary, lease, finished));
  const [left, reserved, plan] = await timed(canary, "journals", () =>
    Promise.all([
      leave(canary, lease, finished),
      reserveIds(canary, lease, finished),
      planEpisodes(canary, lease, finished, change.states),
    ]),
  );
  const alerts = toAlerts(canary, change.notices, {
    snapshotTime: finished.snapshotTime,
    nowMs: startedAtMs,
    idOf: reserved.idOf,
  });
  const { outbox, dropped } = enqueue(lease.memory.outbox, alerts, startedAtMs);
  const memory: Memory = {
    states: plan.states,
    blindSources: change.blindSources,
    ...(change.blindNotified && { blindNotified: change.blindNotified }),
    outbox,
    endings: plan.endings,
    recall: left.recall,
    journals: left.journals,
    lastFullCycle: lastFullCycleAfter(lease.memory, finished, canary, canary.now() - startedAtMs),
  };
  const willDeliver = isDue(outbox, canary.now());
  const { endedSilences } = change;
  const committed = await commit(canary, lease, memory, {
    release: !willDeliver,
    nowMs: startedAtMs,
    endedSilences,
  });

  const sourcesUnavailable = [...finished.sourcesUnavailable, ...left.failures, ...reserved.failures];
  const report = toReport(
    { ...finished, sourcesUnavailable },
    drafts,
    reserved.ids,
    change.transitions,
    canary.now() - startedAtMs,
    canary.redact,
  );
  const nothing: AlertsOutcome = { delivered: 0, pending: outbox.length, failures: [], dropped: [] };
  const [failures, delivered, unheard] = await Promise.all([
    writeRecord(canary, finished, report, { reserved, plan, written: committed.written }),
    willDeliver ? timed(canary, "deliver", () => deliverOutbox(canary, committed, request)) : nothing,
    heartbeat(canary, finished, true),
  ]);
  return {
    kind: "done",
    report: {
      ...report,
      cycle_duration_ms: canary.now() - startedAtMs,
      sources_unavailable: [...report.sources_unavailable, ...failures, ...unheard],
    },
    latencyMsBySource: gathered.snapshot.latencyMsBySource,
    alerts: { ...delivered, dropped: [...dropped, ...delivered.dropped] },
  };
}

const commit = (canary: Canary, lease: Lease, memory: Memory, next: Next): Promise<Committed> =>
  timed(canary, "commit", () =>
    underLease(canary, lease, () =>
      canary.store.lease.commit(lease, memorySizes(memory, canary.recollections), next),
    ),
  );

/** What changed, and who is notified of it. */
function changeOf({ alerts, checks }: Canary, lease: Lease, finished: Finished) {
  const { memory, silences } = lease;
  const { judged, gathered, checksOff, unread, request, startedAtMs } = finished;
  const result = {
    verdicts: judged,
    offInvariants: [...checks.off.keys(), ...Object.keys(checksOff)],
    offSources: gathered.snapshot.offSources,
    unavailable: unread,
    isFull: request.invariantIds === undefined,
  };
  const { minSeverity, ...policy } = alerts.policy;
  const routes = routesOf(alerts.senders, minSeverity);
  return advance(memory, result, startedAtMs, { ...policy, routes }, silences);
}

/** A run of some invariants says nothing of the others, or of their sources. */
const lastFullCycleAfter = (
  memory: Memory,
  { request, startedAtMs, checksOff, sourcesUnavailable, gathered }: Finished,
  { alerts, backend }: Pick<Canary, "alerts" | "backend">,
  durationMs: number,
): Memory["lastFullCycle"] =>
  request.invariantIds
    ? memory.lastFullCycle
    : {
        atMs: startedAtMs,
        durationMs,
        checksOff: Object.keys(checksOff),
        checksOffReasons: checksOff,
        sourcesUnavailable: sourcesUnavailable.slice(0, MAX_REMEMBERED_LINES),
        latencyMsBySource: gathered.snapshot.latencyMsBySource,
        channels: Object.keys(alerts.senders).sort(),
        database: backend,
      };

const busy = (untilMs: number, nowMs: number): CycleOutcome => ({
  kind: "busy",
  retryAfterSeconds: Math.max(1, Math.ceil((untilMs - nowMs) / 1000)),
});

/** A cycle that judged nothing does not count, nor does one of some invariants. */
async function heartbeat(canary: Canary, finished: Finished, isCommitted: boolean): Promise<string[]> {
  const { request, judged } = finished;
  if (request.invariantIds !== undefined) return [];
  const counts = isCommitted && judged.some(({ status }) => status !== "unknown");
  const leftMs = (request.timeLeftMs?.() ?? Infinity) - LAST_WRITE_MS;
  return beat(canary.alerts.heartbeatUrl ?? null, counts, leftMs, canary.redact);
}

type Stateless = Extract<CycleOutcome, { readonly kind: "stateless" }>;

/** Tells the watcher that the cycle did not count. */
async function withHeartbeat(canary: Canary, finished: Finished, outcome: Stateless): Promise<Stateless> {
  const unheard = await heartbeat(canary, finished, false);
  const sources_unavailable = [...outcome.report.sources_unavailable, ...unheard];
  return { ...outcome, report: { ...outcome.report, sources_unavailable } };
}

function stateless(canary: Canary, finished: Finished, reason: string): Stateless {
  const { now, redact } = canary;
  const facts = { ...finished, sourcesUnavailable: [...finished.sourcesUnavailable, reason] };
  const report = toReport(facts, finished.drafts, null, [], now() - finished.startedAtMs, redact);
  return { kind: "stateless", report, reason };
}
