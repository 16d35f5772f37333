import { DRAIN_TICK_KEY, MAX_PARALLEL_TASKS, present, type Scene } from "../drill/scene.ts";
import { between, type Fault } from "./fault.ts";

const TICK_AGE_SECONDS = 600;

const tickAgeSeconds = async ({ ground }: Scene) =>
  Date.now() / 1000 - Number(await present(ground.redis).get<string>(DRAIN_TICK_KEY));

export const hangingSweep: Fault = {
  invariantId: "B-02",
  title: "a queued run, free slots, and no sweep for ten minutes",
  obstacle: async ({ ground: { levers } }) =>
    "absent" in levers ? `the heartbeat is the whole platform's: ${levers.absent}` : null,
  async provoke(scene) {
    await present(scene.ground.levers).hangSweeps();
    await scene.addRun({ id: scene.id(1), status: "queued", session: null });
    await present(scene.ground.redis).set(DRAIN_TICK_KEY, String(Date.now() / 1000 - TICK_AGE_SECONDS));
  },
  async seen(scene) {
    const age = Math.floor(await tickAgeSeconds(scene));
    const queued = (await scene.runs()).filter(({ status }) => status === "queued").length;
    const free = MAX_PARALLEL_TASKS - (await scene.slots()).length;
    const hangs = present(scene.ground.levers).sweepsHang();
    return hangs && queued > 0 && free > 0 && age >= TICK_AGE_SECONDS
      ? `${queued} queued, ${free} free, sweeps hang, tick ${age} s ago`
      : null;
  },
  expected: () => ({
    queued_count: 1,
    slot_count: 0,
    max_parallel_tasks: MAX_PARALLEL_TASKS,
    free_slots: MAX_PARALLEL_TASKS,
    drain_tick_age_seconds: between(TICK_AGE_SECONDS, TICK_AGE_SECONDS + 600),
    drain_tick_grace_seconds: 60,
  }),
  // A row that nothing will ever run must not be drained by the sweep that comes first.
  async cure(scene) {
    try {
      await scene.removeRun(scene.id(1));
    } finally {
      await present(scene.ground.levers).resumeSweeps();
    }
  },
};
