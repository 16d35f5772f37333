/** The schedule's way in: EventBridge Scheduler invokes this every five minutes, and one cycle runs. */
import type { Context, ScheduledEvent } from "aws-lambda";
import { type Canary, openCanary } from "../shared/canary.ts";
import type { Environment } from "../shared/config/reader.ts";
import { deployedEnvironment } from "../shared/config/secret.ts";
import { runCycle } from "../shared/cycle/run-cycle.ts";
import { cycleTelemetry } from "../shared/telemetry.ts";
import { SECRET_NAMES } from "../shared/variables.ts";

/** Each cycle reads the secret: one that was rotated counts from the next cycle on. */
const SECRET_MAX_AGE_MS = 0;

/** Made by the first event and kept until the secret changes. */
let kept: { readonly env: Environment; readonly canary: Canary } | undefined;

/**
 * Runs one cycle.
 * @throws where the configuration can't be used, or the state could not be read or written, so that the invocation
 *   counts as failed
 */
export async function handler(_event: ScheduledEvent, context?: Context): Promise<void> {
  const env = await deployedEnvironment(SECRET_MAX_AGE_MS, SECRET_NAMES);
  if (kept?.env !== env) kept = { env, canary: openCanary(env, { observe: cycleTelemetry }) };
  const outcome = await runCycle(kept.canary, {
    trigger: "schedule",
    ...(context && { timeLeftMs: () => context.getRemainingTimeInMillis() }),
  });
  if (outcome.kind === "stateless") throw new Error(outcome.reason);
}
