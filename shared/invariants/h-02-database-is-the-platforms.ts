import type { Executions, Reading, ReadingTime, Slots } from "../facts/facts.ts";
import {
  DATABASE_FACTS,
  type HeldSlot,
  isRowsInstant,
  newestOfSlots,
  slotsOfThePlatform,
} from "../facts/trust.ts";
import { plural } from "../text.ts";
import { formatInstant } from "../time.ts";
import { remark, shell } from "./commands.ts";
import { type Finding, invariant } from "./invariant.ts";
import { DOCTOR, newestOfAgent, samplesOf } from "./platform-commands.ts";
import { sampleOf } from "./rules.ts";

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
const LEAST_SLOTS = 3;
const LEAST_AGENTS = 2;
/** A slot that leaked is as old as the row of its run. A newer one had no row here. */
const BEHIND_SECONDS = 300;

export const databaseIsThePlatforms = invariant({
  id: "H-02",
  title: "The database is the platform's",
  tier: "A",
  severity: "critical",
  impact:
    "The canary reads a database that the platform does not write: no run is harmed by that, and whatever breaks meanwhile goes unseen, so fix it today.",
  runbook:
    "Compare the database in the canary's settings with the one that the platform itself uses. After a migration, point the canary to the new one.",
  safe: "Only a setting of the canary changes: no run is touched.",
  example: {
    slot_count: 3,
    agent_count: 2,
    newest_slot_at: "2026-05-18T12:00:00.000Z",
    newest_row_at: "2026-05-18T10:30:00.000Z",
    behind_seconds: 5400,
    sample: ["<agent>/<execution>"],
  },
  reads: ["roster", "executions", "newestStart", "finishedRuns", "slots"],
  optional: ["newestSlotSeen"],
  confirm: true,
  discredits: { facts: DATABASE_FACTS, because: "the database is not the one that the platform writes" },

  check({ roster, executions, newestStart, finishedRuns, slots }, { times, readings }) {
    if (roster.size === 0) return "the roster is empty: H-01 judges that";
    const liveIds = new Set([...executions.live, ...executions.unreadable].map(({ id }) => id));
    const held = slotsOfThePlatform(slots, times.slots);
    const strange = held.filter(({ id }) => !liveIds.has(id) && finishedRuns.statusOf(id) === undefined);
    const agents = new Set(strange.map(({ agent }) => agent));
    const newestSlotMs = newestOfSlots(strange);
    const newestRowMs = newestOf(executions, newestStart, times.executions);
    const isBehind = (slotMs: number) => Math.floor((slotMs - newestRowMs) / 1000) > BEHIND_SECONDS;
    if (strange.length < LEAST_SLOTS || agents.size < LEAST_AGENTS || !isBehind(newestSlotMs)) {
      const hidden = hiddenAgents(slots, agents);
      const mayBeRed = hidden > 0 && agents.size + hidden >= LEAST_AGENTS && isBehind(times.slots.toMs);
      const seenMs = newestSeen(held, readings.newestSlotSeen);
      const isProven = Number.isFinite(seenMs) && Number.isFinite(newestRowMs) && !isBehind(seenMs);
      return {
        subjects: [SUBJECT],
        unseen: [],
        findings: [],
        ...(!isProven && { isUndecided: true }),
        ...(mayBeRed && { unlisted: `slots of ${plural(hidden, "agent")} were not read` }),
      };
    }
    return {
      subjects: [SUBJECT],
      unseen: [],
      findings: [findingOf(strange, agents.size, newestSlotMs, newestRowMs)],
    };
  },

  summarize: ([finding]) =>
    `slots come and rows don't: ${plural(finding?.observed.slot_count ?? 0, "slot")} of ${plural(finding?.observed.agent_count ?? 0, "agent")} without a row in this database`,
  explain: ({ slot_count, agent_count, newest_slot_at, newest_row_at, sample }) =>
    `${plural(slot_count, "slot")} of ${plural(agent_count, "agent")} without a row in this database; newest slot ${newest_slot_at}, newest row ${newest_row_at ?? "none"}: ${sample.join(", ")}`,

  verify: ({ sample }) => [shell(...DOCTOR), ...samplesOf(sample).flatMap(newestOfAgent)],
  fix: () => [
    remark(
      "no command: point the canary, by LIBSQL_URL or DATABASE_URL, at the database that the platform writes",
    ),
    shell(...DOCTOR),
  ],
});

/**
 * When the newest slot was acquired that this cycle or an earlier one has seen. While few slots are held, what was seen
 * earlier says whether rows have come since.
 */
const newestSeen = (held: readonly HeldSlot[], remembered: Reading<number | null>): number =>
  Math.max(newestOfSlots(held), (remembered.read ? remembered.value : null) ?? -Infinity);

/** When the newest row began, -Infinity where there is none. A time that can't be right does not count. */
const newestOf = ({ live }: Executions, newestStart: number | null, time: ReadingTime): number =>
  live.reduce(
    (newest, { startedAtMs }) =>
      startedAtMs !== null && isRowsInstant(startedAtMs, time) ? Math.max(newest, startedAtMs) : newest,
    newestStart ?? -Infinity,
  );

/** Counts the agents beside these that may hold slots without a row: not all of their slots were read. */
function hiddenAgents({ unseenAgents, unread, unreadKeys }: Slots, seen: ReadonlySet<string>): number {
  const named = new Set([...unseenAgents, ...unread.keys()]);
  return [...named].filter((agent) => !seen.has(agent)).length + unreadKeys.length;
}

function findingOf(
  strange: readonly HeldSlot[],
  agentCount: number,
  newestSlotMs: number,
  newestRowMs: number,
): Finding<Observed> {
  const hasRow = Number.isFinite(newestRowMs);
  const behindSeconds = Math.floor((newestSlotMs - newestRowMs) / 1000);
  const newest = formatInstant(newestSlotMs);
  const behind = hasRow
    ? ` is ${behindSeconds}s after the newest row ${formatInstant(newestRowMs)}`
    : "; there is no row";
  return {
    subject: SUBJECT,
    keys: [SUBJECT],
    observed: {
      slot_count: strange.length,
      agent_count: agentCount,
      newest_slot_at: newest,
      newest_row_at: hasRow ? formatInstant(newestRowMs) : null,
      behind_seconds: hasRow ? behindSeconds : null,
      sample: sampleOf(strange),
    },
    signalQuery: `${strange.length} slot(s) of ${agentCount} agent(s) without a row; newest slot ${newest}${behind}`,
  };
}
