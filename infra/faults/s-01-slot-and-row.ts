import type { Fault } from "./fault.ts";

export const leakedSlot: Fault = {
  invariantId: "S-01",
  name: "leaked slot",
  title: "a slot that no run has",
  cured: "the slot is given back",
  // Older than any chat turn, which it could be taken for.
  provoke: (agent) => agent.addSlot(agent.id(1), { ageSeconds: 120 }),
  async seen(agent) {
    const [slots, runs] = [await agent.slots(), await agent.runs()];
    return slots.length === 1 && runs.length === 0 ? `${slots.length} slot, ${runs.length} rows` : null;
  },
  key: (agent) => `redis:${agent.id(1)}`,
  expected: (agent) => ({
    redis_slot_count: 1,
    sql_running_count: 0,
    in_redis_only: [agent.id(1)],
    in_sql_only: [],
  }),
  cure: (agent) => agent.settle(),
};

export const lostSlot: Fault = {
  invariantId: "S-01",
  name: "lost slot",
  title: "a run that has lost its slot, but not the slot's hash",
  cured: "the run ends",
  async provoke(agent) {
    await agent.addRun(agent.id(1));
    await agent.addSlot(agent.id(1), { parts: "hash only" });
  },
  async seen(agent) {
    const [slots, runs] = [await agent.slots(), await agent.runs()];
    return slots.length === 0 && runs.length === 1 && runs[0]!.status === "running"
      ? "0 slots, 1 running row"
      : null;
  },
  key: (agent) => `sql:${agent.id(1)}`,
  expected: (agent) => ({
    redis_slot_count: 0,
    sql_running_count: 1,
    in_redis_only: [],
    in_sql_only: [agent.id(1)],
  }),
  cure: (agent) => agent.settle(),
};
