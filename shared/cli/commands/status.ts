/** `canary status` and `canary watch`. */
import { setTimeout } from "node:timers/promises";
import { InvalidArgumentError } from "commander";
import { plainJson } from "../../text.ts";
import { HOUR_MS, parseDuration, SECOND_MS } from "../../time.ts";
import type { CycleOutline } from "../../wire/schemas/cycles.ts";
import type { StatusBody } from "../../wire/schemas/status.ts";
import { type Api, call } from "../client.ts";
import {
  type AddCommands,
  type CommandContext,
  EXIT,
  type JsonOption,
  loadSchemas,
  pathWith,
  withApi,
  withViewOptions,
} from "../command.ts";
import type { Message } from "../http-request.ts";
import type { ViewOptions } from "../screen.ts";

const PATH = "/api/canary/status";
const EVERY_MS = 30 * SECOND_MS;

/** Reads the cycles of the last 24 hours, newest first. After a failure, returns what was read before it. */
async function readCycles(api: Api, init: Message): Promise<CycleOutline[]> {
  const { CyclesPage } = await loadSchemas();
  const cycles: CycleOutline[] = [];
  let cursor: string | undefined;
  try {
    do {
      const path = pathWith("/api/canary/cycles", { limit: "100", cursor });
      const { answer } = await call(api, path, CyclesPage, init);
      cycles.push(...answer.cycles);
      cursor = answer.next_cursor ?? undefined;
    } while (cursor !== undefined);
  } catch (error) {
    // The current states matter more than the past: they are shown without it.
    console.error(`the last 24 hours can't be shown: ${error instanceof Error ? error.message : error}`);
  }
  return cycles;
}

/** Reads the state of each invariant. */
export const readStatus = async (api: Api, init: Message = {}): Promise<StatusBody> => {
  const { Status } = await loadSchemas();
  return (await call(api, PATH, Status, init)).answer;
};

/** Renders the state of each invariant, and its last 24 hours. */
async function renderWithCycles(
  { screen }: CommandContext,
  api: Api,
  status: StatusBody,
  view: ViewOptions,
  init: Message = {},
): Promise<string> {
  const [cycles, { renderStatus }] = await Promise.all([readCycles(api, init), import("../views/status.ts")]);
  return renderStatus(status, cycles, screen(view));
}

/** Gives 0 if all is green, 1 if something is red, 2 if something is unknown or the last full cycle is too old. */
async function exitCodeOf({ invariants, checked_at }: StatusBody): Promise<number> {
  const { isFresh } = await import("../../web/describe-status.ts");
  const statuses = invariants.map(({ status }) => status);
  if (statuses.includes("red")) return EXIT.red;
  const isCurrent = checked_at !== null && isFresh(Date.parse(checked_at), Date.now());
  // Where all is off, nothing was found green.
  return isCurrent && !statuses.includes("unknown") && statuses.includes("green") ? EXIT.green : EXIT.unknown;
}

interface Options extends JsonOption, ViewOptions {
  readonly exitCode?: boolean;
}

const showStatus = (context: CommandContext, { json, exitCode, ...view }: Options): Promise<void> =>
  withApi(context, async (api) => {
    const status = await readStatus(api);
    context.print(json ? plainJson(status) : await renderWithCycles(context, api, status, view));
    context.done(exitCode ? await exitCodeOf(status) : EXIT.green);
  });

/** Writes the value as one line of JSON. */
const jsonLine = (value: unknown): string => plainJson(value).replace(/\n */g, "");

/** Shows the status again and again until Ctrl-C, which is a normal end. */
async function watchStatus(
  context: CommandContext,
  { every, json, ...view }: JsonOption & ViewOptions & { readonly every: number },
): Promise<void> {
  const { watch } = await import("../watch.ts");
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => stopping.abort());
  await withApi(context, (api) =>
    watch({
      look: async () => {
        const init = { signal: stopping.signal };
        const status = await readStatus(api, init);
        return json ? jsonLine(status) : renderWithCycles(context, api, status, view, init);
      },
      ...(json && { renderError: (error) => jsonLine({ error: error.message }) }),
      everyMs: every,
      signal: stopping.signal,
      write: (text) => void process.stdout.write(text),
      clears: process.stdout.isTTY === true,
      now: Date.now,
      sleep: (ms, signal) => setTimeout(ms, undefined, { signal }),
    }),
  );
  context.done(EXIT.green);
}

function parseEvery(text: string): number {
  const ms = parseDuration(text, "sm");
  if (ms !== null && ms >= SECOND_MS && ms <= HOUR_MS) return ms;
  throw new InvalidArgumentError("give a time from 1s to 60m, such as 30s or 5m.");
}

export const addStatusCommands: AddCommands = (canary, context) => {
  const details = "every fact of every invariant";
  withViewOptions(
    canary
      .command("status")
      .description("what is red, unknown and green, for how long, and the last 24 hours of each")
      .option("--exit-code", "exit with 0 green, 1 red, 2 unknown or not checked for 15 minutes"),
    details,
  )
    .option("--json", "the response and nothing else")
    .action((options) => showStatus(context, options));
  withViewOptions(
    canary
      .command("watch")
      .description("the same, again and again until Ctrl-C; what goes wrong is shown, and it goes on")
      // The text has the default in the words of the user, and commander's own would be in ms.
      .option("--every <time>", "time between two looks, from 1s to 60m (default: 30s)", parseEvery),
    details,
  )
    .option("--json", "one line with the response for each look and nothing else")
    .action(({ every = EVERY_MS, ...options }) => watchStatus(context, { every, ...options }));
};
