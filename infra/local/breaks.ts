/** Breaks invariants on the platform of `npm start`, several at once, and cures them: each on an agent of its own. */
import { randomBytes } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { type InvariantId, KNOWN_IDS, unknownIds } from "../../shared/invariants/index.ts";
import type { Fault } from "../faults/fault.ts";
import { FAULTS } from "../faults/index.ts";
import type { Target } from "../faults/target.ts";
import { type TestAgent, testAgent } from "../faults/test-agent.ts";
import { removeTestAgent, undone } from "../faults/undo.ts";
import { messageOf } from "../platform/context.ts";

/** What was asked for can't be done here. The message says why, and what to do instead. */
export class Refused extends Error {
  override readonly name = "Refused";
}

/** A fault that is on. */
export interface Broken {
  readonly fault: Fault;
  readonly agent: TestAgent;
  readonly sinceMs: number;
  /** What was read back, without the canary. */
  readonly tookHold: string;
}

export interface Breaks {
  /** Every fault; why it can't be had here, or null; and since when it is on, or null. */
  list(): readonly { readonly fault: Fault; readonly obstacle: string | null; readonly on: Broken | null }[];
  /**
   * Makes the fault, and waits until it has taken hold. Where the invariant is broken already, nothing is done.
   * @param name of the fault; left out: the first of the invariant
   * @throws Refused where there is no such fault, or it can't be had here and now; RangeError for an unknown invariant
   */
  break(id: string, name?: string): Promise<Broken & { readonly wasOn: boolean }>;
  /**
   * Undoes the fault, reads back that it is gone, and removes its agent. Gives null where the invariant is not broken.
   * @throws Refused where the fault or its agent is still there; RangeError for an unknown invariant
   */
  cure(id: string): Promise<Broken | null>;
  /** Cures everything. @throws Refused naming what is still there; the others are cured */
  cureAll(): Promise<readonly Broken[]>;
  /** Cures everything and removes its agents. Nothing can be broken afterwards. @throws Error naming what is left */
  close(): Promise<void>;
}

export interface BreaksOptions {
  readonly target: Target;
  /** Why an invariant is not run here, by its id. */
  readonly off: ReadonlyMap<string, string>;
  /** Runs the invariant once, for a fault whose healthy state has to be seen first. */
  readonly judge: (id: InvariantId) => Promise<void>;
}

/** The names of the agents that are broken. */
export const BROKEN_PREFIX = "break-";
/** Trinity's timeout: a fault that stays for less than that is seen as what it is, and as nothing else. */
const LIMITS = { maxParallelTasks: 2, executionTimeoutSeconds: 3600 };

const HOLD_TRIES = 50;
const LOOK_AGAIN_MS = 100;

/** @throws RangeError naming those that there are */
function knownId(text: string): InvariantId {
  const id = text.trim().toUpperCase();
  if (unknownIds([id]).length > 0) throw new RangeError(`there is no invariant ${text.trim()}; ${KNOWN_IDS}`);
  return id as InvariantId;
}

/** @throws Refused naming those that the invariant has */
function faultOf(id: InvariantId, name: string | undefined): Fault {
  const faults = FAULTS.filter(({ invariantId }) => invariantId === id);
  const found = name === undefined ? faults[0] : faults.find((fault) => fault.name === name);
  if (found) return found;
  throw new Refused(
    `${id} has no fault ${JSON.stringify(name)}: give one of ${faults.map((f) => JSON.stringify(f.name)).join(", ")}`,
  );
}

/** Waits until the fault is read back. Gives null where it did not take hold. */
async function whatTookHold(fault: Fault, agent: TestAgent): Promise<string | null> {
  for (let left = HOLD_TRIES; left > 0; left -= 1) {
    const seen = await fault.seen(agent);
    if (seen !== null) return seen;
    await wait(LOOK_AGAIN_MS);
  }
  return null;
}

/** Puts work in turn: a break or a cure ends before the next one begins. */
function turns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work, work);
    last = mine.catch(() => {});
    return mine;
  };
}

