/** Proves every alarm: green, a fault, red once, no second transition, the cure, recovered. */
import { randomBytes } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { KNOWN_IDS, unknownIds } from "../../shared/invariants/index.ts";
import type { CycleRecord, CycleReport, ViolationRecord } from "../../shared/wire/schemas.ts";
import type { Expected, Fault } from "../faults/fault.ts";
import type { CanaryApi } from "./canary-api.ts";
import { DRILL_PREFIX, type Ground, type Scene, sceneOf } from "./scene.ts";

/** What a drill of one fault came to. */
export interface Proof {
  readonly invariant_id: string;
  readonly fault: string;
  /** `impossible`: it can't be provoked there. */
  readonly outcome: "proven" | "failed" | "impossible";
  /** Why it is not proven. */
  readonly reason: string | null;
  readonly agent: string;
  /** What was seen of the fault, past the canary. */
  readonly took_hold: string | null;
  /** What the canary saw of it. */
  readonly observed_state: Readonly<Record<string, unknown>> | null;
  readonly signal_query: string | null;
  /** Of the cycles that were red for the first time, red again, and recovered. */
  readonly cycle_ms: {
    readonly red: number | null;
    readonly again: number | null;
    readonly recovered: number | null;
  };
}

export interface DrillOptions {
  readonly ground: Ground;
  readonly api: CanaryApi;
  readonly faults: readonly Fault[];
  /** Whether nobody else's agents are watched: then nothing but the fault may be red. */
  readonly isAlone: boolean;
  /** Where it is aborted, what was broken is cured, and the rest is left out. */
  readonly signal: AbortSignal;
  /** Told of each agent before anything is made of it. */
  readonly onAgent?: (agent: string) => void;
  /** Told of each proof as soon as it is there. */
  readonly onProof: (proof: Proof) => void;
}

/** The proof does not hold; the text says at which step, and what was seen instead. */
class Disproof extends Error {}

const textOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** @returns the fields that are not as expected, as text */
function differences(
  seen: Readonly<Record<string, unknown>>,
  expected: Readonly<Record<string, Expected>>,
): string[] {
  return Object.entries(expected)
    .filter(([field, value]) =>
      typeof value === "function" ? !value(seen[field]) : !isDeepStrictEqual(seen[field], value),
    )
    .map(([field]) => `${field} is ${JSON.stringify(seen[field])}`);
}

const describe = (violations: readonly { invariant_id: string; subject: string }[]) =>
  violations.length > 0 ? violations.map((v) => `${v.invariant_id} of ${v.subject}`).join(", ") : "nothing";

