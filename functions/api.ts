/** The function URL's way in: the Hono app behind AWS Lambda. */
import { handle } from "hono/aws-lambda";
import { createApp } from "../shared/api/app.ts";
import { createCanary } from "../shared/canary.ts";
import { ConfigError, loadAdminToken, loadConfig } from "../shared/config.ts";
import { documentClient } from "../shared/state/client.ts";
import { dynamoStore } from "../shared/state/store.ts";
import { cycleTelemetry } from "../shared/telemetry.ts";

/** Made by the first event and kept while the function is warm; a configuration that can't be used is tried again. */
let handleEvent: ReturnType<typeof handle> | undefined;

function makeHandler() {
  const config = loadConfig();
  if (!config.stateTable)
    throw new ConfigError(["STATE_TABLE is missing: give the name of the DynamoDB table"]);
  const deps = createCanary(config, dynamoStore(documentClient(), config.stateTable));
  const canary = { ...deps, observe: cycleTelemetry(config.alerts.environment) };
  return handle(createApp({ canary, adminToken: loadAdminToken(), logError: (line) => console.error(line) }));
}

/** Answers one HTTP request. */
export async function handler(...args: Parameters<ReturnType<typeof handle>>): Promise<unknown> {
  handleEvent ??= makeHandler();
  return handleEvent(...args);
}
