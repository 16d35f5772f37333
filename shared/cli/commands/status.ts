/** `canary status` and `canary watch`. */
import { setTimeout } from "node:timers/promises";
import { InvalidArgumentError } from "commander";
import { HOUR_MS, parseDuration, SECOND_MS } from "../../time.ts";
import type { CycleOutline } from "../../wire/schemas.ts";
import { type Api, call } from "../client.ts";
import { type AddCommands, type CommandContext, EXIT, loadViews, show, withApi } from "../command.ts";

const PATH = "/api/canary/status";
const EVERY_MS = 30 * SECOND_MS;

/** Reads the cycles of the last 24 hours, newest first. After a failure, returns what was read before it. */
async function readCycles(api: Api, init: RequestInit): Promise<CycleOutline[]> {
  const { CyclesPage } = await loadViews();
  const cycles: CycleOutline[] = [];
  let cursor: string | null = null;
  try {
    do {
      const next: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const { answer } = await call(api, `/api/canary/cycles?limit=100${next}`, CyclesPage, init);
      cycles.push(...answer.cycles);
      cursor = answer.next_cursor;
    } while (cursor !== null);
  } catch (error) {
    // The current states matter more than the past: they are shown without it.
    console.error(`the last 24 hours can't be shown: ${error instanceof Error ? error.message : error}`);
  }
  return cycles;
}

/** Renders the state of each invariant, and its last 24 hours. */
async function lookAtStatus({ colour }: CommandContext, api: Api, init: RequestInit = {}): Promise<string> {
  const { Status, renderStatus } = await loadViews();
  const { answer } = await call(api, PATH, Status, init);
  return renderStatus(answer, await readCycles(api, init), Date.now(), colour);
}

async function showStatus(context: CommandContext, json: boolean | undefined): Promise<void> {
  const { Status: schema } = await loadViews();
  if (json) return show(context, { path: PATH, schema, json, render: String });
  return withApi(context, async (api) => {
    context.print(await lookAtStatus(context, api));
    context.done(EXIT.green);
  });
}

/** Shows the status again and again until Ctrl-C, which is a normal end. */
async function watchStatus(context: CommandContext, everyMs: number): Promise<void> {
  const { watch } = await import("../watch.ts");
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => stopping.abort());
  await withApi(context, (api) =>
    watch({
      look: () => lookAtStatus(context, api, { signal: stopping.signal }),
      everyMs,
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
  canary
    .command("status")
    .description("what is red, unknown and green, since when, and the last 24 hours of each")
    .option("--json", "the response and nothing else")
    .action(({ json }) => showStatus(context, json));
  canary
    .command("watch")
    .description("the same, again and again until Ctrl-C; what goes wrong is shown, and it goes on")
    .option("--every <time>", "time between two looks, from 1s to 60m (default: 30s)", parseEvery, EVERY_MS)
    .action(({ every }) => watchStatus(context, every));
};
