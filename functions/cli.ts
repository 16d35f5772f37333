#!/usr/bin/env node
/** The entry point of the command line. Exit codes: 0 green, 1 red, 2 unknown without red, 254 usage or configuration, 255 crash. */
import { addDrillCommand } from "../infra/drill/commands.ts";
import { addFleetCommands } from "../infra/fleet/commands.ts";
import { openRemote } from "../shared/cli/client.ts";
import { runProgram } from "../shared/cli/program.ts";

// The SDK would tell every user on Node 20 that it will not support it one day: nothing that they can act on.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";

// Set rather than called: what is still being written to a pipe must arrive.
process.exitCode = await runProgram({
  more: [
    (canary, { done }) => addDrillCommand(canary, done, () => openRemote()?.request ?? null),
    (canary, { done }) => addFleetCommands(canary, done),
  ],
  startTable: async () => {
    const { startDynamo } = await import("../infra/local/dynamodb.ts");
    return startDynamo();
  },
});
