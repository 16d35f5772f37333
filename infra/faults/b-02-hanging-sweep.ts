import { between, type Fault } from "./fault.ts";
import { present } from "./target.ts";

/** Late for a row that has waited as long. From 120 s on, queues of other agents would be red too. */
const LATE_SECONDS = 100;

export const hangingSweep: Fault = {
  invariantId: "B-02",
  name: "hung sweep",
  title: `a queued run, free slots, and no sweep for ${LATE_SECONDS} seconds`,
  cured: "sweeps go on",
  isPlatformWide: true,
  obstacle: ({ controls }) =>
    "absent" in controls ? `the heartbeat is the whole platform's: ${controls.absent}` : null,
  async provoke(agent) {
    await present(agent.target.controls).hangSweeps();
    await agent.addRun(agent.id(1), { status: "queued", ageSeconds: LATE_SECONDS, session: null });
    await agent.setDrainTick(LATE_SECONDS);
  },
  async seen(agent) {
    const ageSeconds = Math.floor(await agent.drainTickAgeSeconds());
    const queued = (await agent.runs()).filter(({ status }) => status === "queued").length;
    const free = agent.limits.maxParallelTasks - (await agent.slots()).length;
    return present(agent.target.controls).sweepsHang() && queued > 0 && free > 0 && ageSeconds >= LATE_SECONDS
      ? `${queued} queued, ${free} free, sweeps hang, tick ${ageSeconds} s ago`
      : null;
  },
  expected: ({ limits }) => ({
    queued_count: 1,
    slot_count: 0,
    max_parallel_tasks: limits.maxParallelTasks,
    free_slots: limits.maxParallelTasks,
    drain_tick_age_seconds: between(LATE_SECONDS, LATE_SECONDS + 600),
    drain_tick_grace_seconds: 60,
  }),
  // Rows first: the next sweep must not drain a row that nothing runs.
  async cure(agent) {
    try {
      await agent.settle();
    } finally {
      await present(agent.target.controls).resumeSweeps();
    }
  },
};
