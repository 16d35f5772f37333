/** The entry point of the schedule: EventBridge Scheduler invokes it every five minutes to run one cycle. */
import type { Context, ScheduledEvent } from "aws-lambda";
import { type Canary, openCanary } from "../shared/canary.ts";
import type { Environment } from "../shared/config/reader.ts";
import { deployedEnvironment } from "../shared/config/secret.ts";
import { runCycle } from "../shared/cycle/run-cycle.ts";
import { cycleTelemetry } from "../shared/telemetry.ts";
import { SECRET_NAMES } from "../shared/variables.ts";

/** Each cycle reads the secret: a rotated secret takes effect in the next cycle. */
const SECRET_MAX_AGE_MS = 0;

/** Created by the first event and kept until the secret changes. */
let kept: { readonly env: Environment; readonly canary: Canary } | undefined;

/**
 * Runs one cycle.
 * @throws if the configuration is invalid, or the state could not be read or written: the invocation then counts as failed
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
