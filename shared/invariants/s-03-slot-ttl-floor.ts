import { isDrainSentinel } from "../facts/facts.ts";
import { type Finding, invariant } from "./invariant.ts";
import {
  countSubjects,
  hasUnseenSlots,
  isInFlight,
  nameSubjects,
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
  guards:
    "A slot whose hash is gone, never expires or lives too short is cleaned up too early or never: its capacity leaks.",
  runbook:
    "missing: if the execution is alive, its slot will be taken for stale, let it finish and find what gave it too short a life; if it has ended, release the slot. no_expiry: EXPIRE the hash to the floor. below_floor: compare the TTL that acquire sets with the execution's timeout.",
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
    return { subjects: roster.keys(), unseen, findings };
  },

  summarize(findings) {
    const kinds = (["missing", "no_expiry", "below_floor"] as const)
      .map((kind) => [kind, findings.filter((f) => f.observed.kind === kind).length] as const)
      .filter(([, n]) => n > 0)
      .map(([kind, n]) => `${n} ${kind}`);
    return `${findings.length} slot(s) with a wrong life (${kinds.join(", ")}) across ${countSubjects(findings)} agent(s): ${nameSubjects(findings)}`;
  },
  explain: ({ agent_name, execution_id, kind, redis_ttl_seconds, floor_seconds, floor_source }) =>
    `${agent_name}/${execution_id}: ${kind}, TTL ${redis_ttl_seconds} s, floor ${floor_seconds ?? "unknown"} s (from the ${floor_source})`,
});
