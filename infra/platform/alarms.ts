/** The platform's own alarms. They stand in operator_queue, under names that no agent can have. */
import type { PlatformContext } from "./context.ts";

export const ALARMS = [
  "_retention-guard",
  "_db-backup",
  "_log-archive",
  "_sub-headroom",
  "_skills-sync",
] as const;
export type Alarm = (typeof ALARMS)[number];

export interface Alarms {
  /** Makes the alarm a pending one. */
  raise(alarm: Alarm): Promise<void>;
  /** Ends the alarm, whether it is pending or not. */
  resolve(alarm: Alarm): Promise<void>;
}

export function createAlarms({ database }: PlatformContext): Alarms {
  return {
    async raise(alarm) {
      await database.write(
        [
          {
            sql: `INSERT INTO operator_queue (id, agent_name, status) VALUES (?, ?, 'pending')
                  ON CONFLICT (id) DO UPDATE SET status = 'pending'`,
            args: [`alarm-${alarm}`, alarm],
          },
        ],
        () => [{ what: "alarm", alarm, isPending: true }],
      );
    },
    async resolve(alarm) {
      await database.write(
        [{ sql: "UPDATE operator_queue SET status = 'resolved' WHERE agent_name = ?", args: [alarm] }],
        () => [{ what: "alarm", alarm, isPending: false }],
      );
    },
  };
}
