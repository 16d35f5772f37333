#!/usr/bin/env node
/** The entry point of the command line. Exit codes: 0 green, 1 red, 2 unknown without red, 254 usage or configuration, 255 crash. */
import { addDrillCommand } from "../infra/drill/commands.ts";
import { addFleetCommands } from "../infra/fleet/commands.ts";
import { addBreakCommands } from "../infra/local/commands.ts";
import { openRemote } from "../shared/cli/client.ts";
import { runProgram } from "../shared/cli/program.ts";

// Set instead of process.exit(): output that is still being written to a pipe must arrive.
process.exitCode = await runProgram({
  more: [
    (canary, { done }) => addDrillCommand(canary, done, () => openRemote()?.request ?? null),
    (canary, { done }) => addFleetCommands(canary, done),
    (canary, context) => addBreakCommands(canary, context, openRemote),
  ],
  startTable: async () => {
    const { startDynamo } = await import("../infra/local/dynamodb.ts");
    return startDynamo();
  },
});
