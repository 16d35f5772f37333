/** What the programs that prove something by running for long share: their numbers, their signals, their exit codes. */
import { CommanderError, InvalidArgumentError } from "commander";

/** 0 and 1 are what was proven; the others say that nothing was. */
export const EXIT = { held: 0, broken: 1, usage: 254, crash: 255 } as const;

/**
 * Makes the function that parses an option's number.
 * @throws InvalidArgumentError, by that function, for anything but a number in the range
 */
export const numberFrom =
  (least: number, most: number, { whole = true } = {}) =>
  (text: string): number => {
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most && (!whole || Number.isInteger(value))) return value;
    throw new InvalidArgumentError(`give a ${whole ? "whole " : ""}number from ${least} to ${most}.`);
  };

/** The class of the errors that a program explains to its user, in one line. */
type Explained = new (message: string) => Error;

/** A signal that is aborted, with such an error, when the process is told to end. */
export function stoppedByUser(Explained: Explained): AbortSignal {
  const stopping = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(name, () => stopping.abort(new Explained(`stopped by ${name} before its end`)));
  return stopping.signal;
}

/**
 * Runs the program, and sets the exit code of the process.
 * @param run returns the exit code; an error of one of the classes is the user's, any other is the program's own
 */
export async function runProgram(run: () => Promise<number>, ...explained: Explained[]): Promise<void> {
  // Set rather than called: what is still being written to a pipe must arrive.
  process.exitCode = await run().catch((error: unknown) => {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.held : EXIT.usage;
    const isExplained = explained.some((one) => error instanceof one);
    console.error(isExplained ? (error as Error).message : error);
    return isExplained ? EXIT.usage : EXIT.crash;
  });
}
