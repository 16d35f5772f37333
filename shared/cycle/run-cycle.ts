/** One cycle: take the lease, gather, judge, remember, deliver. */
import { advance } from "../alerts/advance.ts";
import { enqueue, isDue } from "../alerts/outbox.ts";
import { toAlerts } from "../alerts/to-alert.ts";
import type { Canary } from "../canary.ts";
import { describeError } from "../errors.ts";
import { INVARIANTS } from "../invariants/index.ts";
import type { Invariant } from "../invariants/invariant.ts";
import { partOf } from "../recall/recollection.ts";
import type { JournalAddition } from "../store/journals.ts";
import { type Lease, LeaseLost } from "../store/lease.ts";
import { dayOf, violationId } from "../store/table.ts";
import { formatInstant } from "../time.ts";
import { type AnyFinding, factsOf, isOff } from "../verdict/evaluate.ts";
import { deliverOutbox } from "./deliver.ts";
import { type Gathered, gather } from "./gather.ts";
import { judge } from "./judge.ts";
import { releaseLease, takeLease, underLease } from "./lease.ts";
import { EMPTY_MEMORY, type Memory, memorySizes } from "./memory.ts";
import type { AlertsOutcome, CycleOutcome, CycleRequest } from "./outcome.ts";
import {
  type CycleFacts,
  foundIn,
  toCycleRecord,
  toReport,
  type ViolationDraft,
  violationDrafts,
} from "./report.ts";
import { timed } from "./timed.ts";

const LEASE_ENDED = "state: the cycle outlived its lease, and nothing of it counts";
/** Lines of `sources_unavailable` that the memory keeps. */
const MAX_REMEMBERED_LINES = 50;

/** What a cycle read and judged. */
interface Finished extends CycleFacts {
  readonly request: CycleRequest;
  readonly startedAtMs: number;
  readonly gathered: Gathered;
  readonly drafts: readonly ViolationDraft[];
}

/**
 * Runs one cycle.
 * @throws nothing that a source, a check, the store or a channel can cause: each is in the outcome
 */
export async function runCycle(canary: Canary, request: CycleRequest): Promise<CycleOutcome> {
  const outcome = await runOnce(canary, request);
  canary.observe?.(outcome, request.trigger);
  return outcome;
}

