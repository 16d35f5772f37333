import { isDrainSentinel } from "../facts/facts.ts";
import { plural } from "../text.ts";
import { noted, redis, remark } from "./commands.ts";
import { type Finding, invariant } from "./invariant.ts";
import { showRows } from "./platform-commands.ts";
import {
  hasUnseenSlots,
  isInFlight,
  nameAgents,
  namesOf,
  SLOT_TTL_BUFFER_SECONDS,
  unreadSlotKeys,
  unreadSlots,
} from "./rules.ts";

interface Observed {
  agent_name: string;
  execution_id: string;
  redis_ttl_seconds: number;
  /** Null where neither the slot nor the agent has one that can be read: what is gone is wrong all the same. */
  execution_timeout_seconds: number | null;
  slot_ttl_buffer_seconds: number;
  floor_seconds: number | null;
  kind: "missing" | "no_expiry" | "below_floor";
  floor_source: "slot" | "agent";
  initial_ttl_seconds?: number;
  age_seconds?: number;
}

/** Redis gives whole seconds, and score and EXPIRE are two commands. */
const TOLERANCE_SECONDS = 2;

/** A score that is none says nothing of a slot's age. */
const isInstant = (seconds: number): boolean => Math.abs(seconds) <= Number.MAX_SAFE_INTEGER;

export const slotTtlFloor = invariant({
  id: "S-03",
  title: "Slot TTL floor",
  tier: "A",
  severity: "critical",
  impact:
    "The slot is given back while its run is alive, so that the agent runs more than its cap, or never, so that a place is lost: it can wait for the morning unless many agents are hit.",
  runbook:
    "Where the slot's details are gone and the run has ended, give the slot back; where it is alive, let it finish. Where they never expire or expire too soon, set the life that they should have. Then find what gave them the wrong one.",
  safe: "A longer life harms no run. A slot that is given back under a live run lets the agent start one run more than its cap.",
  example: {
    agent_name: "<agent>",
    execution_id: "<execution>",
    redis_ttl_seconds: -2,
    execution_timeout_seconds: 3600,
    slot_ttl_buffer_seconds: SLOT_TTL_BUFFER_SECONDS,
    floor_seconds: 3900,
    kind: "missing",
    floor_source: "agent",
  },
  otherExamples: [
    {
      agent_name: "<agent>",
      execution_id: "<execution>",
      redis_ttl_seconds: -1,
      execution_timeout_seconds: 3600,
      slot_ttl_buffer_seconds: SLOT_TTL_BUFFER_SECONDS,
      floor_seconds: 3900,
      kind: "no_expiry",
      floor_source: "slot",
    },
    {
      agent_name: "<agent>",
      execution_id: "<execution>",
      redis_ttl_seconds: 30,
      execution_timeout_seconds: 3600,
      slot_ttl_buffer_seconds: SLOT_TTL_BUFFER_SECONDS,
      floor_seconds: 3900,
      kind: "below_floor",
      floor_source: "slot",
      initial_ttl_seconds: 60,
      age_seconds: 30,
    },
  ],
  reads: ["roster", "slots"],
  confirm: true,

  check({ roster, slots }, { times }) {
    const unseen = unreadSlotKeys(slots);
    const findings: Finding<Observed>[] = [];
    for (const [agent, { executionTimeoutSeconds: agentTimeout }] of roster) {
      if (hasUnseenSlots(slots, agent)) {
        unseen.push({ subject: agent });
        continue;
      }
      unseen.push(...unreadSlots(slots, agent, "(unreadable)"));
      for (const slot of slots.byAgent.get(agent) ?? []) {
        const { id, score, ttlSeconds, expiresAtSeconds, timeoutSeconds: slotTimeout } = slot;
        if (isDrainSentinel(id)) continue;
        const timeout = slotTimeout === null ? agentTimeout : Math.floor(slotTimeout);
        const floorSeconds = timeout === null ? null : timeout + SLOT_TTL_BUFFER_SECONDS;
        const isUnread =
          ttlSeconds === null || (ttlSeconds >= 0 && (floorSeconds === null || !isInstant(score)));
        if (isUnread) {
          unseen.push({ subject: agent, key: id });
          continue;
        }
        const kind = ttlSeconds === -2 ? "missing" : ttlSeconds === -1 ? "no_expiry" : "below_floor";
        // A TTL decays from the moment it is set: what is judged is the life that it was given. Where Redis says when it
        // expires, no clock of ours is part of it.
        const ageSeconds = Math.max(0, times.slots.toMs / 1000 - score);
        const initialTtlSeconds =
          expiresAtSeconds === null ? ttlSeconds + ageSeconds : expiresAtSeconds - score;
        if (kind === "below_floor" && initialTtlSeconds >= (floorSeconds ?? 0) - TOLERANCE_SECONDS) continue;
        if (kind !== "below_floor" && isInFlight(score * 1000, times.slots)) continue;
        findings.push({
          subject: agent,
          keys: [id],
          observed: {
            agent_name: agent,
            execution_id: id,
            redis_ttl_seconds: ttlSeconds,
            execution_timeout_seconds: timeout,
            slot_ttl_buffer_seconds: SLOT_TTL_BUFFER_SECONDS,
            floor_seconds: floorSeconds,
            kind,
            floor_source: slotTimeout === null ? "agent" : "slot",
            ...(kind === "below_floor" && {
              initial_ttl_seconds: Math.floor(initialTtlSeconds),
              age_seconds: Math.floor(ageSeconds),
            }),
          },
          signalQuery: `TTL(agent:slot:${agent}:${id}) = ${ttlSeconds} (${kind}); floor = ${floorSeconds === null ? "unknown" : `${floorSeconds}s`}`,
        });
      }
    }
    return { subjects: namesOf(roster), unseen, findings };
  },

  summarize(findings) {
    const kinds = (["missing", "no_expiry", "below_floor"] as const)
      .map((kind) => [kind, findings.filter((f) => f.observed.kind === kind).length] as const)
      .filter(([, n]) => n > 0)
      .map(([kind, n]) => `${n} ${kind}`);
    return `${plural(findings.length, "slot")} with a wrong life (${kinds.join(", ")}) across ${nameAgents(findings)}`;
  },
  explain: ({ agent_name, execution_id, kind, redis_ttl_seconds, floor_seconds, floor_source }) =>
    `${agent_name}/${execution_id}: ${kind}, TTL ${redis_ttl_seconds} s, floor ${floor_seconds ?? "unknown"} s (from the ${floor_source})`,

  verify: ({ agent_name: agent, execution_id: id }) => [
    redis("TTL", `agent:slot:${agent}:${id}`),
    redis("HGETALL", `agent:slot:${agent}:${id}`),
    redis("ZSCORE", `agent:slots:${agent}`, id),
    showRows(agent, [id]),
  ],
  fix: ({ agent_name: agent, execution_id: id, kind, floor_seconds: floor }) => {
    if (kind === "missing")
      return [noted("only where the run has ended", redis("ZREM", `agent:slots:${agent}`, id))];
    if (floor === null) return [remark("no command: the timeout of this run is not known")];
    // NX and GT: never shorter than what the platform has set meanwhile.
    const expire = (word: string) => redis("EXPIRE", `agent:slot:${agent}:${id}`, String(floor), word);
    return kind === "no_expiry"
      ? [noted("where it never expires", expire("NX"))]
      : [noted("where it expires too soon", expire("GT"))];
  },
});
