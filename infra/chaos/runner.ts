/**
 * One canary in a process of its own, to be killed. It runs a cycle for each message `{aheadMs}` of its parent, and ends with
 * it. Its clock is that of the chaos: it may run ahead or behind, and faster than time passes.
 */
import { openCanary } from "../../shared/canary.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { type ChaosClock, clockAt } from "./clock.ts";

/** What a runner is started with. */
export interface RunnerOrders {
  /** The variables of a canary. */
  readonly env: Readonly<Record<string, string>>;
  readonly state: { readonly endpoint: string; readonly table: string };
  readonly clock: ChaosClock;
}

/** What a runner says: that a cycle has begun, and how it ended. */
export type RunnerMessage =
  | { readonly started: true }
  | {
      readonly outcome: "done" | "busy" | "stateless";
      readonly retryAfterSeconds?: number;
      readonly reason?: string;
    };

const { env, state, clock } = JSON.parse(process.argv[2]!) as RunnerOrders;
let aheadMs = 0;
const canary = openCanary(env, { state, now: () => clockAt(clock, aheadMs) });
const say = (message: RunnerMessage) => process.send?.(message);

process.on("message", async (order: { aheadMs: number }) => {
  aheadMs = order.aheadMs;
  say({ started: true });
  const outcome = await runCycle(canary, { trigger: "schedule" });
  say({
    outcome: outcome.kind,
    ...(outcome.kind === "busy" && { retryAfterSeconds: outcome.retryAfterSeconds }),
    ...(outcome.kind === "stateless" && { reason: outcome.reason }),
  });
});
process.once("disconnect", () => process.exit());
