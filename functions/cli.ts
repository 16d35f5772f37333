#!/usr/bin/env node
/** The command line's way in. Exit codes: 0 green, 1 red, 2 unknown without red, 254 usage or configuration, 255 crash. */
import { randomUUID } from "node:crypto";
import { Command, CommanderError } from "commander";
import pc from "picocolors";
import { createApp } from "../shared/api/app.ts";
import { createCanary } from "../shared/canary.ts";
import { ConfigError, loadConfig, loadRemote } from "../shared/config.ts";
import type { CycleReport } from "../shared/cycle/run-cycle.ts";
import { documentClient } from "../shared/state/client.ts";
import { dynamoStore } from "../shared/state/store.ts";
import { renderCycle } from "../shared/terminal/cycle-table.ts";
import {
  renderStatus,
  renderViolations,
  type StatusBody,
  type ViolationsBody,
} from "../shared/terminal/lists.ts";

// The SDK would tell every user on Node 20 that it will not support it one day: nothing that they can act on.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";

const EXIT = { green: 0, red: 1, unknown: 2, usage: 254, crash: 255 } as const;

/** The API of a canary: a deployed one, or one in this process that answers the same. */
interface Api {
  request(path: string, init?: RequestInit): Promise<Response>;
  close(): Promise<void>;
}

/** What the caller did wrong, in one line. */
class UsageError extends Error {}

async function openApi({ needsState }: { needsState: boolean }): Promise<Api> {
  const remote = loadRemote();
  if (remote) {
    return {
      request: async (path, init) => {
        const headers = { authorization: `Bearer ${remote.token}`, "content-type": "application/json" };
        return fetch(remote.url + path, { ...init, headers }).catch((error) => {
          throw new UsageError(
            `CANARY_URL does not answer (${error.cause?.code ?? error.message}): is ${remote.url} the canary's address?`,
          );
        });
      },
      close: async () => {},
    };
  }
  const config = loadConfig();
  if (needsState && !config.stateTable)
    throw new UsageError(
      "there is no state to read: set CANARY_URL and CANARY_TOKEN of a running canary, or STATE_TABLE",
    );
  const local = config.stateTable ? null : await (await import("../infra/local/dynamodb.ts")).startDynamo();
  const store = dynamoStore(documentClient(local ?? undefined), local?.table ?? config.stateTable!);
  const adminToken = randomUUID();
  const app = createApp({
    canary: createCanary(config, store),
    adminToken,
    logError: (line) => console.error(line),
  });
  return {
    request: async (path, init) =>
      app.request(path, { ...init, headers: { authorization: `Bearer ${adminToken}` } }),
    close: async () => local?.close(),
  };
}

async function call<T>(
  api: Api,
  path: string,
  init?: RequestInit,
): Promise<{ status: number; body: T & { detail?: string } }> {
  const response = await api.request(path, init);
  const text = await response.text();
  let body: T & { detail?: string };
  try {
    body = JSON.parse(text);
  } catch {
    throw new UsageError(`HTTP ${response.status} without JSON: is CANARY_URL the address of a canary?`);
  }
  if (response.status === 401)
    throw new UsageError("CANARY_TOKEN was refused: give the canary's admin token");
  if (response.status === 422) throw new UsageError(body.detail ?? "the request was refused");
  return { status: response.status, body };
}

const colour = pc.isColorSupported && process.stdout.isTTY === true;
const print = (text: string) => process.stdout.write(`${text}\n`);

function exitCodeOf({ verdicts }: CycleReport): number {
  const statuses = Object.values(verdicts).map((v) => v.status);
  if (statuses.includes("red")) return EXIT.red;
  return statuses.includes("unknown") ? EXIT.unknown : EXIT.green;
}

async function cycle({ invariants, json }: { invariants?: string; json?: boolean }): Promise<number> {
  const ids = invariants
    ?.split(",")
    .map((id) => id.trim())
    .filter(Boolean);
  if (ids?.length === 0) throw new UsageError("--invariants names none: give ids such as S-01,B-02");
  const api = await openApi({ needsState: false });
  try {
    const { status, body } = await call<CycleReport>(api, "/api/canary/run-cycle", {
      method: "POST",
      body: JSON.stringify(ids ? { invariants: ids } : {}),
    });
    if (status === 409) {
      console.error("cycle in progress: another run holds the lease, try again in a minute");
      return EXIT.unknown;
    }
    if (!body.verdicts) throw new Error(`the canary answered HTTP ${status}: ${body.detail}`);
    print(json ? JSON.stringify(body, null, 2) : renderCycle(body, colour));
    if (status === 503) console.error(`the cycle failed, nothing was remembered: ${body.detail}`);
    return exitCodeOf(body);
  } finally {
    await api.close();
  }
}

async function show<T>(
  path: string,
  json: boolean | undefined,
  render: (body: T) => string,
): Promise<number> {
  const api = await openApi({ needsState: true });
  try {
    const { status, body } = await call<T>(api, path);
    if (status !== 200) throw new Error(`the canary answered HTTP ${status}: ${body.detail}`);
    print(json ? JSON.stringify(body, null, 2) : render(body));
    return EXIT.green;
  } finally {
    await api.close();
  }
}

function program(done: (code: number) => void): Command {
  const canary = new Command("canary").description("trinity-canary on the command line").exitOverride();
  canary
    .command("cycle")
    .description("run one cycle: on the canary of CANARY_URL, else here, on what the environment names")
    .option("--invariants <ids>", "only these, separated by commas")
    .option("--json", "the run-cycle response and nothing else")
    .action(async (options) => done(await cycle(options)));
  canary
    .command("violations")
    .description("list violations, newest first")
    .option("--invariant <id>", "only of this invariant")
    .option("--severity <severity>", "critical, major or minor")
    .option("--tier <tier>", "A or B")
    .option("--since <time>", "from this time on (ISO 8601)")
    .option("--limit <n>", "at most this many, 1 to 1000", "20")
    .option("--json", "the response and nothing else")
    .action(async ({ invariant, severity, tier, since, limit, json }) => {
      const given = { invariant_id: invariant, severity, tier, start_time: since, limit };
      const query = new URLSearchParams(Object.entries(given).filter(([, value]) => value !== undefined));
      done(await show<ViolationsBody>(`/api/canary/violations?${query}`, json, renderViolations));
    });
  canary
    .command("status")
    .description("what is red, unknown and green, and since when")
    .option("--json", "the response and nothing else")
    .action(async ({ json }) =>
      done(await show<StatusBody>("/api/canary/status", json, (body) => renderStatus(body, colour))),
    );
  return canary;
}

async function main(): Promise<number> {
  let code: number = EXIT.green;
  try {
    await program((result) => {
      code = result;
    }).parseAsync();
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.green : EXIT.usage;
    if (error instanceof ConfigError || error instanceof UsageError) {
      console.error(error.message);
      return EXIT.usage;
    }
    console.error(error instanceof Error ? error.message : error);
    return EXIT.crash;
  }
}

// Set rather than called: what is still being written to a pipe must arrive.
process.exitCode = await main();
