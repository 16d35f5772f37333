import { between, type Fault } from "./fault.ts";

const OVERDUE_SECONDS = 2 * 3600;

export const overdueSchedule: Fault = {
  invariantId: "E-06",
  name: "overdue schedule",
  title: "an enabled schedule that was due two hours ago",
  cured: "the schedule is deleted",
  provoke: (agent) => agent.addSchedule(agent.id(1), OVERDUE_SECONDS),
  async seen(agent) {
    const [overdue = 0] = await agent.overdueSeconds();
    return overdue >= OVERDUE_SECONDS ? `an enabled schedule that is ${overdue} s overdue` : null;
  },
  key: (agent) => agent.id(1),
  expected: (agent) => ({
    schedule_id: agent.id(1),
    overdue_seconds: between(OVERDUE_SECONDS, OVERDUE_SECONDS + 600),
    misfire_grace_seconds: 3600,
  }),
  cure: (agent) => agent.removeSchedules(),
};
