/** The API of a canary in this process. It comes with the app and all that a canary is made of: import it when it is needed. */
import { randomUUID } from "node:crypto";
import { type Canary, createCanary } from "../canary.ts";
import { type Config, loadConfig } from "../config/config.ts";
import { documentClient } from "../store/client.ts";
import { dynamoStore } from "../store/store.ts";
import { createApp } from "../web/app.ts";
import { type Api, UsageError } from "./client.ts";

/** A table that ends with this process. */
export interface LocalTable {
  readonly endpoint: string;
  readonly table: string;
  close(): Promise<void>;
}

/** Makes a canary on the table of the configuration, or on one of this process. */
function makeCanary(config: Config, local: LocalTable | null): Canary {
  const canary = createCanary(
    config,
    dynamoStore(documentClient(local ?? undefined), local?.table ?? config.stateTable!),
  );
  // A memory that ends with the process would announce the same again with each run, and lose alerts that no channel took.
  return local ? { ...canary, alerts: { ...canary.alerts, senders: {} } } : canary;
}

/**
 * Opens it.
 * @throws ConfigError; UsageError where a state is needed and the configuration names none
 */
export async function openInProcess(
  needsState: boolean,
  startTable: () => Promise<LocalTable>,
): Promise<Api> {
  const config = loadConfig();
  if (needsState && !config.stateTable)
    throw new UsageError(
      "there is no state to read: set CANARY_URL and CANARY_TOKEN of a running canary, or STATE_TABLE",
    );
  const local = config.stateTable ? null : await startTable();
  const adminToken = randomUUID();
  const app = createApp({
    canary: makeCanary(config, local),
    adminToken,
    trigger: "cli",
    logError: (line) => console.error(line),
  });
  return {
    request: async (path, init) =>
      app.request(path, { ...init, headers: { authorization: `Bearer ${adminToken}` } }),
    close: async () => local?.close(),
  };
}
