/** When the pull workers of each agent last asked for work. */
import type { Redis } from "@upstash/redis";
import type { PullPolls, Reading } from "../../facts/facts.ts";
import type { ReadContext } from "../source.ts";
import { parseDrainTick, resultOf } from "./answers.ts";
import { POLL_PREFIX } from "./keys.ts";
import { bytesOf, type Commands, sendInChunks } from "./requests.ts";

/** Reads what the agent's key holds. Anything but an instant is null: then it is not known when they asked. */
const pollCommands = (agent: string, now: () => number, polls: Map<string, number | null>): Commands => ({
  cost: 1,
  bytes: bytesOf(agent) + 30,
  addTo: (pipeline) => void pipeline.get(POLL_PREFIX + agent),
  take([answer]) {
    try {
      polls.set(agent, parseDrainTick(resultOf(answer!), now() / 1000).atSeconds);
    } catch {
      polls.set(agent, null);
    }
  },
  fail: () => void polls.set(agent, null),
});

/** @param polled the agents that have such a key */
export async function readPolls(
  redis: Redis,
  polled: readonly string[],
  { now }: Pick<ReadContext, "now">,
): Promise<Reading<PullPolls>> {
  const fromMs = now();
  const polls = new Map<string, number | null>();
  await sendInChunks(
    () => redis.pipeline(),
    polled.map((agent) => pollCommands(agent, now, polls)),
  );
  return { read: true, value: polls, time: { fromMs, toMs: now() } };
}
