#!/usr/bin/env node
/** The command line's way in. Exit codes: 0 green, 1 red, 2 unknown without red, 254 usage or configuration, 255 crash. */
import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { defaultProvider } from "@aws-sdk/credential-provider-node";
import { z } from "@hono/zod-openapi";
import { AwsClient } from "aws4fetch";
import { Command, CommanderError, InvalidArgumentError } from "commander";
import pc from "picocolors";
import { addDrillCommand } from "../infra/drill/commands.ts";
import { addFleetCommands } from "../infra/fleet/commands.ts";
import { createCanary } from "../shared/canary.ts";
import { renderCycle } from "../shared/cli/cycle-table.ts";
import { renderSilence, renderStatus, renderViolations } from "../shared/cli/lists.ts";
import { watch } from "../shared/cli/watch.ts";
import { ConfigError, loadConfig, loadRemote, type Remote } from "../shared/config/config.ts";
import { documentClient } from "../shared/store/client.ts";
import { dynamoStore } from "../shared/store/store.ts";
import { createApp } from "../shared/web/app.ts";
import {
  type CycleOutline,
  type CycleReport,
  CycleResponse,
  CyclesPage,
  Silence,
  SilencesList,
  Status,
  ViolationsPage,
} from "../shared/wire/schemas.ts";

// The SDK would tell every user on Node 20 that it will not support it one day: nothing that they can act on.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";

const EXIT = { green: 0, red: 1, unknown: 2, usage: 254, crash: 255 } as const;

/** The longest time limit that a deployed API can have, and the way there and back. */
const REMOTE_MS = 250_000;

/** The API of a canary: a deployed one, or one in this process that answers the same. */
interface Api {
  request(path: string, init?: RequestInit): Promise<Response>;
  close(): Promise<void>;
}

/** What the caller did wrong, in one line. */
class UsageError extends Error {}

/** Another cycle holds the lease. */
class Busy extends Error {}

/** @returns the request as AWS checks it at a function URL. @throws UsageError where there are no credentials */
async function signed(url: string, init: RequestInit, region: string): Promise<Request> {
  const credentials = await defaultProvider()().catch((error: Error) => {
    throw new UsageError(`CANARY_AUTH is iam, but no AWS credentials were found: ${error.message}`);
  });
  return new AwsClient({ ...credentials, service: "lambda", region }).sign(url, init);
}

function remoteApi({ url, auth }: Remote): Api {
  return {
    request: async (path, init) => {
      const timeout = AbortSignal.timeout(REMOTE_MS);
      const signal = init?.signal ? AbortSignal.any([timeout, init.signal]) : timeout;
      const json = { ...init, signal, headers: { "content-type": "application/json" } };
      const request =
        "token" in auth
          ? new Request(url + path, {
              ...json,
              headers: { ...json.headers, authorization: `Bearer ${auth.token}` },
            })
          : await signed(url + path, json, auth.region);
      return fetch(request).catch((error) => {
        const why = timeout.aborted
          ? `nothing within ${REMOTE_MS / 1000} s`
          : (error.cause?.code ?? "no connection");
        throw new UsageError(`CANARY_URL does not answer (${why}): is it the canary's address?`);
      });
    },
    close: async () => {},
  };
}

