/** Writes and reads the schedules that a fault gives to a test agent. */
import { timestamp } from "../platform/clock.ts";
import { insertion, write } from "./rows.ts";
import { present, type Target } from "./target.ts";

export const SCHEDULES = "agent_schedules";

/** 29 February: a scheduler that takes the schedule up runs nothing during a drill. */
const HARDLY_EVER = "0 0 29 2 *";

export function schedulesOf(target: Target, agent: string) {
  const database = () => present(target.database);
  const scheduleIds = new Set<string>();
  const marks = () => [...scheduleIds].map(() => "?").join(", ");
  return {
    scheduleIds,
    async addSchedule(id: string, overdueSeconds: number): Promise<void> {
      scheduleIds.add(id);
      const nextRunAtMs = Date.now() - overdueSeconds * 1000;
      const statement = await insertion(database(), SCHEDULES, {
        id,
        agent_name: agent,
        name: "a fault of the canary's drill",
        cron_expression: HARDLY_EVER,
        message: "a fault of the canary's drill",
        enabled: 1,
        next_run_at: timestamp(nextRunAtMs),
        deleted_at: null,
      });
      await write(target, statement, () => [{ what: "schedule", agent, scheduleId: id, nextRunAtMs }]);
    },
    async overdueSeconds(): Promise<number[]> {
      const rows = await database().read(
        `SELECT next_run_at FROM ${SCHEDULES} WHERE agent_name = ? AND id IN (${marks()}) AND enabled = 1`,
        [agent, ...scheduleIds],
      );
      return rows.map((row) => Math.floor((Date.now() - Date.parse(String(row.next_run_at))) / 1000));
    },
    async removeSchedules(): Promise<void> {
      const sql = `DELETE FROM ${SCHEDULES} WHERE agent_name = ? AND id IN (${marks()}) RETURNING id`;
      await write(target, { sql, args: [agent, ...scheduleIds] }, (removed) =>
        removed.map((scheduleId) => ({ what: "schedule", agent, scheduleId, nextRunAtMs: null })),
      );
    },
  };
}
