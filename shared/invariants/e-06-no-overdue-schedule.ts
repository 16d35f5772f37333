import type { RowName } from "../facts/facts.ts";
import { type Finding, invariant } from "./invariant.ts";
import { countSubjects, isNamed, nameSubjects, partsOf, secondsBetween } from "./rules.ts";

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
  guards: "A schedule past its next run and the scheduler's grace has stopped, and nobody is told.",
  runbook:
    "See whether the scheduler's process runs and its log names the schedule. Disable and enable the schedule to plan it again; restart the scheduler where many are overdue.",
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
    return { subjects: roster.keys(), unseen: partsOf(unread), findings };
  },

  summarize: (findings) =>
    `${findings.length} overdue schedule(s) across ${countSubjects(findings)} agent(s): ${nameSubjects(findings)}`,
  explain: ({ agent_name, schedule_id, next_run_at, overdue_seconds }) =>
    `${agent_name}/${schedule_id}: was due at ${next_run_at}, ${overdue_seconds} s ago`,
});
