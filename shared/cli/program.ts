/** The command line: its commands and their exit codes. */
import { Command, CommanderError } from "commander";
import pc from "picocolors";
import { ConfigError } from "../config/reader.ts";
import type { LocalTable } from "./client.ts";
import { openApi, UsageError } from "./client.ts";
import { type AddCommands, type CommandContext, EXIT } from "./command.ts";
import { addCycleCommand } from "./commands/cycle.ts";
import { addDoctorCommand } from "./commands/doctor.ts";
import { addSilenceCommands } from "./commands/silences.ts";
import { addStatusCommands } from "./commands/status.ts";
import { addViolationsCommand } from "./commands/violations.ts";

/** The registry of the commands, in the order of the help. */
const COMMANDS: readonly AddCommands[] = [
  addDoctorCommand,
  addCycleCommand,
  addViolationsCommand,
  addStatusCommands,
  addSilenceCommands,
];

interface ProgramOptions {
  /** Commands that need more than a canary. */
  readonly more: readonly AddCommands[];
  /** Starts a table for a canary in this process. */
  readonly startTable: () => Promise<LocalTable>;
}

/** Runs the command that the process arguments name, and returns the exit code. Never throws. */
export async function runProgram({ more, startTable }: ProgramOptions): Promise<number> {
  let code: number = EXIT.green;
  const context: CommandContext = {
    open: (needsState) => openApi(needsState, startTable),
    done: (result) => {
      code = result;
    },
    print: (text) => void process.stdout.write(`${text}\n`),
    colour: pc.isColorSupported && process.stdout.isTTY === true,
  };
  const canary = new Command("canary").description("trinity-canary on the command line").exitOverride();
  for (const add of [...COMMANDS, ...more]) add(canary, context);
  try {
    await canary.parseAsync();
    return code;
  } catch (error) {
    return exitCodeOf(error);
  }
}

/** Prints the error, unless commander has done so. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.green : EXIT.usage;
  console.error(error instanceof Error ? error.message : error);
  return error instanceof ConfigError || error instanceof UsageError ? EXIT.usage : EXIT.crash;
}
