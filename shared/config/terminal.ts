/** The variables that say how the command line shows something. */
import { type Environment, reader } from "./reader.ts";
import { text } from "./variable.ts";

export const TERMINAL = {
  columns: text(
    "COLUMNS",
    "how many columns the command line may use; left out: as many as the terminal has",
  ),
  display: text("DISPLAY", "an X server, on which `canary open` finds a browser"),
  wayland: text("WAYLAND_DISPLAY", "a Wayland server, likewise"),
};

/** Reads how wide the user wants the output; null where that is not said. */
export function columnsOf(env: Environment = process.env): number | null {
  const { columns } = reader(env).values(TERMINAL);
  return /^[1-9]\d{0,4}$/.test(columns ?? "") ? Number(columns) : null;
}

/** Says whether a window can be opened. */
export function hasScreen(env: Environment = process.env): boolean {
  const { display, wayland } = reader(env).values(TERMINAL);
  return display !== null || wayland !== null;
}

/** The folders in which programs are looked for. */
export const searchPath = (env: Environment = process.env): string => env.PATH ?? "";
