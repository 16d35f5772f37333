import { type Finding, invariant } from "./invariant.ts";
import { nameSubjects, UNREADABLE_AGENT, unreadSlotCount, unreadSlotKeys } from "./rules.ts";

interface Observed {
  ghost_agent_name: string;
  orphan_count: number;
  redis_slot_count: number;
  tables_hit: string[];
  sample_refs: readonly { table: string; column: string; row_id: string }[];
}

const REDIS_SLOTS = "redis:agent:slots";
/** A ghost that still runs or holds capacity is worse than one that left a tag behind. */
const CRITICAL_TABLES: ReadonlySet<string> = new Set(["schedule_executions", REDIS_SLOTS]);

export const deleteCascades = invariant({
  id: "L-03",
  title: "Delete cascades",
  tier: "A",
  severity: "critical",
  guards:
    "What a deleted agent leaves behind keeps running, keeps capacity, or is inherited by the next agent of its name.",
  runbook:
    "Delete the rows and keys of the ghost (sample_refs name some), then find the table that the agent's delete left out.",
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
    return `${rows} row(s) and ${slots} slot(s) of ${findings.length} agent(s) that do not exist: ${nameSubjects(findings)}`;
  },
  explain: ({ ghost_agent_name, orphan_count, redis_slot_count, tables_hit }) =>
    `${ghost_agent_name}: ${orphan_count} row(s) and ${redis_slot_count} slot(s) in ${tables_hit.join(", ")}`,
});
