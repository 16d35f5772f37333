import { DATABASE_FACTS, isRosterUnproven, type RosterDoubt, rosterDoubt } from "../facts/trust.ts";
import { plural } from "../text.ts";
import { formatInstant } from "../time.ts";
import { docker, redis, remark, shell, sql } from "./commands.ts";
import { type Finding, invariant } from "./invariant.ts";
import { DOCTOR } from "./platform-commands.ts";
import { secondsBetween } from "./rules.ts";

interface Observed {
  reason: RosterDoubt["reason"];
  blind_since: string;
  known_agent_count: number;
  evidence_agent_count: number;
  evidence_sample: readonly string[];
  /** Null where the source was left out on purpose, as below. */
  docker_available: boolean | null;
  redis_available: boolean | null;
}

const SUBJECT = "roster";
const SAMPLES = 10;
/** A roster that is being restored is empty for some seconds. */
const HOLD_SECONDS = 60;

const isAvailable = (reading: { readonly read: boolean; readonly off?: true }): boolean | null =>
  reading.read ? true : reading.off ? null : false;

export const rosterBlindness = invariant({
  id: "H-01",
  title: "Roster blindness",
  tier: "A",
  severity: "critical",
  impact:
    "Nothing is checked while it lasts, and what asks the platform for its agents gets none: get up where agents are meant to run.",
  runbook:
    "See that the canary reads the platform's own database and that its table of agents has rows. If it has none although agents run, restore it before anything deletes what seems to belong to nobody. Where the last agent was deleted on purpose and no Docker is read, it ends with the next agent.",
  safe: "A setting of the canary touches no run. Stop the platform's clean-up before the roster is restored, so that it deletes nothing meanwhile; runs go on.",
  example: {
    reason: "roster_empty_contradicted",
    blind_since: "2026-05-18T10:30:00.000Z",
    known_agent_count: 0,
    evidence_agent_count: 1,
    evidence_sample: ["<agent>"],
    docker_available: true,
    redis_available: true,
  },
  reads: ["rosterDoubtSince"],
  optional: ["roster", "slots", "containers"],
  offWith: ["roster"],
  confirm: false,
  discredits: { facts: DATABASE_FACTS, because: "the roster of agents is empty or can't be read" },

  check({ rosterDoubtSince }, { times, readings }) {
    const doubt = rosterDoubt(readings);
    if (typeof doubt === "string") return doubt;
    if (doubt === null)
      return {
        subjects: [SUBJECT],
        unseen: [],
        findings: [],
        ...(isRosterUnproven(readings) && { isUndecided: true }),
      };
    const nowMs = times.rosterDoubtSince.fromMs;
    const sinceMs = rosterDoubtSince ?? nowMs;
    const heldSeconds = secondsBetween(sinceMs, nowMs);
    if (heldSeconds < HOLD_SECONDS)
      return {
        subjects: [],
        unseen: [],
        unlisted: `${doubt.reason}: it counts once it has lasted for ${HOLD_SECONDS} s, so far ${heldSeconds} s`,
        findings: [],
        isInDoubt: true,
      };
    const { reason, agents, isContradictedByDocker } = doubt;
    const finding: Finding<Observed> = {
      subject: SUBJECT,
      keys: [SUBJECT],
      severity: isContradictedByDocker ? "critical" : "major",
      observed: {
        reason,
        blind_since: formatInstant(sinceMs),
        known_agent_count: 0,
        evidence_agent_count: agents.length,
        evidence_sample: agents.slice(0, SAMPLES),
        docker_available: isAvailable(readings.containers),
        redis_available: isAvailable(readings.slots),
      },
      signalQuery: `agent roster read returned 0 agents (${reason}); independent sources report ${agents.length} live agent(s)`,
    };
    return { subjects: [SUBJECT], unseen: [], findings: [finding] };
  },

  summarize: ([finding]) =>
    `the roster has no agents that can be read (${finding?.observed.reason}), other sources name ${finding?.observed.evidence_agent_count ?? 0}`,
  explain: ({ reason, blind_since, evidence_agent_count, evidence_sample }) =>
    `${reason} since ${blind_since}; ${plural(evidence_agent_count, "agent")} by Docker and Redis: ${evidence_sample.join(", ") || "none"}`,

  verify: () => [
    shell(...DOCTOR),
    sql`SELECT COUNT(*) AS agents FROM agent_ownership`,
    docker("ps", "--filter", "label=trinity.platform=agent", "--format", "{{.Names}}"),
    redis("--scan", "--pattern", "agent:slots:*"),
  ],
  fix: () => [
    remark(
      "no command: point the canary, by LIBSQL_URL or DATABASE_URL, at the database of the platform, or restore agent_ownership from a backup",
    ),
    shell(...DOCTOR),
  ],
});
