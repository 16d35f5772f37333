/** Chat turns beyond an agent's slots. */
import type { AgentSpec } from "../../platform/agents.ts";
import type { StartedTurn } from "../../platform/chat-turns.ts";
import { type Random, seededRandom } from "../random.ts";
import { CEILING, type Churn, holding, repeat } from "./churn.ts";

/** How many turns want to go on without a slot. Three may. */
const BEYOND = 4;
const FULL_MS = [4_000, 8_000] as const;
/** How long a turn without a slot lasts, as a share of those that fill the slots: some go on when slots are free again. */
const SHARE_BEYOND = [0.3, 2.5] as const;

/** Fills the agent's slots with turns, and starts some more. */
async function overflow({ harness, counts }: Churn, random: Random, agent: AgentSpec): Promise<void> {
  const { platform, clock } = harness;
  const fullMs = random.between(...FULL_MS) * clock.scale;
  const start = (count: number, runMs: number) =>
    Promise.all(Array.from({ length: count }, () => platform.chat({ agent: agent.name, task: { runMs } })));
  const filling = await start(agent.maxParallelTasks, fullMs);
  const beyond = await start(BEYOND, fullMs * random.between(...SHARE_BEYOND));
  const turns = [...filling, ...beyond].filter((turn): turn is StartedTurn => turn !== null);
  counts.chatTurns += turns.length;
  counts.turnsWithoutSlot += turns.filter(({ hasSlot }) => !hasSlot).length;
  await Promise.all(turns.map(({ ended }) => ended));
}

/**
 * Has more chat turns than slots on agents that get nothing else.
 */
export function overflowChats(churn: Churn): Promise<void>[] {
  const random = seededRandom(churn.options.seed, "chats");
  const every = () => random.between(2_000, 6_000);
  return churn.fleet.talkers.map((agent) =>
    repeat(churn, every, () =>
      // With a lower ceiling the slots would not be full by the agent's own.
      holding(churn, CEILING, () => holding(churn, agent.name, () => overflow(churn, random, agent))),
    ),
  );
}
