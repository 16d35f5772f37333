import type { Unseen } from "../facts/coverage.ts";
import { plural } from "../text.ts";
import { docker, noted, sql } from "./commands.ts";
import { type Finding, invariant } from "./invariant.ts";
import { BACKEND, showLiveRows } from "./platform-commands.ts";
import { nameAgents, rowsByAgent } from "./rules.ts";

interface Observed {
  agent_name: string;
  service_count: number;
  snapshot_count: number;
  snapshot_queued_ids: string[];
}

export const queueStatusCoherence = invariant({
  id: "B-01",
  title: "Queue-status coherence",
  tier: "A",
  severity: "critical",
  impact:
    "The platform decides on the agent's queue by a wrong number, so that work is refused or started although it should not be: get up if agents starve or are flooded.",
  runbook:
    "Trust the rows. Look for a cache, or a changed filter, between the platform's count of the queue and its table, and drop or fix it.",
  safe: "A restart of the backend ends no run in an agent's container, but requests that wait for an answer are cut, and runs in the middle of a dispatch may fail.",
  example: {
    agent_name: "<agent>",
    service_count: 0,
    snapshot_count: 1,
    snapshot_queued_ids: ["<execution>"],
  },
  reads: ["roster", "executions", "queueCounts"],
  confirm: true,

  check({ roster, executions, queueCounts: { counts, absentIsZero, around } }) {
    // A row that can't be named is a row that counts.
    const rowsOf = rowsByAgent(executions);
    const isNameHidden = executions.unreadable.some((e) => e.agent === null && e.status === "queued");
    const unseen: Unseen[] = [];
    const findings: Finding<Observed>[] = [];
    const subjects = new Set([...roster.keys(), ...rowsOf.keys(), ...counts.keys()]);
    for (const agent of subjects) {
      const serviceCount = counts.get(agent) ?? (absentIsZero ? 0 : undefined);
      // The accessor may know by another spelling what can't be read here.
      const mayBeHidden = isNameHidden && !roster.has(agent) && !rowsOf.has(agent);
      if (serviceCount === undefined || mayBeHidden) {
        unseen.push({ subject: agent });
        continue;
      }
      const queued = (rowsOf.get(agent) ?? []).filter((e) => e.status === "queued");
      if (serviceCount === queued.length) continue;
      // On a busy queue the numbers are of different moments: only one outside what was counted around it is wrong.
      const counted = around?.map((side) => side.get(agent) ?? 0);
      if (counted && serviceCount >= Math.min(...counted) && serviceCount <= Math.max(...counted)) continue;
      findings.push({
        subject: agent,
        keys: [agent],
        observed: {
          agent_name: agent,
          service_count: serviceCount,
          snapshot_count: queued.length,
          snapshot_queued_ids: queued.flatMap((e) => e.id ?? []).sort(),
        },
        signalQuery: `db.get_queued_count('${agent}') = ${serviceCount} != |queued ids in snapshot| = ${queued.length}`,
      });
    }
    return { subjects, unseen, findings };
  },

  summarize: (findings) => `the queue accessor is wrong for ${nameAgents(findings)}`,
  size: ({ service_count, snapshot_count }) => Math.abs(service_count - snapshot_count),

  explain: ({ agent_name, service_count, snapshot_count, snapshot_queued_ids }) =>
    `${agent_name}: the accessor says ${service_count}, ${plural(snapshot_count, "row is", "rows are")} queued: ${snapshot_queued_ids.join(", ") || "none"}`,

  verify: ({ agent_name: agent }) => [
    noted(
      "compare with what get_queued_count says, or the answer at QUEUE_COUNTS_URL of the canary",
      sql`SELECT COUNT(*) AS queued FROM schedule_executions WHERE agent_name = ${agent} AND status = 'queued'`,
    ),
    showLiveRows(agent),
  ],
  fix: () => [
    noted("drops a cache in its memory, a changed filter needs a release", docker("restart", BACKEND)),
  ],
});
