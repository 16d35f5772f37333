/** Makes the faults of a soak on busy agents, and cures them after some cycles. */
import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import type { Fault } from "../faults/fault.ts";
import { type Limits, present } from "../faults/target.ts";
import { type TestAgent, testAgent } from "../faults/test-agent.ts";
import type { AgentSpec } from "../platform/agents.ts";
import { steadyNow } from "../platform/journal.ts";
import { ROSTER } from "../platform/names.ts";
import type { Harness } from "./harness.ts";
import type { PlannedFault } from "./judge.ts";
import type { Load } from "./load.ts";

export interface Plan {
  readonly fault: Fault;
  readonly atCycle: number;
  /** The number of the agent that gets it. Where that one is held, the next one gets it. */
  readonly firstAgent: number;
}

export interface Breaks {
  /** The faults that were made and cured so far. */
  readonly made: readonly PlannedFault[];
  /** Whether some are not made or not cured yet. */
  underWay(): boolean;
  /** Starts the faults that are due. @throws the error of an earlier one */
  startDue(cycle: number): void;
  /** To be called at the end of each cycle. */
  onCycle(): void;
  /** @throws the error of a fault that failed */
  throwFailure(): void;
}

/** A cycle may be slow to see the fault for the first time, from when on it has to last. */
const HOLD_SLACK_MS = 8_000;
/** Whole cycles that run before a fault is cured. */
const CYCLES_SEEN = 2;

/** Holds the agent of that number, or the next one that is free. */
async function hold({ agents, held }: Load, first: number): Promise<AgentSpec> {
  for (;;) {
    for (let n = 0; n < agents.length; n += 1) {
      const agent = agents[(first + n) % agents.length]!;
      if (held.has(agent.name)) continue;
      held.add(agent.name);
      return agent;
    }
    await wait(50);
  }
}

/** Opens an agent of the fleet with its current limits. While it is held, they don't change. */
async function busyAgent({ target }: Harness, name: string): Promise<TestAgent> {
  const [row] = await target.database.read(
    `SELECT max_parallel_tasks, execution_timeout_seconds FROM ${ROSTER} WHERE agent_name = ?`,
    [name],
  );
  if (!row) throw new Error(`${name} is not on the roster`);
  const limits: Limits = {
    maxParallelTasks: Number(row.max_parallel_tasks),
    executionTimeoutSeconds: Number(row.execution_timeout_seconds),
  };
  return testAgent(target, { name, limits, runPrefix: `fault-${randomUUID()}-` });
}

/** Makes an agent like that one but without runs, works on it, and removes it. */
async function withIdleAgent(
  { platform, target }: Harness,
  like: AgentSpec,
  work: (agent: TestAgent) => Promise<void>,
): Promise<void> {
  const spec = { ...like, name: `idle-${randomUUID().slice(0, 8)}` };
  await platform.agents.create(spec);
  await work(testAgent(target, { name: spec.name, limits: spec, runPrefix: `${spec.name}-` }));
  await platform.agents.remove(spec.name);
  await platform.agents.purge(spec.name);
}

/** Makes one fault, lets some cycles pass, and cures it. */
async function breakAndCure(
  fault: Fault,
  agent: TestAgent,
  cyclePasses: () => Promise<void>,
): Promise<PlannedFault> {
  if (fault.prepare) {
    await fault.prepare(agent);
    await cyclePasses();
  }
  await fault.provoke(agent);
  if ((await fault.seen(agent)) === null) throw new Error("it did not take hold");
  if (fault.holdSeconds !== undefined) {
    await cyclePasses();
    await wait(fault.holdSeconds * 1000 + HOLD_SLACK_MS);
  }
  const fromMs = steadyNow();
  for (let n = 0; n < CYCLES_SEEN; n += 1) await cyclePasses();
  const toMs = steadyNow();
  await fault.cure(agent);
  if (agent.hasContainer) await present(agent.target.docker).containers.remove(agent.name);
  const key = fault.key?.(agent) ?? agent.name;
  const subject = fault.subject?.(agent) ?? agent.name;
  const item = { invariant: fault.invariantId, subject, key };
  return { name: fault.name, item, brokenMs: [fromMs, toMs] };
}

/** Makes the planned faults while cycles run. */
export function startBreaks(harness: Harness, load: Load, plan: readonly Plan[]): Breaks {
  const waiting = new Set<() => void>();
  const nextCycle = () => new Promise<void>((resolve) => waiting.add(resolve));
  /** Waits for one whole cycle: the current one began earlier, so it waits for two ends. */
  const cyclePasses = async () => {
    await nextCycle();
    await nextCycle();
  };
  const made: PlannedFault[] = [];
  const underWay = new Set<Promise<void>>();
  let failure: unknown;
  let next = 0;
  let isAlone = false;
  let platformsTurn: Promise<unknown> = Promise.resolve();

  async function make({ fault, firstAgent }: Plan): Promise<void> {
    const spec = await hold(load, firstAgent);
    const work = async (agent: TestAgent) => void made.push(await breakAndCure(fault, agent, cyclePasses));
    try {
      if (fault.isPlatformWide) await withIdleAgent(harness, spec, work);
      else await work(await busyAgent(harness, spec.name));
    } catch (error) {
      failure ??= new Error(`the break "${fault.name}" of ${spec.name} failed`, { cause: error });
    } finally {
      load.held.delete(spec.name);
    }
  }

  /** Starts a fault. Platform-wide ones wait for each other. */
  function start(one: Plan): Promise<void> {
    if (!one.fault.isPlatformWide) return make(one);
    const turn = platformsTurn.then(() => make(one));
    platformsTurn = turn;
    return turn;
  }

  const throwFailure = () => {
    if (failure) throw failure;
  };
  return {
    made,
    throwFailure,
    underWay: () => next < plan.length || underWay.size > 0,
    startDue(cycle) {
      throwFailure();
      for (; next < plan.length && plan[next]!.atCycle <= cycle; next += 1) {
        // While the canary is misled it can see no other break.
        if (isAlone || (plan[next]!.fault.isExclusive && underWay.size > 0)) return;
        isAlone = plan[next]!.fault.isExclusive === true;
        const done: Promise<void> = start(plan[next]!).finally(() => {
          underWay.delete(done);
          isAlone = false;
        });
        underWay.add(done);
      }
    },
    onCycle() {
      const resolvers = [...waiting];
      waiting.clear();
      for (const resolve of resolvers) resolve();
    },
  };
}