/** Makes the breaks of one platform. Nothing is broken at first. */
export function createBreaks({ target, off, judge }: BreaksOptions): Breaks {
  const on = new Map<InvariantId, Broken>();
  /** Every agent that was made, for the end. */
  const agents = new Set<TestAgent>();
  const inTurn = turns();
  let isClosed = false;

  function obstacleOf(fault: Fault): string | null {
    const why = off.get(fault.invariantId);
    if (why !== undefined) return `${fault.invariantId} is not run here: ${why}`;
    return fault.obstacle?.(target) ?? null;
  }
  /** Gives the reason why the fault can't be made beside those that are on. */
  function conflictOf({ invariantId, isExclusive }: Fault): string | null {
    const others = [...on.values()].map(({ fault }) => fault);
    const exclusive = others.find((other) => other.isExclusive)?.invariantId;
    if (exclusive !== undefined)
      return `${exclusive} is broken: the canary reads another place, and would not see ${invariantId} (cure it first: bin/canary cure ${exclusive})`;
    if (isExclusive && others.length > 0)
      return `${invariantId} points the canary to another place, where it would not see ${[...on.keys()].join(", ")} (cure first: bin/canary cure --all)`;
    return null;
  }
  async function makeAgent(fault: Fault): Promise<TestAgent> {
    const name = `${BROKEN_PREFIX}${fault.invariantId.toLowerCase()}`;
    // E-02 remembers the ids of ended runs, so no two faults may use the same.
    const runPrefix = `${name}-${randomBytes(3).toString("hex")}-`;
    const agent = testAgent(target, { name, limits: LIMITS, runPrefix });
    agents.add(agent);
    if (!("absent" in target.docker)) await target.docker.containers.remove(name);
    if (!(await agent.isListed())) await agent.enlist();
    return agent;
  }
  async function make(fault: Fault): Promise<Broken> {
    const agent = await makeAgent(fault);
    try {
      await fault.prepare?.(agent);
      if (fault.isSeenFirst) await judge(fault.invariantId);
      await fault.provoke(agent);
      const tookHold = await whatTookHold(fault, agent);
      if (tookHold === null) throw new Refused(`${fault.invariantId}: the fault did not take hold`);
      const broken = { fault, agent, sinceMs: Date.now(), tookHold };
      on.set(fault.invariantId, broken);
      return broken;
    } catch (error) {
      const left = await undone("the cure failed", () => fault.cure(agent));
      throw left === null ? error : new Refused(`${messageOf(error)}; ${left}`);
    }
  }
  /** Gives what is left of the agent in words, or null. */
  async function removed(agent: TestAgent): Promise<string | null> {
    const left = await undone(`${agent.name} could not be removed`, () => removeTestAgent(agent));
    if (left === null) agents.delete(agent);
    return left;
  }
  async function cure(broken: Broken): Promise<Broken> {
    const { fault, agent } = broken;
    const failure = await undone("the cure failed", () => fault.cure(agent));
    const left = failure ?? (await fault.seen(agent));
    if (left !== null) throw new Refused(`${fault.invariantId} is still broken: ${left}`);
    on.delete(fault.invariantId);
    const remains = await removed(agent);
    if (remains !== null)
      throw new Refused(`${fault.invariantId} is cured, but ${remains}: Ctrl-C removes it`);
    return broken;
  }
  async function cureAll(): Promise<readonly Broken[]> {
    const cured: Broken[] = [];
    const failures: string[] = [];
    for (const broken of [...on.values()])
      await cure(broken).then(
        (one) => cured.push(one),
        (error) => failures.push(messageOf(error)),
      );
    if (failures.length > 0) throw new Refused(failures.join("; "));
    return cured;
  }

  return {
    list: () =>
      FAULTS.map((fault) => {
        const broken = on.get(fault.invariantId);
        return { fault, obstacle: obstacleOf(fault), on: broken?.fault === fault ? broken : null };
      }),
    async break(text, name) {
      const fault = faultOf(knownId(text), name);
      return inTurn(async () => {
        if (isClosed) throw new Refused("npm start is ending");
        const broken = on.get(fault.invariantId);
        if (broken) return { ...broken, wasOn: true };
        const obstacle = obstacleOf(fault) ?? conflictOf(fault);
        if (obstacle !== null) throw new Refused(obstacle);
        return { ...(await make(fault)), wasOn: false };
      });
    },
    async cure(text) {
      const id = knownId(text);
      return inTurn(async () => {
        const broken = on.get(id);
        return broken ? cure(broken) : null;
      });
    },
    cureAll: () => inTurn(cureAll),
    close: () =>
      inTurn(async () => {
        isClosed = true;
        // The platform ends too: of a cure that fails, nothing but the agent could be left.
        for (const { fault, agent } of on.values()) await fault.cure(agent).catch(() => {});
        on.clear();
        const failures: string[] = [];
        for (const agent of agents) {
          const left = await removed(agent);
          if (left !== null) failures.push(left);
        }
        if (failures.length > 0) throw new Error(failures.join("; "));
      }),
  };
}

/** Says when an invariant that was just broken is red, in a sentence without its end. */
export const whenRed = ({ invariantId, holdSeconds }: Fault): string =>
  holdSeconds === undefined
    ? `${invariantId} will be red with the next cycle`
    : `${invariantId} will be red with a cycle ${holdSeconds} s after the next one, since it has to last`;
