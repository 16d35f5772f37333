/** Makes what the app needs of a canary, where another function runs the cycles. */
import { ALERTS } from "./config/alerts.ts";
import { API } from "./config/api.ts";
import { readChecks } from "./config/checks.ts";
import { STATE } from "./config/cycle.ts";
import { type Environment, reader } from "./config/reader.ts";
import { redactor } from "./config/redactor.ts";
import { checksOf } from "./invariants/checks.ts";
import { documentClient } from "./store/client.ts";
import { dynamoStore } from "./store/store.ts";
import type { AppCanary } from "./web/view.ts";

/**
 * Opens the state that the variables name. No variable of a source or of a channel is read.
 * @throws ConfigError naming every variable that can't be used
 */
export function openAppCanary(env: Environment): AppCanary {
  const read = reader(env);
  const { environment, runbooksUrl } = ALERTS;
  const config = read.values({ environment, runbooksUrl, table: STATE.table, adminToken: API.adminToken });
  const checks = readChecks(read);
  if (config.table === null)
    read.problem(`${STATE.table.name} is missing: give the name of the DynamoDB table`);
  read.end();
  return {
    store: dynamoStore(documentClient(), config.table!),
    alerts: { environment: config.environment, runbooksUrl: config.runbooksUrl },
    checks: checksOf(checks),
    now: Date.now,
    redact: redactor(read.secrets),
  };
}
