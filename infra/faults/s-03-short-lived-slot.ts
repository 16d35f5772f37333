import { present, SLOT_LIFE_SECONDS } from "../drill/scene.ts";
import { between, type Fault } from "./fault.ts";

/** Long enough for the drill's cycles, short enough to be wrong. */
const TTL_SECONDS = 120;

export const shortLivedSlot: Fault = {
  invariantId: "S-03",
  title: `a slot whose hash expires in ${TTL_SECONDS} s`,
  async provoke(scene) {
    await scene.addRun({ id: scene.id(1) });
    await scene.addSlot(scene.id(1), { ttlSeconds: TTL_SECONDS, timeoutSeconds: null });
  },
  async seen({ ground, agent, id }) {
    const ttlSeconds = await present(ground.redis).ttl(`agent:slot:${agent}:${id(1)}`);
    return ttlSeconds > 0 && ttlSeconds <= TTL_SECONDS
      ? `TTL ${ttlSeconds} s, floor ${SLOT_LIFE_SECONDS} s`
      : null;
  },
  expected: ({ id }) => ({
    execution_id: id(1),
    redis_ttl_seconds: between(1, TTL_SECONDS),
    floor_seconds: SLOT_LIFE_SECONDS,
    floor_source: "agent",
    kind: "below_floor",
  }),
  async cure(scene) {
    await scene.removeRun(scene.id(1));
    await scene.removeSlot(scene.id(1));
  },
};
