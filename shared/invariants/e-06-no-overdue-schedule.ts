import type { RowName } from "../facts/facts.ts";
import { plural } from "../text.ts";
import { api, docker, noted, sql } from "./commands.ts";
import { type Finding, invariant } from "./invariant.ts";
import { SCHEDULER } from "./platform-commands.ts";
import { isNamed, nameAgents, namesOf, partsOf, secondsBetween } from "./rules.ts";

interface Observed {
  agent_name: string;
  schedule_id: string;
  next_run_at: string | null;
  overdue_seconds: number;
  misfire_grace_seconds: number;
}

/** The platform's scheduler runs a missed run until it is this late. */
const MISFIRE_GRACE_SECONDS = 3600;

export const noOverdueSchedule = invariant({
  id: "E-06",
  title: "No overdue schedule",
  tier: "B",
  severity: "major",
  impact:
    "A schedule has stopped and nobody is told: what it does (reports, polls, clean-ups) does not happen, so get up if many schedules are overdue, which means that the scheduler is dead.",
  runbook:
    "See whether the scheduler runs and whether its log names the schedule. Disable and enable the schedule to plan it again; restart the scheduler where many are overdue.",
  safe: "A run of the schedule that is alive goes on. Enabling plans the next run, and the missed ones are not made up; a restart of the scheduler leaves runs that it has handed over alone.",
  example: {
    agent_name: "<agent>",
    schedule_id: "<schedule>",
    next_run_at: "<next_run_at>",
    overdue_seconds: 7200,
    misfire_grace_seconds: MISFIRE_GRACE_SECONDS,
  },
  reads: ["roster", "schedules"],
  // The scheduler's time is compared with our clock, which may have been set.
  confirm: true,

  check({ roster, schedules }, { times }) {
    const unread: RowName[] = [];
    const findings: Finding<Observed>[] = [];
    for (const row of schedules) {
      const { id, agent, nextRunAt, nextRunAtMs } = row;
      const owner = agent === null ? undefined : roster.get(agent);
      // A deleted agent's schedules are kept on purpose; those of an agent that is not on the roster are L-03's.
      if (agent !== null && (owner === undefined || owner.isDeleted)) continue;
      const overdueSeconds =
        nextRunAtMs === null ? null : secondsBetween(nextRunAtMs, times.schedules.fromMs);
      if (overdueSeconds !== null && overdueSeconds <= MISFIRE_GRACE_SECONDS) continue;
      if (overdueSeconds === null || !isNamed(row)) {
        unread.push({ id, agent });
        continue;
      }
      findings.push({
        subject: row.agent,
        keys: [row.id],
        observed: {
          agent_name: row.agent,
          schedule_id: row.id,
          next_run_at: nextRunAt,
          overdue_seconds: overdueSeconds,
          misfire_grace_seconds: MISFIRE_GRACE_SECONDS,
        },
        signalQuery: `agent_schedules row ${row.id} (agent=${row.agent}) enabled with next_run_at=${nextRunAt} overdue ${overdueSeconds}s > grace ${MISFIRE_GRACE_SECONDS}s`,
      });
    }
    return { subjects: namesOf(roster), unseen: partsOf(unread), findings };
  },

  summarize: (findings) => `${plural(findings.length, "overdue schedule")} across ${nameAgents(findings)}`,
  explain: ({ agent_name, schedule_id, next_run_at, overdue_seconds }) =>
    `${agent_name}/${schedule_id}: was due at ${next_run_at}, ${overdue_seconds} s ago`,

  verify: ({ agent_name: agent, schedule_id: id }) => [
    sql`SELECT id, enabled, next_run_at, last_run_at FROM agent_schedules WHERE id = ${id} AND agent_name = ${agent}`,
    sql`SELECT id, agent_name, next_run_at FROM agent_schedules WHERE enabled = 1 AND next_run_at IS NOT NULL ORDER BY next_run_at LIMIT 20`,
    api("GET", ["agents", agent, "schedules"]),
    docker("logs", "--since", "2h", "--tail", "100", SCHEDULER),
  ],
  fix: ({ agent_name: agent, schedule_id: id }) => [
    api("PUT", ["agents", agent, "schedules", id], { enabled: false }),
    api("PUT", ["agents", agent, "schedules", id], { enabled: true }),
    noted("only where many schedules are overdue", docker("restart", SCHEDULER)),
  ],
});
