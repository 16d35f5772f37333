import type { FinishedRow, ReadingTime, RowName } from "../facts/facts.ts";
import { isRowsInstant } from "../facts/trust.ts";
import { DAY_MS } from "../time.ts";
import { type Finding, invariant } from "./invariant.ts";
import { countSubjects, isNamed, nameSubjects, partsOf } from "./rules.ts";

interface Observed {
  agent_name: string;
  execution_id: string;
  status: string;
  started_at: string | null;
  completed_at: string | null;
  skew_seconds: number;
}

/** How far back a run is looked at, by its start or its end: the wrong one of them can be hours away. */
const RECENT_MS = 3600_000;
/** Two processes write the two times, and their clocks differ a little. */
const TOLERANCE_MS = 1000;

/** Says whether the row is too old to be looked at. A start in ten years is no start, and does not keep its row new. */
function isLongAgo({ startedAtMs, completedAtMs }: FinishedRow, time: ReadingTime, fromMs: number): boolean {
  const start = startedAtMs !== null && isRowsInstant(startedAtMs, time) ? startedAtMs : null;
  // Without a readable end it ended a day after its start at the latest: no run takes longer.
  const latest = completedAtMs === null ? (start ?? Infinity) + DAY_MS : Math.max(completedAtMs, start ?? 0);
  return latest < fromMs;
}

export const clocksRunForward = invariant({
  id: "G-03",
  title: "Clocks run forward",
  tier: "A",
  severity: "minor",
  guards:
    "A run that ended before it started has a negative duration, and the clocks that date timeouts, leases and slots can't be trusted.",
  runbook:
    "Compare the clocks of the backend, the scheduler and the workers (NTP). Where they agree, look for a writer that sets started_at again after the end, or writes local time.",
  reads: ["roster", "endedBeforeStart"],
  // Both times are in one row, which has ended. Our clock only decides how far back rows are looked at.
  confirm: false,

  check({ roster, endedBeforeStart }, { times }) {
    const fromMs = times.endedBeforeStart.fromMs - RECENT_MS;
    const unread: RowName[] = [];
    const findings: Finding<Observed>[] = [];
    for (const row of endedBeforeStart) {
      const { startedAtMs, completedAtMs, status, startedAt, completedAt } = row;
      if (isLongAgo(row, times.endedBeforeStart, fromMs)) continue;
      const skewMs = startedAtMs === null || completedAtMs === null ? null : startedAtMs - completedAtMs;
      if (skewMs !== null && skewMs <= TOLERANCE_MS) continue;
      if (skewMs === null || !isNamed(row)) {
        unread.push(row);
        continue;
      }
      const { id, agent } = row;
      const skewSeconds = Math.floor(skewMs / 1000);
      findings.push({
        subject: agent,
        keys: [id],
        observed: {
          agent_name: agent,
          execution_id: id,
          status,
          started_at: startedAt,
          completed_at: completedAt,
          skew_seconds: skewSeconds,
        },
        signalQuery: `schedule_executions row ${id} (agent=${agent}) completed_at is ${skewSeconds}s before started_at`,
      });
    }
    const subjects = [...roster.keys(), ...findings.map(({ subject }) => subject)];
    return { subjects, unseen: partsOf(unread), findings };
  },

  summarize: (findings) =>
    `${findings.length} run(s) ended before they started across ${countSubjects(findings)} agent(s): ${nameSubjects(findings)}`,
  explain: ({ agent_name, execution_id, status, skew_seconds }) =>
    `${agent_name}/${execution_id}: ${status}, ended ${skew_seconds} s before it started`,
});
