import type { FinishedRow, ReadingTime, RowName } from "../facts/facts.ts";
import { isRowsInstant } from "../facts/trust.ts";
import { plural } from "../text.ts";
import { DAY_MS } from "../time.ts";
import { docker, remark, sql } from "./commands.ts";
import { type Finding, invariant } from "./invariant.ts";
import { BACKEND, containerOf, SCHEDULER } from "./platform-commands.ts";
import { isNamed, nameAgents, partsOf } from "./rules.ts";

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
  impact:
    "Durations are negative, and the clocks that timeouts, leases and slots are measured by can't be trusted: it can wait for the morning.",
  runbook:
    "Compare the clocks of the backend, the scheduler and the workers (NTP). Where they agree, look for a writer that sets the start again after the end, or writes local time.",
  safe: "No run is touched: a clock is set slowly by NTP. A jump backwards would make live runs look younger than they are.",
  example: {
    agent_name: "<agent>",
    execution_id: "<execution>",
    status: "success",
    started_at: "<started_at>",
    completed_at: "<completed_at>",
    skew_seconds: 15,
  },
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
    `${plural(findings.length, "run ended before it", "runs ended before they")} started across ${nameAgents(findings)}`,
  explain: ({ agent_name, execution_id, status, skew_seconds }) =>
    `${agent_name}/${execution_id}: ${status}, ended ${skew_seconds} s before it started`,

  verify: ({ agent_name: agent, execution_id: id }) => [
    sql`SELECT id, status, triggered_by, started_at, completed_at, duration_ms FROM schedule_executions
WHERE id = ${id} AND agent_name = ${agent}`,
    docker("exec", BACKEND, "date", "-u"),
    docker("exec", SCHEDULER, "date", "-u"),
    docker("exec", containerOf(agent), "date", "-u"),
  ],
  fix: () => [remark("no command: let NTP set the clock that is wrong. The row is looked at for one hour")],
});
