/** The command line: its commands and their exit codes. */
import { Command, CommanderError } from "commander";
import { columnsOf } from "../config/terminal.ts";
import type { Api, LocalTable } from "./client.ts";
import { type AddCommands, type CommandContext, EXIT, type MakeReaders } from "./command.ts";
import { addAgentCommands } from "./commands/agents.ts";
import { addAlertCommands } from "./commands/alert.ts";
import { addCompletionCommand } from "./commands/completion.ts";
import { addCycleCommand } from "./commands/cycle.ts";
import { addDoctorCommand } from "./commands/doctor.ts";
import { addEpisodeCommands } from "./commands/episodes.ts";
import { addExplainCommand } from "./commands/explain.ts";
import { addOpenCommand } from "./commands/open.ts";
import { addSilenceCommands } from "./commands/silences.ts";
import { addStatusCommands } from "./commands/status.ts";
import { addViolationCommands } from "./commands/violations.ts";
import { wrap } from "./layout.ts";
import { findRemote, openRemote, type Remote } from "./remote.ts";
import { LEAST_WIDTH, screenHere, screenOf } from "./screen.ts";

/** The registry of the commands, in the order of the help. */
const COMMANDS: readonly AddCommands[] = [
  addStatusCommands,
  addEpisodeCommands,
  addAgentCommands,
  addViolationCommands,
  addExplainCommand,
  addOpenCommand,
  addSilenceCommands,
  addAlertCommands,
  addCycleCommand,
  addDoctorCommand,
  addCompletionCommand,
];

const MOST_HELP_WIDTH = 100;

interface ProgramOptions {
  readonly version: string;
  /** Commands that need more than a canary. */
  readonly more: readonly AddCommands[];
  /** Starts a table for a canary in this process. */
  readonly startTable: () => Promise<LocalTable>;
  /** Makes what reads Docker daemons for a canary in this process, where they are many. */
  readonly makeReaders: MakeReaders;
}

async function openApi(
  remote: Remote | null,
  needsState: boolean,
  { startTable, makeReaders }: Pick<ProgramOptions, "startTable" | "makeReaders">,
): Promise<Api> {
  if (remote) return openRemote(remote);
  const { openInProcess } = await import("./in-process.ts");
  return openInProcess(needsState, startTable, makeReaders);
}

/** Gives the words to parse. With an unknown command no help is asked for: commander would print that of all of them. */
function wordsFor(canary: Command, words: readonly string[]): readonly string[] {
  const first = words.find((word, i) => !word.startsWith("-") && words[i - 1] !== "--env");
  const isKnown =
    first === undefined || [...canary.commands.map((one) => one.name()), "help"].includes(first);
  return isKnown ? words : words.filter((word) => word !== "--help" && word !== "-h");
}

/** Where nothing limits a line, the help has lines that can be read. */
const helpWidth = () => Math.min(screenHere().width, MOST_HELP_WIDTH);

/** Runs the command that the process arguments name, and returns the exit code. Never throws. */
export async function runProgram(options: ProgramOptions): Promise<number> {
  const { version, more, makeReaders } = options;
  let code: number = EXIT.green;
  const canary = new Command("canary")
    .description("trinity-canary on the command line")
    .version(version, "-V, --version", "the version of this command line")
    .option("--env <environment>", "which environment: its entry in the file of profiles (else CANARY_URL)")
    .configureHelp({ showGlobalOptions: true, minWidthToWrap: LEAST_WIDTH / 3 })
    .configureOutput({ getOutHelpWidth: helpWidth, getErrHelpWidth: helpWidth })
    .exitOverride();
  const env = () => canary.opts<{ env?: string }>().env;
  const remote = () => findRemote(env());
  const context: CommandContext = {
    env,
    remote,
    open: (needsState) => openApi(remote(), needsState, options),
    makeReaders,
    done: (result) => {
      code = result;
    },
    print: (text) => void process.stdout.write(`${text}\n`),
    screen: screenHere,
    hint: async (api, agent) => {
      const { noteOnAgent } = await import("./known-agents.ts");
      const note = await noteOnAgent(api, agent);
      if (note !== null) console.error(note);
    },
  };
  for (const add of [...COMMANDS, ...more]) add(canary, context);
  try {
    await canary.parseAsync(wordsFor(canary, process.argv.slice(2)), { from: "user" });
    return code;
  } catch (error) {
    return exitCodeOf(error);
  }
}

/** Names rather than classes: a part that is loaded from its source has classes of its own. */
const EXPLAINED = ["ConfigError", "UsageError"];

/** Where the built file stands alone, what it leaves in the sources and packages is not there. */
const isElsewhere = (error: unknown): boolean => Object(error).code === "ERR_MODULE_NOT_FOUND";

/** Breaks what an error says into lines that fit where errors are printed. */
function wrappedError(message: string): string {
  const { width } = screenOf(process.stderr, columnsOf());
  return message
    .split("\n")
    .flatMap((line) => wrap(line, width, "  ", ""))
    .join("\n");
}

/** Prints the error, unless commander has done so. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.green : EXIT.usage;
  if (isElsewhere(error)) {
    console.error(
      "this needs the folder of trinity-canary with its packages (npm ci): call the bin/canary that is in it",
    );
    return EXIT.usage;
  }
  const isExplained = error instanceof Error && EXPLAINED.includes(error.name);
  console.error(isExplained ? wrappedError(error.message) : error instanceof Error ? error.message : error);
  return isExplained ? EXIT.usage : EXIT.crash;
}
