/** Tasks, scheduled runs and chat turns at the rate, bursts of the scheduler, and floods of one agent's queue. */
import { setTimeout as wait } from "node:timers/promises";
import type { AgentSpec } from "../../platform/agents.ts";
import type { ChatKind } from "../../platform/journal.ts";
import type { Task } from "../../platform/task.ts";
import { type Random, seededRandom } from "../random.ts";
import { type Churn, isLoaded, type LoadOptions, repeat } from "./churn.ts";
import { MEAN_CAP } from "./fleet.ts";

/** The average share of taken slots: high enough for queues, low enough for free slots. */
const OCCUPANCY = 0.65;
/** Longer than the checks' grace for a start, so that they judge the end of such a run. */
const LONG_RUN_MS = [3_200, 8_000] as const;
/** Long enough for a renewal of the slot. */
const PARKED_MS = [15_500, 18_000] as const;
const PUMP_EVERY_MS = 10;
const MOST_AT_ONCE = 25;
const BURST_SIZE = 50;
/** Shares of the runs, in percent. The others are tasks. */
const CHAT_PERCENT = 15;
const SCHEDULED_PERCENT = 40;
const CHAT_KINDS: readonly ChatKind[] = ["chat", "mcp", "agent"];

/** How many rows of one agent may be queued. A quiet fleet would never reach the platform's usual 50. */
export const maxQueuedAt = (rate: number): number => (rate >= 50 ? 50 : 10);

/** Makes a function that draws tasks. Their lengths keep OCCUPANCY of the fleet's slots taken at this rate. */
function taskDrawer(random: Random, options: LoadOptions, scale: number) {
  const share = (OCCUPANCY * MEAN_CAP * 1000 * options.agentCount) / options.rate;
  const longMs = (LONG_RUN_MS[0] + LONG_RUN_MS[1]) / 2;
  const longPercent = Math.min(8, (50 * share) / longMs);
  const shortMs = Math.min(4_000, (share / 2) * (1 - longPercent / 100));
  const mostRetries = isLoaded(options, "retries") ? 1 : 0;
  const parkedPercent = isLoaded(options, "parked") ? 0.3 : 0;
  return (): Partial<Task> => {
    const isLong = random.percent(longPercent);
    const runMs = (isLong ? random.between(...LONG_RUN_MS) : random.between(0.1, 1.9) * shortMs) * scale;
    // Long after its dispatch too, so that the checks judge what the park has left.
    if (random.percent(parkedPercent))
      return { runMs: random.between(...LONG_RUN_MS) * scale, parkedMs: random.between(...PARKED_MS) };
    if (random.percent(2)) {
      // Fails at its timeout, with a late answer.
      const timeoutSeconds = random.whole(2, 4);
      return { timeoutSeconds, runMs: timeoutSeconds * 1000 + random.between(200, 800) };
    }
    if (random.percent(88)) return { runMs };
    const retries = random.whole(0, mostRetries);
    return { runMs, ends: "failed", retries, retryAfterMs: random.between(200, 2_000) * scale };
  };
}

/** Starts one run of the agent, of a kind that is drawn. Gives the id of its row; null where there is none. */
function starter(churn: Churn, random: Random) {
  const { harness, options, counts } = churn;
  const { platform } = harness;
  const chatPercent = isLoaded(options, "chat") ? CHAT_PERCENT : 0;
  const scheduledPercent = isLoaded(options, "scheduler") ? SCHEDULED_PERCENT : 0;
  return (agent: AgentSpec, task: Partial<Task>): (() => Promise<string | null>) => {
    const drawn = random.between(0, 100);
    const kind = random.one(CHAT_KINDS);
    const workersLost = agent.isPull && random.percent(3) ? random.whole(1, 2) : 0;
    const { name } = agent;
    if (drawn < chatPercent && !agent.isPull)
      return async () => {
        const turn = await platform.chat({ agent: name, kind, task });
        if (turn) counts.chatTurns += 1;
        if (turn && !turn.hasSlot) counts.turnsWithoutSlot += 1;
        return turn?.id ?? null;
      };
    if (drawn < chatPercent + scheduledPercent)
      return () => platform.runSchedule({ agent: name, task: { ...task, workersLost } });
    const triggeredBy = drawn > 90 ? "webhook" : "manual";
    return () => platform.submit({ agent: name, task: { ...task, workersLost }, triggeredBy });
  };
}

/** Starts runs at the rate, cancels some of them, and now and then floods one agent's queue. */
export function submitRuns(churn: Churn): Promise<void>[] {
  const { harness, options, signal, counts, fleet } = churn;
  const { platform, clock } = harness;
  const agents = [...fleet.ordinary, ...fleet.pull];
  const runs = seededRandom(options.seed, "runs");
  const drawTask = taskDrawer(runs, options, clock.scale);
  const starterOf = starter(churn, runs);
  const startedAtMs = performance.now();
  let submitted = 0;
  const submit = (begin: () => Promise<string | null>) => {
    submitted += 1;
    const cancelAfterMs = runs.percent(3) ? runs.between(0, 1_500) : null;
    churn.start(async () => {
      const id = await begin();
      if (id === null || cancelAfterMs === null) return;
      await wait(cancelAfterMs, undefined, { signal });
      await platform.cancel(id);
    });
  };
  const everyPump = () => PUMP_EVERY_MS;
  const pump = repeat(churn, everyPump, async () => {
    const due = Math.floor(((performance.now() - startedAtMs) / 1000) * options.rate) - submitted;
    for (let n = Math.min(due, MOST_AT_ONCE); n > 0; n -= 1) submit(starterOf(runs.one(agents), drawTask()));
  });
  const flood = seededRandom(options.seed, "floods");
  const size = maxQueuedAt(options.rate) + 10;
  const everyFlood = () => flood.between(0.5, 1.5) * Math.max(4_000, (4_000 * size) / options.rate);
  const floods = repeat(churn, everyFlood, async () => {
    counts.floods += 1;
    const { name: agent } = flood.one(agents);
    for (let n = 0; n < size; n += 1) {
      const task = { runMs: flood.between(50, 200) * clock.scale };
      submit(() => platform.submit({ agent, task }));
    }
  });
  if (!isLoaded(options, "scheduler")) return [pump, floods];
  const burst = seededRandom(options.seed, "bursts");
  const everyBurst = () => burst.between(0.5, 1.5) * Math.max(8_000, (4_000 * BURST_SIZE) / options.rate);
  const bursts = repeat(churn, everyBurst, async () => {
    counts.bursts += 1;
    for (let n = 0; n < BURST_SIZE; n += 1) {
      const [{ name: agent }, task] = [burst.one(agents), { runMs: burst.between(50, 500) * clock.scale }];
      submit(() => platform.runSchedule({ agent, task }));
    }
  });
  return [pump, floods, bursts];
}
