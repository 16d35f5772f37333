/** The schedule's way in: EventBridge Scheduler invokes this every five minutes, and one cycle runs. */
import type { Context, ScheduledEvent } from "aws-lambda";
import { createCanary } from "../shared/canary.ts";
import { ConfigError, loadConfig } from "../shared/config.ts";
import { type CycleDeps, runCycle } from "../shared/cycle/run-cycle.ts";
import { documentClient } from "../shared/state/client.ts";
import { dynamoStore } from "../shared/state/store.ts";
import { cycleTelemetry } from "../shared/telemetry.ts";

/** Made by the first event and kept while the function is warm; a configuration that can't be used is tried again. */
let canary: CycleDeps | undefined;

function makeCanary(): CycleDeps {
  const config = loadConfig();
  if (!config.stateTable)
    throw new ConfigError(["STATE_TABLE is missing: give the name of the DynamoDB table"]);
  const deps = createCanary(config, dynamoStore(documentClient(), config.stateTable));
  return { ...deps, observe: cycleTelemetry(config.alerts.environment) };
}

/**
 * Runs one cycle.
 * @throws where the state could not be read or written, so that the invocation counts as failed
 */
export async function handler(_event: ScheduledEvent, context?: Context): Promise<void> {
  canary ??= makeCanary();
  const outcome = await runCycle(canary, {
    trigger: "schedule",
    ...(context && { timeLeftMs: () => context.getRemainingTimeInMillis() }),
  });
  if (outcome.kind === "stateless") throw new Error(outcome.reason);
}
