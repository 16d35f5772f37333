/** What the canary must report at each step of a drill. */
import { isDeepStrictEqual } from "node:util";
import type { CycleRecord, CycleReport } from "../../shared/wire/schemas/cycles.ts";
import type { ViolationRecord } from "../../shared/wire/schemas/violations.ts";
import type { Expected, Fault } from "../faults/fault.ts";
import type { TestAgent } from "../faults/test-agent.ts";
import type { CanaryApi } from "./canary-api.ts";

/** The alarm is not proven; the message says at which step, and what was seen instead. */
export class Disproof extends Error {}

/** The canary does not run the invariant, so that nothing can be proven; the message says why. */
export class NotRun extends Error {}

/** Describes the fields that are not as expected. */
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

interface Observer {
  readonly api: CanaryApi;
  readonly isAlone: boolean;
  readonly signal: AbortSignal;
}

/** Counts since that instant how often the invariant became red, and how often the agent recovered. */
async function transitionsSince(
  api: CanaryApi,
  instant: string,
  invariantId: string,
  agent: string,
): Promise<{ red: number; recovered: number }> {
  const cycles = (await api.cyclesSince(instant)).filter((c) => c.snapshot_time > instant);
  const isIt = (t: { invariant_id: string }) => t.invariant_id === invariantId;
  const names = (t: { subjects: readonly string[] }) => t.subjects.includes(agent);
  const count = (inCycle: (cycle: CycleRecord) => number) => cycles.reduce((n, c) => n + inCycle(c), 0);
  if (cycles.some((c) => [...c.transitions, ...c.spreads].some((t) => isIt(t) && t.silenced)))
    throw new Disproof(`${invariantId} is silenced: nobody is notified`);
  return {
    red: count((c) => c.transitions.filter(isIt).length + c.spreads.filter(isIt).filter(names).length),
    recovered: count((c) => c.recoveries.filter(isIt).filter(names).length),
  };
}

/**
 * Runs the cycles of one fault and compares their reports. Each method throws a Disproof where one is not as expected, and a
 * NotRun where the canary does not run the invariant.
 */
export function expectations({ api, isAlone, signal }: Observer, fault: Fault, testAgent: TestAgent) {
  const { invariantId } = fault;
  const agent = fault.subject?.(testAgent) ?? testAgent.name;
  let startedAt = "";
  async function anyCycle(): Promise<CycleReport> {
    const answer = await api.cycle(signal);
    if (!answer.verdicts[invariantId]) throw new NotRun(`${invariantId} is off: its canary does not run it`);
    return answer;
  }
  async function cycle(): Promise<CycleReport> {
    const answer = await anyCycle();
    const verdict = answer.verdicts[invariantId]!;
    if (verdict.status === "unknown") throw new Disproof(`${invariantId} is unknown: ${verdict.reason}`);
    return answer;
  }
  const relevant = ({ violations }: CycleReport) => violations.filter((v) => isAlone || v.subject === agent);

  const transitions = () => transitionsSince(api, startedAt, invariantId, agent);

  return {
    async green(): Promise<void> {
      const answer = await cycle();
      const red = relevant(answer);
      if (red.length > 0) throw new Disproof(`before the fault, red already: ${describe(red)}`);
      startedAt = answer.snapshot_time;
    },
    /** Runs the cycle that sees the fault for the first time, where it counts only once it has lasted. */
    async notYet(): Promise<void> {
      const red = relevant(await anyCycle());
      if (red.length > 0) throw new Disproof(`red before it has lasted: ${describe(red)}`);
    },
    /** Gives the violation, and the duration of its cycle in ms. */
    async red(
      expected: Readonly<Record<string, Expected>>,
      severity: string | undefined,
    ): Promise<[ViolationRecord, number]> {
      const answer = await cycle();
      const red = relevant(answer);
      const [violation] = red;
      const isExact =
        red.length === 1 && violation!.invariant_id === invariantId && violation!.subject === agent;
      if (!violation || !isExact)
        throw new Disproof(`expected red: ${invariantId} of ${agent}; red is ${describe(red)}`);
      const wrong = differences(violation.observed_state, expected);
      if (wrong.length > 0) throw new Disproof(`observed_state: ${wrong.join(", ")}`);
      if (severity !== undefined && violation.severity !== severity)
        throw new Disproof(`severity is ${violation.severity}, not ${severity}`);
      const { red: times } = await transitions();
      if (times !== 1) throw new Disproof(`there were ${times} transitions to red`);
      return [violation as ViolationRecord, answer.cycle_duration_ms];
    },
    /** Gives the duration of its cycle in ms. */
    async recovered(): Promise<number> {
      const answer = await cycle();
      const red = relevant(answer);
      if (red.length > 0) throw new Disproof(`after the cure, still red: ${describe(red)}`);
      const verdict = answer.verdicts[invariantId]!;
      // It may be red without a violation: what was red and could not be looked at.
      const isUnseen = verdict.unseen.some((part) => part === agent || part.startsWith(`${agent}/`));
      if (isUnseen || (isAlone && verdict.status === "red"))
        throw new Disproof(
          `after the cure, not seen healthy: ${verdict.reason ?? verdict.unseen.join(", ")}`,
        );
      const { red: times, recovered } = await transitions();
      // Where other agents are red, the invariant as a whole does not recover.
      const expected = verdict.status === "red" ? 0 : 1;
      if (times !== 1 || recovered !== expected)
        throw new Disproof(`there were ${times} transitions to red and ${recovered} back`);
      return answer.cycle_duration_ms;
    },
  };
}