async function openApi({ needsState }: { needsState: boolean }): Promise<Api> {
  const remote = loadRemote();
  if (remote) return remoteApi(remote);
  const config = loadConfig();
  if (needsState && !config.stateTable)
    throw new UsageError(
      "there is no state to read: set CANARY_URL and CANARY_TOKEN of a running canary, or STATE_TABLE",
    );
  const local = config.stateTable ? null : await (await import("../infra/local/dynamodb.ts")).startDynamo();
  const store = dynamoStore(documentClient(local ?? undefined), local?.table ?? config.stateTable!);
  const adminToken = randomUUID();
  const canary = createCanary(config, store);
  // A memory that ends with the process would tell the same anew with every run, and lose what was not taken.
  const quiet = { ...canary, alerts: { ...canary.alerts, senders: {} } };
  const app = createApp({
    canary: local ? quiet : canary,
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

/**
 * Calls the API and checks that a canary answered.
 * @param schema of the answers that are no error
 * @throws UsageError for what the caller can mend: the address, the token, a value
 */
async function call<T>(
  api: Api,
  path: string,
  schema: z.ZodType<T>,
  init?: RequestInit,
): Promise<{ answer: T; failed: boolean }> {
  const response = await api.request(path, init);
  const text = (await response.text()) || "{}";
  const strange = new UsageError(`HTTP ${response.status}, but not of a canary: is CANARY_URL its address?`);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw strange;
  }
  const { detail, code } = Object(body) as { detail?: string; code?: string };
  if (response.status === 401)
    throw new UsageError("CANARY_TOKEN was refused: give the canary's admin token");
  if (response.status === 403)
    throw new UsageError(
      "the function URL refused the request: it asks for signatures (set CANARY_AUTH=iam), or these AWS credentials may not call it",
    );
  if (code === "cycle_in_progress") throw new Busy();
  if (response.status === 404 || response.status === 409 || response.status === 422)
    throw new UsageError(detail ?? `HTTP ${response.status}`);
  const isOurs = schema.safeParse(body).success;
  if (isOurs && (response.ok || response.status === 503)) {
    // Verdicts come with a 503 where the state failed: they stand, but nothing was remembered.
    if (!response.ok) console.error(`the cycle failed, nothing was remembered: ${detail}`);
    return { answer: body as T, failed: !response.ok };
  }
  if (response.ok) throw strange;
  throw new Error(`the canary answered HTTP ${response.status}: ${detail}`);
}

const colour = pc.isColorSupported && process.stdout.isTTY === true;
const print = (text: string) => process.stdout.write(`${text}\n`);

function exitCodeOf({ verdicts }: CycleReport): number {
  const statuses = Object.values(verdicts).map((v) => v.status);
  if (statuses.includes("red")) return EXIT.red;
  // Where no check ran at all, nothing was found green either.
  return statuses.length === 0 || statuses.includes("unknown") ? EXIT.unknown : EXIT.green;
}

async function cycle({ invariants, json }: { invariants?: string; json?: boolean }): Promise<number> {
  const ids = invariants
    ?.split(",")
    .map((id) => id.trim())
    .filter(Boolean);
  if (ids?.length === 0) throw new UsageError("--invariants names none: give ids such as S-01,B-02");
  const api = await openApi({ needsState: false });
  try {
    const body = JSON.stringify(ids ? { invariants: ids } : {});
    const { answer: report, failed } = await call(api, "/api/canary/run-cycle", CycleResponse, {
      method: "POST",
      body,
    });
    print(json ? JSON.stringify(report, null, 2) : renderCycle(report, colour));
    const code = exitCodeOf(report);
    return failed && code === EXIT.green ? EXIT.unknown : code;
  } catch (error) {
    if (!(error instanceof Busy)) throw error;
    console.error("cycle in progress: another run holds the lease, try again in a minute");
    return EXIT.unknown;
  } finally {
    await api.close();
  }
}

async function show<T>(
  path: string,
  schema: z.ZodType<T>,
  json: boolean | undefined,
  render: (body: T) => string,
  init?: RequestInit,
): Promise<number> {
  const api = await openApi({ needsState: true });
  try {
    const { answer } = await call(api, path, schema, init);
    print(json ? JSON.stringify(answer, null, 2) : render(answer));
    return EXIT.green;
  } finally {
    await api.close();
  }
}

/** @returns what `canary status` shows: the state of each invariant, and its last 24 hours */
async function lookAtStatus(api: Api, init?: RequestInit): Promise<string> {
  const { answer: status } = await call(api, "/api/canary/status", Status, init);
  const cycles: CycleOutline[] = [];
  // The strips are beside the point where they can't be had: what is red is shown all the same.
  try {
    await readCycles();
  } catch (error) {
    console.error(`the last 24 hours can't be shown: ${error instanceof Error ? error.message : error}`);
  }
  return renderStatus(status, cycles, Date.now(), colour);

  async function readCycles() {
    let cursor: string | null = null;
    do {
      const next: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const { answer } = await call(api, `/api/canary/cycles?limit=100${next}`, CyclesPage, init);
      cycles.push(...answer.cycles);
      cursor = answer.next_cursor;
    } while (cursor !== null);
  }
}

async function status({ json }: { json?: boolean }): Promise<number> {
  if (json) return show("/api/canary/status", Status, true, String);
  const api = await openApi({ needsState: true });
  try {
    print(await lookAtStatus(api));
    return EXIT.green;
  } finally {
    await api.close();
  }
}

/** Until Ctrl-C, which is how it is meant to end. */
async function watchStatus({ every }: { every: number }): Promise<number> {
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => stopping.abort());
  const api = await openApi({ needsState: true });
  try {
    await watch({
      look: () => lookAtStatus(api, { signal: stopping.signal }),
      everyMs: every,
      signal: stopping.signal,
      write: (text) => process.stdout.write(text),
      clears: process.stdout.isTTY === true,
      now: Date.now,
      sleep: (ms, signal) => setTimeout(ms, undefined, { signal }),
    });
    return EXIT.green;
  } finally {
    await api.close();
  }
}

/** @returns seconds or minutes in ms */
function parseEvery(text: string): number {
  const [, amount, unit] = /^(\d+)(s|m)$/.exec(text) ?? [];
  const ms = Number(amount) * (unit === "m" ? 60_000 : 1_000);
  if (ms >= 1_000 && ms <= 3_600_000) return ms;
  throw new InvalidArgumentError("give a time from 1s to 60m, such as 30s or 5m.");
}

const UNITS_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** @returns the length of time in ms */
function parseTime(text: string): number {
  const [, amount, unit] = /^(\d+)([mhd])$/.exec(text) ?? [];
  const ms = Number(amount) * UNITS_MS[unit as keyof typeof UNITS_MS];
  if (ms > 0) return ms;
  throw new UsageError(`--for ${text} is no time: give one such as 30m, 2h or 3d`);
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
      done(await show(`/api/canary/violations?${query}`, ViolationsPage, json, renderViolations));
    });
  canary
    .command("status")
    .description("what is red, unknown and green, since when, and the last 24 hours of each")
    .option("--json", "the response and nothing else")
    .action(async (options) => done(await status(options)));
  canary
    .command("watch")
    .description("the same, again and again until Ctrl-C; what goes wrong is shown, and it goes on")
    .option("--every <time>", "time between two looks, from 1s to 60m (default: 30s)", parseEvery, 30_000)
    .action(async (options) => done(await watchStatus(options)));
  canary
    .command("silence")
    .description("don't tell of an invariant for a while; it is still checked and recorded")
    .argument("<invariant>", "such as S-02")
    .requiredOption("--for <time>", "how long, such as 30m, 2h or 3d")
    .requiredOption("--reason <text>", "why, for whoever reads it at 3 a.m.")
    .option("--subject <agent>", "only this agent")
    .option("--json", "the response and nothing else")
    .action(async (invariant, { for: time, reason, subject, json }) => {
      const until = new Date(Date.now() + parseTime(time)).toISOString();
      const body = JSON.stringify({ invariant_id: invariant, subject, until, reason });
      done(await show("/api/canary/silences", Silence, json, renderSilence, { method: "POST", body }));
    });
  canary
    .command("silences")
    .description("the silences in force")
    .option("--json", "the response and nothing else")
    .action(async ({ json }) =>
      done(
        await show("/api/canary/silences", SilencesList, json, ({ silences }) =>
          silences.length > 0 ? silences.map(renderSilence).join("\n") : "no silences",
        ),
      ),
    );
  canary
    .command("unsilence")
    .description("end a silence: what is red then is told with the next cycle")
    .argument("<id>", "as canary silences shows it")
    .action(async (id) =>
      done(
        await show(
          `/api/canary/silences/${encodeURIComponent(id)}`,
          z.unknown(),
          false,
          () => `silence ${id} has ended`,
          {
            method: "DELETE",
          },
        ),
      ),
    );
  addDrillCommand(canary, done, () => {
    const remote = loadRemote();
    return remote && remoteApi(remote).request;
  });
  addFleetCommands(canary, done);
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
