/** The canary as it is deployed: its state in the table that the environment names, each cycle logged and measured. */
import { createCanary } from "./canary.ts";
import { ConfigError, loadConfig } from "./config.ts";
import type { CycleDeps } from "./cycle/run-cycle.ts";
import { documentClient } from "./state/client.ts";
import { dynamoStore } from "./state/store.ts";
import { cycleTelemetry } from "./telemetry.ts";

/** @throws ConfigError where the environment can't be used, or names no table */
export function deployedCanary(): CycleDeps {
  const config = loadConfig();
  if (!config.stateTable)
    throw new ConfigError(["STATE_TABLE is missing: give the name of the DynamoDB table"]);
  return {
    ...createCanary(config, dynamoStore(documentClient(), config.stateTable)),
    observe: cycleTelemetry(config.alerts.environment),
  };
}
