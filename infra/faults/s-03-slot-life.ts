import { between, type Fault } from "./fault.ts";
import type { NewSlot } from "./slots.ts";
import type { TestAgent } from "./test-agent.ts";

/** Long enough for some cycles, and too short for a slot. */
const TTL_SECONDS = 120;

const kind = (agent: TestAgent, kind: string) => ({
  execution_id: agent.id(1),
  floor_seconds: agent.slotLifeSeconds,
  kind,
});

/** The common part of these faults: a run with a wrong slot. */
const withSlot = (slot: NewSlot): Pick<Fault, "invariantId" | "cured" | "provoke" | "key" | "cure"> => ({
  invariantId: "S-03",
  cured: "the run ends",
  async provoke(agent) {
    await agent.addRun(agent.id(1));
    await agent.addSlot(agent.id(1), slot);
  },
  key: (agent) => agent.id(1),
  cure: (agent) => agent.settle(),
});

const isMember = async (agent: TestAgent) => (await agent.slots()).length === 1;

export const shortLivedSlot: Fault = {
  ...withSlot({ ttlSeconds: TTL_SECONDS, timeoutSeconds: null }),
  name: "short-lived slot",
  title: `a slot whose hash expires in ${TTL_SECONDS} s`,
  async seen(agent) {
    const ttlSeconds = await agent.slotTtlSeconds(agent.id(1));
    return ttlSeconds > 0 && ttlSeconds <= TTL_SECONDS
      ? `TTL ${ttlSeconds} s, floor ${agent.slotLifeSeconds} s`
      : null;
  },
  expected: (agent) => ({
    ...kind(agent, "below_floor"),
    redis_ttl_seconds: between(1, TTL_SECONDS),
    floor_source: "agent",
  }),
};

export const slotForEver: Fault = {
  ...withSlot({ ttlSeconds: null }),
  name: "slot that never expires",
  title: "a slot whose hash never expires",
  seen: async (agent) =>
    (await isMember(agent)) && (await agent.slotTtlSeconds(agent.id(1))) === -1
      ? "a hash without an expiry"
      : null,
  expected: (agent) => ({ ...kind(agent, "no_expiry"), redis_ttl_seconds: -1, floor_source: "slot" }),
};

export const slotWithoutHash: Fault = {
  ...withSlot({ parts: "member only" }),
  name: "slot without its hash",
  title: "a slot that has no hash",
  seen: async (agent) =>
    (await isMember(agent)) && (await agent.slotTtlSeconds(agent.id(1))) === -2
      ? "a member without a hash"
      : null,
  expected: (agent) => ({ ...kind(agent, "missing"), redis_ttl_seconds: -2, floor_source: "agent" }),
};
