import { plural } from "../text.ts";
import { REDIS_SLOTS, removeGhost, verifyGhost } from "./ghosts.ts";
import { type Finding, invariant } from "./invariant.ts";
import { nameSubjects, UNREADABLE_AGENT, unreadSlotCount, unreadSlotKeys } from "./rules.ts";

interface Observed {
  ghost_agent_name: string;
  orphan_count: number;
  redis_slot_count: number;
  tables_hit: string[];
  sample_refs: readonly { table: string; column: string; row_id: string }[];
}

/** A ghost that still runs or holds capacity is worse than one that left a tag behind. */
const CRITICAL_TABLES: ReadonlySet<string> = new Set(["schedule_executions", REDIS_SLOTS]);

export const deleteCascades = invariant({
  id: "L-03",
  title: "Delete cascades",
  tier: "A",
  severity: "critical",
  impact:
    "What a deleted agent left behind keeps its keys, runs and capacity, and the next agent of that name inherits them: get up where runs or slots are left, the rest can wait for the morning.",
  runbook:
    "Make sure that the agent is gone, then remove what it left; then find the table that the platform's delete passes over.",
  safe: "Nothing is removed where the name is on the roster again. A run of the deleted agent that is still alive goes on in its container until that is removed, and what it answers is dropped.",
  example: {
    ghost_agent_name: "<agent>",
    orphan_count: 2,
    redis_slot_count: 1,
    tables_hit: ["agent_tags", REDIS_SLOTS, "schedule_executions"],
    sample_refs: [{ table: "agent_tags", column: "agent_name", row_id: "agent_name=<agent>, tag=<tag>" }],
  },
  reads: ["roster", "orphans", "slots"],
  confirm: true,

  check({ roster, orphans, slots }, { unlisted }) {
    if (unlisted.roster !== undefined) return `${unlisted.roster}: a ghost may be that agent`;
    if (roster.size === 0) return "the roster is empty: every row would be an orphan";
    const isGhost = (agent: string) => !roster.has(agent);
    const slotCounts = new Map<string, number>();
    for (const agent of [...slots.byAgent.keys(), ...slots.unread.keys()]) {
      const count = (slots.byAgent.get(agent)?.length ?? 0) + unreadSlotCount(slots, agent);
      if (isGhost(agent) && count > 0) slotCounts.set(agent, count);
    }
    const names = new Set([...[...orphans.ghosts.keys()].filter(isGhost), ...slotCounts.keys()]);

    const findings: Finding<Observed>[] = [...names].map((ghost) => {
      const rows = orphans.ghosts.get(ghost);
      const orphanCount = [...(rows?.rowsByTable.values() ?? [])].reduce((sum, n) => sum + n, 0);
      const redisSlotCount = slotCounts.get(ghost) ?? 0;
      const tablesHit = [
        ...(rows?.rowsByTable.keys() ?? []),
        ...(redisSlotCount > 0 ? [REDIS_SLOTS] : []),
      ].sort();
      return {
        subject: ghost,
        keys: [ghost],
        severity: tablesHit.some((table) => CRITICAL_TABLES.has(table)) ? "critical" : "major",
        observed: {
          ghost_agent_name: ghost,
          orphan_count: orphanCount,
          redis_slot_count: redisSlotCount,
          tables_hit: tablesHit,
          sample_refs: (rows?.samples ?? []).map(({ table, column, rowId }) => ({
            table,
            column,
            row_id: rowId,
          })),
        },
        signalQuery: `agent_name '${ghost}' referenced by ${orphanCount} SQL row(s) and ${redisSlotCount} Redis slot(s) but absent from agent_ownership`,
      };
    });
    return {
      subjects: [...roster.keys(), ...names],
      unseen: [
        ...[...slots.unseenAgents].filter(isGhost).map((subject) => ({ subject })),
        ...unreadSlotKeys(slots),
        ...orphans.tablesWithUnreadable.map((table) => ({ subject: UNREADABLE_AGENT, key: table })),
      ],
      findings,
      ...(orphans.unseenTables.length > 0 && {
        unlisted: `not searched: ${orphans.unseenTables.join(", ")}`,
      }),
    };
  },

  summarize(findings) {
    const rows = findings.reduce((n, f) => n + f.observed.orphan_count, 0);
    const slots = findings.reduce((n, f) => n + f.observed.redis_slot_count, 0);
    return `${plural(rows, "row")} and ${plural(slots, "slot")} of ${plural(findings.length, "agent that does", "agents that do")} not exist: ${nameSubjects(findings)}`;
  },
  size: ({ orphan_count, redis_slot_count }) => orphan_count + redis_slot_count,

  explain: ({ ghost_agent_name, orphan_count, redis_slot_count, tables_hit }) =>
    `${ghost_agent_name}: ${plural(orphan_count, "row")} and ${plural(redis_slot_count, "slot")} in ${tables_hit.join(", ")}`,

  verify: ({ ghost_agent_name: ghost, tables_hit }) => verifyGhost(ghost, tables_hit),
  fix: ({ ghost_agent_name: ghost, tables_hit }) => removeGhost(ghost, tables_hit),
});
