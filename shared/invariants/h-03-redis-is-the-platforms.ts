import { REDIS_FACTS } from "../facts/trust.ts";
import { plural } from "../text.ts";
import { redis, remark, shell } from "./commands.ts";
import { type Finding, invariant } from "./invariant.ts";
import { DOCTOR, samplesOf, showRows } from "./platform-commands.ts";
import { sampleOf, UNREADABLE_ID } from "./rules.ts";

interface Observed {
  running_row_count: number;
  agent_count: number;
  sample: readonly string[];
}

const SUBJECT = "redis";
const LEAST_AGENTS = 2;

export const redisIsThePlatforms = invariant({
  id: "H-03",
  title: "Redis is the platform's",
  tier: "A",
  severity: "critical",
  impact:
    "Either the canary reads another Redis, or the platform's was flushed and every running task is outside of its agent's cap until it ends: get up if it was flushed.",
  runbook:
    "Compare the Redis in the canary's settings, and the number of its database, with the one that the platform uses. If it is the same, somebody flushed it: the platform has lost its slots.",
  safe: "Only a setting of the canary changes: no run is touched. Of a Redis that was flushed, runs go on without their slots, and new ones get slots as usual.",
  example: { running_row_count: 2, agent_count: 2, sample: ["<agent>/<execution>"] },
  reads: ["executions", "platformKeys"],
  confirm: true,
  discredits: { facts: REDIS_FACTS, because: "Redis is not the one that the platform writes" },

  check({ executions, platformKeys: { hasSlotKey, hasHeartbeat } }) {
    const healthy = { subjects: [SUBJECT], unseen: [], findings: [] };
    if (hasSlotKey || hasHeartbeat) return healthy;
    // A run whose id can't be read is one of its agent all the same.
    const rows = [...executions.live, ...executions.unreadable.filter(({ agent }) => agent !== null)];
    const running = rows.filter(({ status, lease }) => status === "running" && lease === null);
    if (running.some(({ hasSession }) => hasSession === null)) return "column claude_session_id is missing";
    const dispatched = running
      .filter(({ hasSession }) => hasSession)
      .map(({ id, agent }) => ({ id: id ?? UNREADABLE_ID, agent: agent! }));
    const agentCount = new Set(dispatched.map(({ agent }) => agent)).size;
    // Without a key, too few runs prove nothing: neither that it is the platform's nor that it is not.
    if (agentCount < LEAST_AGENTS) return { ...healthy, isUndecided: true };
    const finding: Finding<Observed> = {
      subject: SUBJECT,
      keys: [SUBJECT],
      observed: {
        running_row_count: dispatched.length,
        agent_count: agentCount,
        sample: sampleOf(dispatched),
      },
      signalQuery: `${dispatched.length} dispatched running row(s) of ${agentCount} agent(s), 0 slot keys, no canary:drain_tick_at`,
    };
    return { ...healthy, findings: [finding] };
  },

  summarize: ([finding]) =>
    `${plural(finding?.observed.running_row_count ?? 0, "dispatched run")} of ${plural(finding?.observed.agent_count ?? 0, "agent")}, and Redis has no key of the platform`,
  explain: ({ running_row_count, agent_count, sample }) =>
    `${plural(running_row_count, "dispatched run")} of ${plural(agent_count, "agent")} and no key of the platform in Redis: ${sample.join(", ")}`,

  verify: ({ sample }) => [
    shell(...DOCTOR),
    redis("DBSIZE"),
    redis("GET", "canary:drain_tick_at"),
    redis("--scan", "--pattern", "agent:slot*"),
    ...samplesOf(sample).map(({ agent, id }) => showRows(agent, [id])),
  ],
  fix: () => [
    remark(
      "no command: point UPSTASH_REDIS_REST_URL of the canary at the Redis of the platform. After a flush slots come back with new runs",
    ),
    shell(...DOCTOR),
  ],
});
