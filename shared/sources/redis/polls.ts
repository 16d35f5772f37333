/** When the pull workers of each agent last asked for work. */
import type { Redis } from "@upstash/redis";
import type { PullPolls, Reading } from "../../facts/facts.ts";
import type { ReadContext } from "../source.ts";
import { parseDrainTick, resultOf, stringsOf } from "./answers.ts";
import { POLL_PREFIX } from "./keys.ts";
import { bytesOf, type Commands, type RedisAnswer, sendInChunks } from "./requests.ts";
import { byScriptOr, runScript, type ServerKnown } from "./scripts.ts";

/** What the key holds. Anything but an instant is null: then it is not known when they asked. */
function instantIn(answer: RedisAnswer, nowMs: number): number | null {
  try {
    return parseDrainTick(resultOf(answer), nowMs / 1000).atSeconds;
  } catch {
    return null;
  }
}

const pollCommands = (agent: string, take: (agent: string, answer: RedisAnswer) => void): Commands => ({
  cost: 1,
  bytes: bytesOf(agent) + 30,
  addTo: (pipeline) => void pipeline.get(POLL_PREFIX + agent),
  take: ([answer]) => take(agent, answer!),
  fail: ({ message }) => take(agent, { error: message, result: null }),
});

/** How many keys one script reads: Redis gives each in 1 to 2 µs of a busy machine. */
const MAX_KEYS = 1_000;
/** Of a text that is no instant only the beginning is needed. */
const SCRIPT = `
local out = {}
for i, key in ipairs(KEYS) do
  local value = redis.pcall('GET', key)
  out[i] = type(value) == 'string' and string.sub(value, 1, 100) or ''
end
return out
`;

/** Reads all keys by scripts. @throws ScriptRefused where the server runs none */
async function readByScript(
  redis: Redis,
  polled: readonly string[],
  take: (agent: string, answer: RedisAnswer) => void,
): Promise<void> {
  for (let from = 0; from < polled.length; from += MAX_KEYS) {
    const agents = polled.slice(from, from + MAX_KEYS);
    const values = stringsOf(
      await runScript(
        redis,
        SCRIPT,
        agents.map((agent) => POLL_PREFIX + agent),
        [],
      ),
    );
    for (const [i, agent] of agents.entries()) take(agent, { result: values[i] });
  }
}

/**
 * @param polled the agents that have such a key
 * @param known of the server
 */
export async function readPolls(
  redis: Redis,
  polled: readonly string[],
  { now }: Pick<ReadContext, "now">,
  known: ServerKnown,
): Promise<Reading<PullPolls>> {
  const fromMs = now();
  const polls = new Map<string, number | null>();
  const take = (agent: string, answer: RedisAnswer) => void polls.set(agent, instantIn(answer, now()));
  await byScriptOr(
    known,
    () => readByScript(redis, polled, take),
    () =>
      sendInChunks(
        () => redis.pipeline(),
        polled.map((agent) => pollCommands(agent, take)),
      ),
  );
  return { read: true, value: polls, time: { fromMs, toMs: now() } };
}
