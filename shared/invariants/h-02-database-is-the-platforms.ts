import { isDrainSentinel } from "../facts/facts.ts";
import { DATABASE_FACTS } from "../facts/trust.ts";
import { formatInstant } from "../time.ts";
import { type Finding, invariant } from "./invariant.ts";

interface Observed {
  slot_count: number;
  agent_count: number;
  newest_slot_at: string;
  /** Null where the table has no row. */
  newest_row_at: string | null;
  behind_seconds: number | null;
  sample: readonly string[];
}

const SUBJECT = "database";
const SAMPLES = 10;
const LEAST_SLOTS = 3;
const LEAST_AGENTS = 2;
/** A slot that leaked is as old as the row of its run. A newer one had no row here. */
const BEHIND_SECONDS = 300;
/** A score further ahead of our clock is not an instant of the platform. */
const MAX_AHEAD_MS = 60_000;

export const databaseIsThePlatforms = invariant({
  id: "H-02",
  title: "The database is the platform's",
  tier: "A",
  severity: "critical",
  guards:
    "A file left over from a migration, a replica that stands still, or another installation's database: every check of it says nothing of the platform.",
  runbook:
    "Compare LIBSQL_URL with the database that the platform itself uses (its DATABASE_URL, or the file that it has open). After a migration, point the canary to the new one.",
  reads: ["roster", "executions", "newestStart", "finishedRuns", "slots"],
  confirm: true,
  discredits: { facts: DATABASE_FACTS, because: "the database is not the one that the platform writes" },

  check({ roster, executions, newestStart, finishedRuns, slots }, { times }) {
    if (roster.size === 0) return "the roster is empty: H-01 judges that";
    const liveIds = new Set(executions.live.map(({ id }) => id));
    const strange = [...slots.byAgent].flatMap(([agent, members]) =>
      members
        .filter(({ id, score }) => !isDrainSentinel(id) && score * 1000 <= times.slots.toMs + MAX_AHEAD_MS)
        .filter(({ id }) => !liveIds.has(id) && finishedRuns.statusOf(id) === undefined)
        .map(({ id, score }) => ({ agent, id, atMs: score * 1000 })),
    );
    const agentCount = new Set(strange.map(({ agent }) => agent)).size;
    const newestSlotMs = strange.reduce((newest, { atMs }) => Math.max(newest, atMs), -Infinity);
    const newestRowMs = executions.live.reduce(
      (newest, { startedAtMs }) => Math.max(newest, startedAtMs ?? newest),
      newestStart ?? -Infinity,
    );
    const behindSeconds = Math.floor((newestSlotMs - newestRowMs) / 1000);
    const isStrange =
      strange.length >= LEAST_SLOTS && agentCount >= LEAST_AGENTS && behindSeconds > BEHIND_SECONDS;
    if (!isStrange)
      return {
        subjects: [SUBJECT],
        unseen: [],
        findings: [],
        ...(slots.unseenAgents.size > 0 && { unlisted: `${slots.unseenAgents.size} agents' slots not read` }),
      };
    const hasRow = Number.isFinite(newestRowMs);
    const newest = formatInstant(newestSlotMs);
    const finding: Finding<Observed> = {
      subject: SUBJECT,
      keys: [SUBJECT],
      observed: {
        slot_count: strange.length,
        agent_count: agentCount,
        newest_slot_at: newest,
        newest_row_at: hasRow ? formatInstant(newestRowMs) : null,
        behind_seconds: hasRow ? behindSeconds : null,
        sample: strange.slice(0, SAMPLES).map(({ agent, id }) => `${agent}/${id}`),
      },
      signalQuery: `${strange.length} slot(s) of ${agentCount} agent(s) without a row; newest slot ${newest} is ${hasRow ? `${behindSeconds}s after the newest row ${formatInstant(newestRowMs)}` : "there, and no row at all"}`,
    };
    return { subjects: [SUBJECT], unseen: [], findings: [finding] };
  },

  summarize: ([finding]) =>
    `slots come and rows don't: ${finding?.observed.slot_count} slot(s) of ${finding?.observed.agent_count} agent(s) have no row in this database`,
  explain: ({ slot_count, agent_count, newest_slot_at, newest_row_at }) =>
    `${slot_count} slot(s) of ${agent_count} agent(s) without a row; newest slot ${newest_slot_at}, newest row ${newest_row_at ?? "none"}`,
});
