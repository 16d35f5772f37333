/** `canary break` and `canary cure`: an invariant of what `npm start` runs is broken on purpose, and cured. */
import type { Command } from "commander";
import type { z } from "zod";
import { call } from "../../shared/cli/client.ts";
import { type AddCommands, type CommandContext, EXIT } from "../../shared/cli/command.ts";
import { UsageError } from "../../shared/cli/errors.ts";
import { openRemote } from "../../shared/cli/remote.ts";
import { plainJson, printable } from "../../shared/text.ts";
import type { BreakAnswer, FaultsAnswer } from "./breaks-wire.ts";

interface Options {
  readonly fault?: string;
  readonly all?: boolean;
  readonly cycle?: boolean;
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
  return (await call({ ...api, request: async () => answer }, path, schema)).answer;
}

/** Renders the answer to a break. @param isCycleNext whether a cycle follows */
function breakLines(broken: z.infer<typeof BreakAnswer>, isCycleNext: boolean): string[] {
  const { invariant_id: id, was_on, since, title, agent, took_hold, expect } = broken;
  return [
    was_on ? `${id} is broken already, since ${since}: ${title}` : `${id} is broken: ${title}`,
    `  agent      ${agent}`,
    `  took hold  ${took_hold}`,
    was_on ? `cure it with \`canary cure ${id}\`` : `${expect}${isCycleNext ? "" : ": run `canary cycle`"}`,
  ];
}

/** Renders what can be broken: what is on first, then what can be had, then what can't, and why. */
function faultLines({ faults }: FaultsAnswer): string[] {
  const rank = ({ on, obstacle }: FaultsAnswer["faults"][number]) => (on ? 0 : obstacle === null ? 1 : 2);
  return [...faults]
    .sort((one, other) => rank(one) - rank(other))
    .map(({ invariant_id, fault, title, obstacle, on }) => {
      const [mark, what] = on
        ? ["✗", `${title}: broken since ${on.since}, on ${on.agent}`]
        : obstacle === null
          ? [" ", title]
          : ["–", `can't be had: ${obstacle}`];
      return `${mark} ${invariant_id}  ${fault.padEnd(23)}  ${what}`;
    });
}

/** Runs one cycle by `canary cycle`, which sets the exit code. */
function runCycle(canary: Command, { env }: CommandContext): Promise<unknown> {
  const name = env();
  return canary.parseAsync([...(name === undefined ? [] : ["--env", name]), "cycle"], { from: "user" });
}

/** Adds the commands. */
export const addBreakCommands: AddCommands = (canary, context) => {
  const print = (lines: readonly string[]) => context.print(lines.map(printable).join("\n"));
  const wire = () => import("./breaks-wire.ts");

  canary
    .command("break [invariant]")
    .description("break an invariant of what `npm start` runs; without one: list what can be broken")
    .option("--fault <name>", "which fault, for an invariant that has several (default: its first)")
    .option("--cycle", "run a cycle then")
    .option("--json", "the answer and nothing else")
    .action(async (id: string | undefined, { fault, cycle, json }: Options) => {
      const { BreakAnswer, FaultsAnswer } = await wire();
      if (id === undefined) {
        if (fault !== undefined || cycle) throw new UsageError("name the invariant: canary break S-02");
        const answer = await callLocal(context, "/faults", FaultsAnswer);
        if (json) context.print(plainJson(answer));
        else print(faultLines(answer));
        return context.done(EXIT.green);
      }
      const answer = await callLocal(context, "/break", BreakAnswer, {
        invariant_id: id,
        ...(fault !== undefined && { fault }),
      });
      if (json) context.print(plainJson(answer));
      else print(breakLines(answer, cycle === true));
      if (cycle) await runCycle(canary, context);
      else context.done(EXIT.green);
    });

  canary
    .command("cure [invariant]")
    .description("undo `canary break`, and read back that it is undone")
    .option("--all", "everything that is broken")
    .option("--cycle", "run a cycle then")
    .option("--json", "the answer and nothing else")
    .action(async (id: string | undefined, { all, cycle, json }: Options) => {
      if ((id === undefined) === (all !== true))
        throw new UsageError("name one invariant, or give --all: canary cure S-02");
      const { CureAnswer } = await wire();
      const answer = await callLocal(
        context,
        "/cure",
        CureAnswer,
        all ? { all: true } : { invariant_id: id },
      );
      const { cured } = answer;
      if (json) context.print(plainJson(answer));
      else if (cured.length === 0) print([all ? "nothing is broken" : `${id} is not broken`]);
      else {
        const ids = cured.map(({ invariant_id }) => invariant_id).join(", ");
        print([
          ...cured.map(({ invariant_id, title, cure }) => `${invariant_id} is cured: ${title} (${cure})`),
          `the next cycle sees ${ids} recover${cycle ? "" : ": run `canary cycle`"}`,
        ]);
      }
      if (cycle) await runCycle(canary, context);
      else context.done(EXIT.green);
    });
};
