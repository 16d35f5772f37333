/** The option of every command that simulates a platform here. It loads no database, so that a help text stays fast. */
import { Option } from "commander";
import type { Backend } from "../platform/file-client.ts";

export const BACKENDS = ["sqlite", "postgres"] as const satisfies readonly Backend[];

/** @param when begins its description, for a command that does more than simulate */
export const databaseOption = (when = ""): Option =>
  new Option(
    "--database <name>",
    `${when}where the platform keeps its rows: postgres is the server of this machine, else one in this process`,
  ).choices(BACKENDS);
