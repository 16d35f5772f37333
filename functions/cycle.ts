/** The schedule's way in: EventBridge Scheduler invokes this every five minutes, and one cycle runs. */
import type { Context, ScheduledEvent } from "aws-lambda";
import { runCycle } from "../shared/cycle/run-cycle.ts";
import { deployedCanary } from "../shared/deployed.ts";

/** Each cycle reads the secret: one that was rotated counts from the next cycle on. */
const SECRET_MAX_AGE_MS = 0;

/**
 * Runs one cycle.
 * @throws where the configuration can't be used, or the state could not be read or written, so that the invocation
 *   counts as failed
 */
export async function handler(_event: ScheduledEvent, context?: Context): Promise<void> {
  const { canary } = await deployedCanary(SECRET_MAX_AGE_MS);
  const outcome = await runCycle(canary, {
    trigger: "schedule",
    ...(context && { timeLeftMs: () => context.getRemainingTimeInMillis() }),
  });
  if (outcome.kind === "stateless") throw new Error(outcome.reason);
}
