/** The API of a canary in this process. Import it only when it is needed: it loads the app and every client. */
import { randomUUID } from "node:crypto";
import { testAlerts } from "../alerts/alert-test.ts";
import { openCanary } from "../canary.ts";
import { environmentWith } from "../config/reader.ts";
import { runCycle } from "../cycle/run-cycle.ts";
import { areReadByReaders } from "../sources/docker/docker.ts";
import { loadConfig } from "../variables.ts";
import { createApp } from "../web/app.ts";
import type { Api, LocalTable } from "./client.ts";
import type { MakeReaders } from "./command.ts";
import { UsageError } from "./errors.ts";

/**
 * Opens the canary that the environment describes, on its table or on one that lasts as long as this process.
 * @throws ConfigError; UsageError where a state is needed and the environment names none
 */
export async function openInProcess(
  needsState: boolean,
  startTable: () => Promise<LocalTable>,
  makeReaders: MakeReaders,
): Promise<Api> {
  const env = environmentWith();
  const { stateTable, sources } = loadConfig(env);
  if (needsState && !stateTable)
    throw new UsageError(
      "there is no state to read: give --env, or set CANARY_URL and CANARY_TOKEN of a running canary, or STATE_TABLE",
    );
  const local = stateTable ? null : await startTable();
  const adminToken = randomUUID();
  // Without a lasting memory each run would notify again, and lose the alerts that no channel accepted.
  const callReader = areReadByReaders(sources.docker) ? await makeReaders(env) : undefined;
  const canary = openCanary(env, { callReader, ...(local && { state: local, senders: {} }) });
  // A test leaves nothing behind, and so needs no lasting memory.
  const withChannels = local ? openCanary(env, { state: local }) : canary;
  const app = createApp({
    canary,
    runCycle: (request) => runCycle(canary, request),
    testAlerts: ({ channel }) => testAlerts(withChannels, channel),
    adminToken,
    trigger: "cli",
    logError: (line) => console.error(line),
  });
  return {
    names: { url: "the address", token: "the token", iam: "a signature" },
    request: async (path, { method = "GET", body } = {}) =>
      app.request(path, {
        method,
        ...(body !== undefined && { body }),
        headers: { authorization: `Bearer ${adminToken}` },
      }),
    close: async () => local?.close(),
  };
}
