/** `canary break` and `canary cure`: an invariant of what `npm start` runs is broken on purpose, and cured. */
import type { Command } from "commander";
import type { z } from "zod";
import { call } from "../../shared/cli/client.ts";
import {
  type AddCommands,
  type CommandContext,
  EXIT,
  loadSchemas,
  withApi,
} from "../../shared/cli/command.ts";
import { UsageError } from "../../shared/cli/errors.ts";
import { besideOrBelow, wrap } from "../../shared/cli/layout.ts";
import { openRemote } from "../../shared/cli/remote.ts";
import { plainJson, printable } from "../../shared/text.ts";
import type { BreakAnswer, FaultsAnswer } from "./breaks-wire.ts";

interface Options {
  readonly fault?: string;
  readonly all?: boolean;
  readonly cycle?: boolean;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

const PASTE = "paste the export line that `npm start` prints";

/** Sends a request to the routes that only `npm start` has. @throws UsageError for what the caller can fix */
async function callLocal<T>(
  context: CommandContext,
  path: string,
  schema: z.ZodType<T>,
  body?: object,
): Promise<T> {
  const remote = context.remote();
  if (!remote) throw new UsageError(`CANARY_URL is missing: ${PASTE}`);
  const api = openRemote(remote);
  const message = body && { method: "POST", body: JSON.stringify(body) };
  const answer = await api.request(`/api/local${path}`, message);
  if (answer.status === 404)
    throw new UsageError(
      `only what \`npm start\` runs can be broken this way, and ${api.names.url} names another canary: ${PASTE}`,
    );
  return (await call({ ...api, request: async () => answer }, path, schema, message)).answer;
}

/** Fits the lines into the terminal, with an indent where a line goes on. */
const wrapped = (lines: readonly string[], width: number, indent = "    "): string[] =>
  lines.flatMap((line) => wrap(printable(line), width, indent, ""));

/** Renders the answer to a break. @param isCycleNext whether a cycle follows */
function breakLines(broken: z.infer<typeof BreakAnswer>, isCycleNext: boolean, width: number): string[] {
  const { invariant_id: id, was_on, since, title, agent, took_hold, expect } = broken;
  return [
    ...wrapped(
      [was_on ? `${id} is broken already, since ${since}: ${title}` : `${id} is broken: ${title}`],
      width,
    ),
    ...wrapped([`  agent      ${agent}`, `  took hold  ${took_hold}`], width, " ".repeat(13)),
    ...wrapped(
      [
        was_on
          ? `cure it with \`bin/canary cure ${id}\``
          : `${expect}${isCycleNext ? "" : ": run `bin/canary cycle`"}`,
      ],
      width,
    ),
  ];
}

/** Renders what can be broken: what is on first, then what can be had, then what can't, and why. */
function faultLines({ faults }: FaultsAnswer, width: number): string[] {
  const rank = ({ on, obstacle }: FaultsAnswer["faults"][number]) => (on ? 0 : obstacle === null ? 1 : 2);
  return [...faults]
    .sort((one, other) => rank(one) - rank(other))
    .flatMap(({ invariant_id, fault, title, obstacle, on }) => {
      const [mark, what] = on
        ? ["✗", `${title}: broken since ${on.since}, on ${on.agent}`]
        : obstacle === null
          ? [" ", title]
          : ["–", `can't be had: ${obstacle}`];
      const head = `${mark} ${invariant_id}  ${fault.padEnd(23)}`;
      return besideOrBelow(printable(head), printable(what), width, "        ");
    });
}

/** Finds which of the invariants have been red, and not recovered. */
async function redAmong(context: CommandContext, ids: readonly string[]): Promise<string[]> {
  const { Status } = await loadSchemas();
  const { answer } = await withApi(context, (api) => call(api, "/api/canary/status", Status));
  const red = answer.invariants.filter(({ red_subjects }) => red_subjects.length > 0).map(({ id }) => id);
  return ids.filter((id) => red.includes(id));
}

/** Says what the next cycle sees of what was cured. */
async function recoveryLines(
  context: CommandContext,
  ids: readonly string[],
  isCycleNext: boolean,
): Promise<string[]> {
  const red = await redAmong(context, ids);
  const unseen = ids.filter((id) => !red.includes(id));
  return [
    ...(red.length === 0
      ? []
      : [`the next cycle sees ${red.join(", ")} recover${isCycleNext ? "" : ": run `bin/canary cycle`"}`]),
    ...(unseen.length === 0
      ? []
      : [`no cycle found ${unseen.join(", ")} red meanwhile: there is nothing to recover`]),
  ];
}

/** Runs one cycle by `canary cycle`, which sets the exit code. */
function runCycle(canary: Command, { env }: CommandContext, { verbose, json }: Options): Promise<unknown> {
  const name = env();
  const words = [
    ...(name === undefined ? [] : ["--env", name]),
    "cycle",
    ...(verbose ? ["--verbose"] : []),
    ...(json ? ["--json"] : []),
  ];
  return canary.parseAsync(words, { from: "user" });
}

/** Finds the id that the user means. @throws UsageError */
const idOf = async (text: string): Promise<string> =>
  (await import("../../shared/cli/ids.ts")).invariantId(text);

/** Adds the commands. */
export const addBreakCommands: AddCommands = (canary, context) => {
  const print = (lines: readonly string[]) => context.print(lines.join("\n"));
  const width = () => context.screen().width;
  const wire = () => import("./breaks-wire.ts");

  canary
    .command("break [invariant]")
    .description("break an invariant of what `npm start` runs; without one: list what can be broken")
    .option("--fault <name>", "which fault, for an invariant that has several (default: its first)")
    .option("--cycle", "run a cycle then")
    .option("-v, --verbose", "of that cycle: every violation, and the query that shows it")
    .option("--json", "the answer and nothing else")
    .action(async (text: string | undefined, options: Options) => {
      const { fault, cycle, json } = options;
      const { BreakAnswer, FaultsAnswer } = await wire();
      if (text === undefined) {
        if (fault !== undefined || cycle) throw new UsageError("name the invariant: canary break S-02");
        const answer = await callLocal(context, "/faults", FaultsAnswer);
        if (json) context.print(plainJson(answer));
        else print(faultLines(answer, width()));
        return context.done(EXIT.green);
      }
      const answer = await callLocal(context, "/break", BreakAnswer, {
        invariant_id: await idOf(text),
        ...(fault !== undefined && { fault }),
      });
      if (json) context.print(plainJson(answer));
      else print(breakLines(answer, cycle === true, width()));
      if (cycle) await runCycle(canary, context, options);
      else context.done(EXIT.green);
    });

  canary
    .command("cure [invariant]")
    .description("undo `canary break`, and read back that it is undone")
    .option("--all", "everything that is broken")
    .option("--cycle", "run a cycle then")
    .option("-v, --verbose", "of that cycle: every violation, and the query that shows it")
    .option("--json", "the answer and nothing else")
    .action(async (text: string | undefined, options: Options) => {
      const { all, cycle, json } = options;
      if ((text === undefined) === (all !== true))
        throw new UsageError("name one invariant, or give --all: bin/canary cure S-02");
      const { CureAnswer } = await wire();
      const ids = text === undefined ? [] : [await idOf(text)];
      const answer = await callLocal(
        context,
        "/cure",
        CureAnswer,
        all ? { all: true } : { invariant_id: ids[0] },
      );
      const { cured } = answer;
      if (json) context.print(plainJson(answer));
      else if (cured.length === 0) print([all ? "nothing is broken" : `${ids[0]} is not broken`]);
      else {
        const done = cured.map(
          ({ invariant_id, title, cure }) => `${invariant_id} is cured: ${title} (${cure})`,
        );
        const curedIds = [...new Set(cured.map(({ invariant_id }) => invariant_id))];
        print(wrapped([...done, ...(await recoveryLines(context, curedIds, cycle === true))], width()));
      }
      if (cycle) await runCycle(canary, context, options);
      else context.done(EXIT.green);
    });
};
