/** Proves every alarm: green, a fault, red once, no second transition, the cure, recovered. */
import { randomBytes } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { KNOWN_IDS, unknownIds } from "../../shared/invariants/index.ts";
import type { Fault } from "../faults/fault.ts";
import type { Target } from "../faults/target.ts";
import type { TestAgent } from "../faults/test-agent.ts";
import { undone } from "../faults/undo.ts";
import { messageOf } from "../platform/context.ts";
import type { CanaryApi } from "./canary-api.ts";
import { DRILL_PREFIX, drillAgent, removeDrillAgent } from "./drill-agent.ts";
import { Disproof, expectations, NotRun } from "./expectations.ts";

/** The result of the drill of one fault. */
export interface Proof {
  readonly invariant_id: string;
  readonly fault: string;
  /** `impossible`: the environment can't have the fault, or its canary does not run the invariant. */
  readonly outcome: "proven" | "failed" | "impossible";
  /** Why it is not proven. */
  readonly reason: string | null;
  readonly agent: string;
  /** What `seen` of the fault found, without the canary. */
  readonly took_hold: string | null;
  /** The violation's observed_state. */
  readonly observed_state: Readonly<Record<string, unknown>> | null;
  readonly signal_query: string | null;
  /** The durations of the cycles that were red for the first time, red again, and recovered. */
  readonly cycle_ms: {
    readonly red: number | null;
    readonly again: number | null;
    readonly recovered: number | null;
  };
}

export interface DrillOptions {
  readonly target: Target;
  readonly api: CanaryApi;
  readonly faults: readonly Fault[];
  /** Why an invariant is not run there, by its id. Left out: all are run. */
  readonly off?: ReadonlyMap<string, string>;
  /** Whether only the drill's agents are watched: then nothing but the fault may be red. */
  readonly isAlone: boolean;
  /** Where it is aborted, the current fault is cured and the others are left out. */
  readonly signal: AbortSignal;
  /** Lets that time pass, for a fault that has to last. Left out: waits. */
  readonly pass?: (ms: number) => Promise<void>;
  /** Called with the name of each agent before it is made. */
  readonly onAgent?: (agent: string) => void;
  /** Called with each proof as soon as it is complete. */
  readonly onProof: (proof: Proof) => void;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Draft = Mutable<Omit<Proof, "cycle_ms">> & { cycle_ms: Mutable<Proof["cycle_ms"]> };

/**
 * Takes one fault through its steps, and undoes it whether or not they succeed.
 * @returns the first problem, and what could not be undone; nothing where the alarm is proven
 */
async function prove(options: DrillOptions, fault: Fault, agent: TestAgent, draft: Draft): Promise<string[]> {
  const { signal } = options;
  const expect = expectations(options, fault, agent);
  const wrong: string[] = [];
  const step = async (work: () => Promise<void>) => {
    if (wrong.length > 0) return;
    try {
      signal.throwIfAborted();
      await work();
    } catch (error) {
      wrong.push(error === signal.reason ? "interrupted" : messageOf(error));
      if (error instanceof NotRun) draft.outcome = "impossible";
    }
  };
  await step(async () => {
    await agent.enlist();
    await fault.prepare?.(agent);
    await expect.green();
  });
  const red = () => expect.red(fault.expected(agent), fault.severity?.(agent));
  const wasGreen = wrong.length === 0;
  await step(async () => {
    await fault.provoke(agent);
    draft.took_hold = await fault.seen(agent);
    if (draft.took_hold === null) throw new Disproof("the fault did not take hold");
  });
  if (fault.holdSeconds !== undefined)
    await step(async () => {
      await expect.notYet();
      const ms = fault.holdSeconds! * 1000;
      await (options.pass?.(ms) ?? wait(ms, undefined, { signal }));
    });
  await step(async () => {
    const [violation, ms] = await red();
    draft.observed_state = violation.observed_state;
    draft.signal_query = violation.signal_query;
    draft.cycle_ms.red = ms;
  });
  await step(async () => {
    draft.cycle_ms.again = (await red())[1];
  });
  const cure = wasGreen ? await undone("the cure failed", () => fault.cure(agent)) : null;
  if (cure !== null) wrong.push(cure);
  await step(async () => {
    draft.cycle_ms.recovered = await expect.recovered();
  });
  const removal = await undone(`${agent.name} could not be removed`, () => removeDrillAgent(agent));
  if (removal !== null) wrong.push(removal);
  // What could not be undone is a failure, whatever came before it.
  if (wrong.length > 1) draft.outcome = "failed";
  return wrong;
}

/**
 * Drills one fault after the other, each on its own agent.
 * @returns the proofs in the order of the faults, without those after an interruption
 */
export async function runDrill(options: DrillOptions): Promise<Proof[]> {
  const { target, faults, off, signal, onAgent, onProof } = options;
  const proofs: Proof[] = [];
  for (const fault of faults) {
    if (signal.aborted) break;
    // E-02 remembers the ids of ended runs, so no two drills may use the same.
    const suffix = randomBytes(3).toString("hex");
    const agent = drillAgent(target, `${DRILL_PREFIX}${fault.invariantId.toLowerCase()}-${suffix}`);
    const draft: Draft = {
      invariant_id: fault.invariantId,
      fault: fault.title,
      outcome: "failed",
      reason: null,
      agent: agent.name,
      took_hold: null,
      observed_state: null,
      signal_query: null,
      cycle_ms: { red: null, again: null, recovered: null },
    };
    const obstacle = obstacleOf(fault, target, off?.get(fault.invariantId));
    if (obstacle !== null) Object.assign(draft, { outcome: "impossible", reason: obstacle });
    else {
      onAgent?.(agent.name);
      const wrong = await prove(options, fault, agent, draft);
      if (wrong.length === 0) draft.outcome = "proven";
      else draft.reason = wrong.join("; ");
    }
    proofs.push(draft);
    onProof(draft);
  }
  return proofs;
}

/**
 * Gives the reason why the fault can't be made, or would not be seen. Every fault needs an agent on the roster, with slots.
 * @param off why its invariant is not run there
 */
function obstacleOf(fault: Fault, target: Target, off: string | undefined): string | null {
  if (off !== undefined) return `its environment does not run ${fault.invariantId}: ${off}`;
  for (const part of [target.database, target.redis]) if ("absent" in part) return part.absent;
  return fault.obstacle?.(target) ?? null;
}

/** Finds the faults of these invariants, or all. @throws RangeError naming the ids that no invariant has */
export function faultsOf(faults: readonly Fault[], ids: readonly string[] | undefined): Fault[] {
  const unknown = unknownIds(ids ?? []);
  if (unknown.length > 0) throw new RangeError(`there is no invariant ${unknown.join(", ")}; ${KNOWN_IDS}`);
  return faults.filter(({ invariantId }) => ids?.includes(invariantId) ?? true);
}

/** Gives 0 where all are proven, 1 where one failed, 2 where one can't be provoked there or was not tried. */
export function exitCodeOf(proofs: readonly Proof[], wanted: number): 0 | 1 | 2 {
  if (proofs.some(({ outcome }) => outcome === "failed")) return 1;
  return proofs.length < wanted || proofs.some(({ outcome }) => outcome === "impossible") ? 2 : 0;
}
