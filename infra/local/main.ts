/** `npm start`: runs the canary on an embedded environment, a cycle at once and then one every five minutes. */
import { Command, InvalidArgumentError } from "commander";
import { Cron } from "croner";
import { renderCycle } from "../../shared/cli/cycle-table.ts";
import { wrap } from "../../shared/cli/layout.ts";
import { screenHere } from "../../shared/cli/screen.ts";
import { loadLocal } from "../../shared/config/local.ts";
import { ConfigError } from "../../shared/config/reader.ts";
import { shellWord } from "../../shared/shell.ts";
import { DAY_MS, parseDuration, SECOND_MS } from "../../shared/time.ts";
import { PASSED_ON } from "../../shared/variables.ts";
import type { Backend } from "../platform/file-client.ts";
import { databaseOption } from "./database-option.ts";
import { startEnvironment } from "./environment.ts";
import { LocalError } from "./local-error.ts";

const DEFAULT_PORT = 8787;
const PART_INDENT = 12;
const DEFAULT_EVERY_SECONDS = 300;

function parseSeconds(text: string): number {
  const ms = parseDuration(text, "smh");
  if (ms !== null && ms >= SECOND_MS && ms <= DAY_MS) return ms / SECOND_MS;
  throw new InvalidArgumentError("give a time from 1s to 24h, such as 30s, 5m or 1h.");
}

function parsePort(text: string): number {
  if (/^\d+$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new InvalidArgumentError("give a port from 0 to 65535; 0 takes a free one.");
}

const {
  every = DEFAULT_EVERY_SECONDS,
  port,
  data,
  database,
} = new Command("npm start --")
  .description("Run the canary on an embedded environment: nothing but this machine is needed")
  .option("--every <time>", "time between cycles, from 1s to 24h (default: 5m)", parseSeconds)
  .option("--port <port>", "port of the API on 127.0.0.1", parsePort, DEFAULT_PORT)
  .option("--data <folder>", "where to make the platform's database (default: a temporary folder)")
  .addOption(databaseOption().default("sqlite"))
  .parse()
  .opts<{ every?: number; port: number; data?: string; database: Backend }>();

const stopping = new AbortController();
const stopped = new Promise<void>((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => {
      stopping.abort();
      resolve();
    });
});

try {
  if (data !== undefined && database === "postgres")
    throw new LocalError("--data is for a SQLite file: PostgreSQL keeps its files in a temporary folder");
  const environment = await startEnvironment({
    ...loadLocal(PASSED_ON),
    port,
    dataFolder: data,
    database,
    isLively: true,
    printMessage: console.log,
  });
  const { url, token, runCycle, parts } = environment;
  console.log("trinity-canary on an embedded environment (Ctrl-C ends it)\n");
  for (const [part, what] of parts)
    console.log(
      wrap(`  ${part.padEnd(9)} ${what}`, screenHere().width, " ".repeat(PART_INDENT), "").join("\n"),
    );
  console.log(
    `  ${"page".padEnd(9)} ${url}/ (sign in with the token)\n  ${"api".padEnd(9)} ${url}\n  ${"token".padEnd(9)} ${token}\n`,
  );
  console.log(`See it red in a minute. In another shell, in this folder:

  export CANARY_URL=${url} CANARY_TOKEN=${shellWord(token)}
  bin/canary break S-02
  bin/canary cycle
  bin/canary cure S-02
`);

  const cycle = async () => {
    const outcome = await runCycle({ trigger: "schedule" });
    if (stopping.signal.aborted) return;
    if (outcome.kind === "busy")
      console.log(`cycle in progress, skipped (retry in ${outcome.retryAfterSeconds} s)\n`);
    else console.log(`${renderCycle(outcome.report, screenHere())}\n`);
  };
  let running = cycle();
  // croner's interval counts from the last start, and `protect` allows one run at a time.
  const schedule = new Cron(
    "* * * * * *",
    { interval: every, startAt: new Date(Date.now() + every * 1000), protect: true },
    () => {
      running = cycle();
      return running;
    },
  );
  await stopped;
  schedule.stop();
  await running;
  await environment.close();
  console.log("stopped, nothing is left running");
} catch (error) {
  console.error(error instanceof LocalError || error instanceof ConfigError ? error.message : error);
  process.exitCode = 1;
}
