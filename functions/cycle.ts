/** The schedule's way in: EventBridge Scheduler invokes this every five minutes, and one cycle runs. */
import type { Context, ScheduledEvent } from "aws-lambda";
import { type CycleDeps, runCycle } from "../shared/cycle/run-cycle.ts";
import { deployedCanary } from "../shared/deployed.ts";

/** Made by the first event and kept while the function is warm; a configuration that can't be used is tried again. */
let canary: CycleDeps | undefined;

/**
 * Runs one cycle.
 * @throws where the state could not be read or written, so that the invocation counts as failed
 */
export async function handler(_event: ScheduledEvent, context?: Context): Promise<void> {
  canary ??= deployedCanary();
  const outcome = await runCycle(canary, {
    trigger: "schedule",
    ...(context && { timeLeftMs: () => context.getRemainingTimeInMillis() }),
  });
  if (outcome.kind === "stateless") throw new Error(outcome.reason);
}
