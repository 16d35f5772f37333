/** The variable that says how wide the output is. */
import { type Environment, reader } from "./reader.ts";
import { text } from "./variable.ts";

export const TERMINAL = {
  columns: text(
    "COLUMNS",
    "how many columns the command line may use; left out: as many as the terminal has",
  ),
};

/** Reads how wide the user wants the output; null where that is not said. */
export function columnsOf(env: Environment = process.env): number | null {
  const { columns } = reader(env).values(TERMINAL);
  return /^[1-9]\d{0,4}$/.test(columns ?? "") ? Number(columns) : null;
}