async function runOnce(canary: Canary, request: CycleRequest): Promise<CycleOutcome> {
  const startedAtMs = canary.now();
  const taken = await takeLease(canary, startedAtMs);
  if (taken.kind === "busy") return busy(taken.untilMs, canary.now());
  const lease = taken.kind === "held" ? taken.lease : null;
  const [finished] = await Promise.all([
    readAndJudge(canary, request, lease, taken.kind === "unreadable" ? taken.reason : null, startedAtMs),
    taken.kind === "unreadable" ? taken.giveBack() : null,
  ]);
  const { stateError } = finished.gathered;
  if (lease === null || stateError !== null) {
    if (lease) await releaseLease(canary, lease.owner);
    return stateless(canary, finished, stateError ?? "state: unread");
  }
  if (canary.now() >= lease.untilMs) return stateless(canary, finished, LEASE_ENDED);
  try {
    return await remember(canary, lease, finished);
  } catch (error) {
    if (error instanceof LeaseLost) return stateless(canary, finished, LEASE_ENDED);
    await releaseLease(canary, lease.owner);
    return stateless(canary, finished, canary.redact(`state: ${describeError(error)}`));
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
  const selected = INVARIANTS.filter(({ id }) => request.invariantIds?.includes(id) ?? true);
  const memory = lease?.memory ?? EMPTY_MEMORY;
  const gathered = await gather(canary, factsOf(selected), lease && memory, unreadable, startedAtMs);
  const { snapshot, readings } = gathered;
  const isRun = (invariant: Invariant) => !isOff(invariant, readings);
  const judged = await judge(canary, selected.filter(isRun), gathered, memory);
  const snapshotTime = formatInstant(snapshot.takenAtMs);
  const idsOf = (invariants: readonly Invariant[]) => invariants.map(({ id }) => id);
  return {
    request,
    startedAtMs,
    gathered,
    snapshotTime,
    checksRun: idsOf(selected.filter(isRun)),
    checksOff: idsOf(selected.filter((invariant) => !isRun(invariant))),
    sourcesUnavailable: [...new Set([...snapshot.unavailable, ...judged.unavailable])],
    verdicts: judged.verdicts,
    drafts: violationDrafts(judged.verdicts, snapshotTime),
  };
}

/** Remembers and delivers: this needs the lease. Its commit is the moment at which the cycle has happened. */
async function remember(canary: Canary, lease: Lease, finished: Finished): Promise<CycleOutcome> {
  const { store, now, redact, recollections } = canary;
  const { startedAtMs, verdicts, drafts, gathered, request } = finished;
  const channels = Object.keys(canary.alerts.senders);
  const change = timed(canary, "transition", () => changeOf(canary, lease, finished, channels.length > 0));

  const ids = await underLease(canary, lease, () => reserveIds(canary, finished));
  const durationMs = now() - startedAtMs;
  const report = toReport(finished, drafts, ids, change.transitions, durationMs, redact);
  const idOf = idLookup(finished, ids);
  const left = leftBy(canary, lease.memory, finished);
  const evidence = {
    cycle: toCycleRecord(report, request.trigger, foundIn(verdicts, idOf, redact)),
    violations: drafts.map((draft, i) => ({ id: ids[i]!, ...draft })),
    journals: left.journals,
  };
  await timed(canary, "evidence", () =>
    underLease(canary, lease, () => store.evidence.write(evidence, startedAtMs)),
  );

  const alerts = toAlerts(canary, change.notices, {
    snapshotTime: finished.snapshotTime,
    nowMs: startedAtMs,
    idOf,
  });
  const { outbox, dropped } = enqueue(lease.memory.outbox, alerts, channels, startedAtMs);
  const memory: Memory = {
    states: change.states,
    blindSources: change.blindSources,
    outbox,
    recall: left.recall,
    lastFullCycle: lastFullCycleAfter(lease.memory, finished, channels, now() - startedAtMs),
  };
  const willDeliver = isDue(outbox, now());
  const committed = await timed(canary, "commit", () =>
    underLease(canary, lease, () =>
      store.lease.commit(lease, memorySizes(memory, recollections), {
        release: !willDeliver,
        nowMs: startedAtMs,
      }),
    ),
  );
  const nothing: AlertsOutcome = { delivered: 0, pending: outbox.length, failures: [], dropped: [] };
  const delivered = willDeliver
    ? await timed(canary, "deliver", () => deliverOutbox(canary, committed, request))
    : nothing;
  return {
    kind: "done",
    report: { ...report, cycle_duration_ms: now() - startedAtMs },
    latencyMsBySource: gathered.snapshot.latencyMsBySource,
    alerts: { ...delivered, dropped: [...dropped, ...delivered.dropped] },
  };
}

/** What changed, and who is notified of it. */
function changeOf({ alerts }: Canary, lease: Lease, finished: Finished, hasChannel: boolean) {
  const { memory, silences } = lease;
  const { verdicts, gathered, sourcesUnavailable, request, startedAtMs } = finished;
  const result = {
    verdicts,
    offSources: gathered.snapshot.offSources,
    unavailable: sourcesUnavailable,
    isFull: request.invariantIds === undefined,
  };
  return advance(memory, result, startedAtMs, { ...alerts.policy, hasChannel }, silences);
}

/** What the recollections leave to the next cycle. One that was not asked stays as it was. */
function leftBy({ recollections }: Canary, memory: Memory, { gathered, verdicts, startedAtMs }: Finished) {
  const seen = { readings: gathered.readings, verdicts, atMs: startedAtMs };
  const recall: Record<string, unknown> = {};
  const journals: JournalAddition[] = [];
  for (const recollection of recollections) {
    const left = gathered.recalled.get(recollection)?.next(seen);
    Object.assign(recall, left?.part ?? partOf(recollection, memory.recall));
    if (left && recollection.journal) journals.push({ ...recollection.journal, entries: left.entries });
  }
  return { recall, journals };
}

/** A run of some invariants says nothing of the others, or of their sources. */
const lastFullCycleAfter = (
  memory: Memory,
  { request, startedAtMs, checksOff, sourcesUnavailable, gathered }: Finished,
  channels: readonly string[],
  durationMs: number,
): Memory["lastFullCycle"] =>
  request.invariantIds
    ? memory.lastFullCycle
    : {
        atMs: startedAtMs,
        durationMs,
        checksOff,
        sourcesUnavailable: sourcesUnavailable.slice(0, MAX_REMEMBERED_LINES),
        latencyMsBySource: gathered.snapshot.latencyMsBySource,
        channels: [...channels].sort(),
      };

async function reserveIds({ store }: Canary, { drafts, gathered }: Finished): Promise<number[]> {
  if (drafts.length === 0) return [];
  const { takenAtMs } = gathered.snapshot;
  const day = dayOf(takenAtMs);
  const first = await store.evidence.reserveIds(day, drafts, takenAtMs);
  return drafts.map((_, i) => violationId(day, first + i));
}

function idLookup({ verdicts }: Finished, ids: readonly number[]) {
  const byFinding = new Map(verdicts.flatMap((v) => v.findings).map((finding, i) => [finding, ids[i]]));
  return (finding: AnyFinding) => byFinding.get(finding);
}

const busy = (untilMs: number, nowMs: number): CycleOutcome => ({
  kind: "busy",
  retryAfterSeconds: Math.max(1, Math.ceil((untilMs - nowMs) / 1000)),
});

function stateless({ now, redact }: Canary, finished: Finished, reason: string): CycleOutcome {
  const facts = { ...finished, sourcesUnavailable: [...finished.sourcesUnavailable, reason] };
  const report = toReport(facts, finished.drafts, null, [], now() - finished.startedAtMs, redact);
  return { kind: "stateless", report, reason };
}
