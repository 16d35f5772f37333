import type { RowName } from "../facts/facts.ts";
import { plural } from "../text.ts";
import { NOW, sql } from "./commands.ts";
import { type Finding, invariant } from "./invariant.ts";
import { showRows } from "./platform-commands.ts";
import { isNamed, nameAgents, partsOf, SLOT_TTL_BUFFER_SECONDS } from "./rules.ts";

interface Observed {
  agent_name: string;
  execution_id: string;
  status: string;
  started_at: string | null;
  completed_at: null;
}

/** The platform's own timeout, for a roster without one that can be read. */
const USUAL_TIMEOUT_SECONDS = 3600;

export const completedRowsArePopulated = invariant({
  id: "E-03",
  title: "Completed rows are populated",
  tier: "A",
  severity: "major",
  impact:
    "The run is missing in durations, reports and clean-up, and some writer of the platform ends runs without the shared code: no run is harmed, so it can wait for the morning.",
  runbook:
    "Find the writer that ended the row (its status, and the platform's log at that time) and let it set the end together with the status. It goes by itself once the row is older than the longest timeout on the roster and five minutes.",
  safe: "Only the time of the end is written, and only where there is none: no run is touched. It says when it was fixed, not when the run ended.",
  example: {
    agent_name: "<agent>",
    execution_id: "<execution>",
    status: "failed",
    started_at: "<started_at>",
    completed_at: null,
  },
  reads: ["roster", "endedWithoutTime"],
  // The platform writes status and completed_at in one statement, and both were read in one transaction: no start or end
  // that is under way looks like this. Our clock only decides how far back rows are looked at.
  confirm: false,

  check({ roster, endedWithoutTime }, { times }) {
    // A timeout that can't be read does not widen the window: each row is in it while it is young.
    const timeouts = [...roster.values()].flatMap((agent) => agent.executionTimeoutSeconds ?? []);
    const longestSeconds = timeouts.length > 0 ? Math.max(...new Set(timeouts)) : USUAL_TIMEOUT_SECONDS;
    const fromMs = times.endedWithoutTime.fromMs - (longestSeconds + SLOT_TTL_BUFFER_SECONDS) * 1000;
    const unread: RowName[] = [];
    const findings: Finding<Observed>[] = [];
    for (const row of endedWithoutTime) {
      if (row.startedAtMs !== null && row.startedAtMs < fromMs) continue;
      if (row.startedAtMs === null || !isNamed(row)) {
        unread.push(row);
        continue;
      }
      const { id, agent, status, startedAt } = row;
      findings.push({
        subject: agent,
        keys: [id],
        observed: {
          agent_name: agent,
          execution_id: id,
          status,
          started_at: startedAt,
          completed_at: null,
        },
        signalQuery: `schedule_executions row ${id} (agent=${agent}) status='${status}' has completed_at IS NULL`,
      });
    }
    const subjects = [...roster.keys(), ...findings.map(({ subject }) => subject)];
    return { subjects, unseen: partsOf(unread), findings };
  },

  summarize: (findings) =>
    `${plural(findings.length, "ended run")} without completed_at across ${nameAgents(findings)}`,
  explain: ({ agent_name, execution_id, status, started_at }) =>
    `${agent_name}/${execution_id}: ${status}, started at ${started_at}, without completed_at`,

  verify: ({ agent_name: agent, execution_id: id }) => [showRows(agent, [id])],
  fix: ({ agent_name: agent, execution_id: id, status }) => [
    sql`UPDATE schedule_executions SET completed_at = ${NOW}
WHERE id = ${id} AND agent_name = ${agent} AND status = ${status} AND completed_at IS NULL RETURNING id, completed_at`,
  ],
});