/** The cycles of one drill of a fault, and the transitions in them. */
function witness({ api, isAlone, signal }: DrillOptions, { invariantId }: Fault, { agent }: Scene) {
  let startedAt = "";
  async function cycle(): Promise<CycleReport> {
    const answer = await api.cycle(signal);
    const verdict = answer.verdicts[invariantId];
    if (!verdict) throw new Disproof(`${invariantId} is off: nothing is checked`);
    if (verdict.status === "unknown") throw new Disproof(`${invariantId} is unknown: ${verdict.reason}`);
    return answer;
  }
  /** @returns what is red that has to do with the drill */
  const relevant = ({ violations }: CycleReport) => violations.filter((v) => isAlone || v.subject === agent);

  /** @returns the transitions since the drill began: how often to red, how often back */
  async function transitions(): Promise<{ red: number; recovered: number }> {
    const cycles = (await api.cyclesSince(startedAt)).filter((c) => c.snapshot_time > startedAt);
    const isIt = (t: { invariant_id: string }) => t.invariant_id === invariantId;
    const names = (t: { subjects: readonly string[] }) => t.subjects.includes(agent);
    const count = (inCycle: (cycle: CycleRecord) => number) => cycles.reduce((n, c) => n + inCycle(c), 0);
    if (cycles.some((c) => [...c.transitions, ...c.spreads].some((t) => isIt(t) && t.silenced)))
      throw new Disproof(`${invariantId} is silenced: nobody is told`);
    return {
      red: count((c) => c.transitions.filter(isIt).length + c.spreads.filter(isIt).filter(names).length),
      recovered: count((c) => c.recoveries.filter(isIt).filter(names).length),
    };
  }

  return {
    async green(): Promise<void> {
      const answer = await cycle();
      const red = relevant(answer);
      if (red.length > 0) throw new Disproof(`before the fault, red already: ${describe(red)}`);
      startedAt = answer.snapshot_time;
    },
    async red(expected: Readonly<Record<string, Expected>>): Promise<[ViolationRecord, number]> {
      const answer = await cycle();
      const red = relevant(answer);
      const [violation] = red;
      const isExact =
        red.length === 1 && violation!.invariant_id === invariantId && violation!.subject === agent;
      if (!violation || !isExact)
        throw new Disproof(`expected red: ${invariantId} of ${agent}; red is ${describe(red)}`);
      const wrong = differences(violation.observed_state, expected);
      if (wrong.length > 0) throw new Disproof(`observed_state: ${wrong.join(", ")}`);
      const { red: times } = await transitions();
      if (times !== 1) throw new Disproof(`there were ${times} transitions to red`);
      return [violation as ViolationRecord, answer.cycle_duration_ms];
    },
    async recovered(): Promise<number> {
      const answer = await cycle();
      const red = relevant(answer);
      if (red.length > 0) throw new Disproof(`after the cure, still red: ${describe(red)}`);
      const { red: times, recovered } = await transitions();
      // While others are red, the invariant itself has not recovered.
      const expected = answer.verdicts[invariantId]?.status === "red" ? 0 : 1;
      if (times !== 1 || recovered !== expected)
        throw new Disproof(`there were ${times} transitions to red and ${recovered} back`);
      return answer.cycle_duration_ms;
    },
  };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Draft = Mutable<Omit<Proof, "cycle_ms">> & { cycle_ms: Mutable<Proof["cycle_ms"]> };

const UNDO_TRIES = 3;
const UNDO_AGAIN_MS = 1_000;

/** Undoing is worth more than one try. @returns what failed in the end, in words; null where nothing did */
async function undone(what: string, undo: () => Promise<void>): Promise<string | null> {
  for (let left = UNDO_TRIES - 1; ; left -= 1) {
    try {
      await undo();
      return null;
    } catch (error) {
      if (left === 0) return `${what}: ${textOf(error)}`;
      await wait(UNDO_AGAIN_MS);
    }
  }
}

/**
 * Takes one fault through its steps; what was made is undone whatever became of them.
 * @returns what went wrong first, and what could not be undone; nothing where it is proven
 */
async function prove(options: DrillOptions, fault: Fault, scene: Scene, draft: Draft): Promise<string[]> {
  const { signal } = options;
  const sees = witness(options, fault, scene);
  const wrong: string[] = [];
  const step = async (work: () => Promise<void>) => {
    if (wrong.length > 0) return;
    try {
      signal.throwIfAborted();
      await work();
    } catch (error) {
      wrong.push(error === signal.reason ? "interrupted" : textOf(error));
    }
  };
  await step(async () => {
    await scene.enlist();
    await fault.prepare?.(scene);
    await sees.green();
  });
  const wasGreen = wrong.length === 0;
  await step(async () => {
    await fault.provoke(scene);
    draft.took_hold = await fault.seen(scene);
    if (draft.took_hold === null) throw new Disproof("the fault did not take hold");
  });
  await step(async () => {
    const [violation, ms] = await sees.red(fault.expected(scene));
    draft.observed_state = violation.observed_state;
    draft.signal_query = violation.signal_query;
    draft.cycle_ms.red = ms;
  });
  await step(async () => {
    draft.cycle_ms.again = (await sees.red(fault.expected(scene)))[1];
  });
  const cure = wasGreen ? await undone("the cure failed", () => fault.cure(scene)) : null;
  if (cure !== null) wrong.push(cure);
  await step(async () => {
    draft.cycle_ms.recovered = await sees.recovered();
  });
  const removal = await undone(`${scene.agent} could not be removed`, scene.clear);
  if (removal !== null) wrong.push(removal);
  return wrong;
}

/**
 * Drills one fault after the other, each on an agent that is made for it and removed after it.
 * @returns what each came to, in the order of the faults; those after an interruption are left out
 */
export async function runDrill(options: DrillOptions): Promise<Proof[]> {
  const { ground, faults, signal, onAgent, onProof } = options;
  const proofs: Proof[] = [];
  const run = randomBytes(3).toString("hex");
  for (const fault of faults) {
    if (signal.aborted) break;
    const scene = sceneOf(ground, `${DRILL_PREFIX}${fault.invariantId.toLowerCase()}-${run}`);
    const draft: Draft = {
      invariant_id: fault.invariantId,
      fault: fault.title,
      outcome: "failed",
      reason: null,
      agent: scene.agent,
      took_hold: null,
      observed_state: null,
      signal_query: null,
      cycle_ms: { red: null, again: null, recovered: null },
    };
    const obstacle = await obstacleOf(fault, scene);
    if (obstacle !== null) Object.assign(draft, { outcome: "impossible", reason: obstacle });
    else {
      onAgent?.(scene.agent);
      const wrong = await prove(options, fault, scene, draft);
      if (wrong.length === 0) draft.outcome = "proven";
      else draft.reason = wrong.join("; ");
    }
    proofs.push(draft);
    onProof(draft);
  }
  return proofs;
}

/** Every fault is made on an agent of the roster, with slots. */
async function obstacleOf(fault: Fault, scene: Scene): Promise<string | null> {
  const { database, redis } = scene.ground;
  for (const part of [database, redis]) if ("absent" in part) return part.absent;
  return (await fault.obstacle?.(scene)) ?? null;
}

/** @returns the faults of these invariants, or of all. @throws RangeError naming those that there are not */
export function faultsOf(faults: readonly Fault[], ids: readonly string[] | undefined): Fault[] {
  const unknown = unknownIds(ids ?? []);
  if (unknown.length > 0) throw new RangeError(`there is no invariant ${unknown.join(", ")}; ${KNOWN_IDS}`);
  return faults.filter(({ invariantId }) => ids?.includes(invariantId) ?? true);
}

/** @returns 0 all proven, 1 one failed, 2 one can't be provoked there */
export function exitCodeOf(proofs: readonly Proof[], wanted: number): 0 | 1 | 2 {
  if (proofs.some(({ outcome }) => outcome === "failed")) return 1;
  return proofs.length < wanted || proofs.some(({ outcome }) => outcome === "impossible") ? 2 : 0;
}
