import { REDIS_FACTS } from "../facts/trust.ts";
import { type Finding, invariant } from "./invariant.ts";
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
  guards:
    "Another Redis, another database number of it, or one that was flushed: every check of it says nothing of the platform.",
  runbook:
    "Compare UPSTASH_REDIS_REST_URL, and the database number behind it, with the Redis that the platform uses. If it is the same, somebody flushed it: the platform has lost its slots.",
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
    `${finding?.observed.running_row_count} run(s) of ${finding?.observed.agent_count} agent(s) are dispatched, and Redis has no key of the platform`,
  explain: ({ running_row_count, agent_count, sample }) =>
    `${running_row_count} dispatched run(s) of ${agent_count} agent(s) and no key of the platform in Redis: ${sample.join(", ")}`,
});
