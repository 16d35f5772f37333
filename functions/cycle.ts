/** The schedule's way in: EventBridge Scheduler invokes this every five minutes, and one cycle runs. */
import type { ScheduledEvent } from "aws-lambda";
import { createCanary } from "../shared/canary.ts";
import { ConfigError, loadConfig } from "../shared/config.ts";
import { runCycle } from "../shared/cycle/run-cycle.ts";
import { documentClient } from "../shared/state/client.ts";
import { dynamoStore } from "../shared/state/store.ts";

/** Made by the first event and kept while the function is warm; a configuration that can't be used is tried again. */
let canary: ReturnType<typeof createCanary> | undefined;

function makeCanary() {
  const config = loadConfig();
  if (!config.stateTable)
    throw new ConfigError(["STATE_TABLE is missing: give the name of the DynamoDB table"]);
  return createCanary(config, dynamoStore(documentClient(), config.stateTable));
}

/**
 * Runs one cycle and logs it as one line of JSON.
 * @throws where the state could not be read or written, so that the invocation counts as failed
 */
export async function handler(_event: ScheduledEvent): Promise<void> {
  canary ??= makeCanary();
  const outcome = await runCycle(canary, { trigger: "schedule" });
  if (outcome.kind === "busy") {
    console.log(
      JSON.stringify({ message: "cycle in progress", retry_after_seconds: outcome.retryAfterSeconds }),
    );
    return;
  }
  const { violations, ...report } = outcome.report;
  console.log(JSON.stringify({ message: "cycle", violation_count: violations.length, ...report }));
  if (outcome.kind === "stateless") throw new Error(outcome.reason);
}
