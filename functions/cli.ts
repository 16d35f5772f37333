#!/usr/bin/env node
/** The entry point of the command line. Exit codes: 0 green, 1 red, 2 unknown without red, 254 usage or configuration, 255 crash. */
import { addDrillCommand } from "../infra/drill/commands.ts";
import { addFleetCommands } from "../infra/fleet/commands.ts";
import { addBreakCommands } from "../infra/local/commands.ts";
import { runProgram } from "../shared/cli/program.ts";
import { findWatching, openRemote } from "../shared/cli/remote.ts";
import { VERSION } from "../shared/version.ts";

/** Connects to the canary that watches an environment. */
function connect(environment: string) {
  const remote = findWatching(environment);
  return remote && openRemote(remote).request;
}

// Set instead of process.exit(): output that is still being written to a pipe must arrive.
process.exitCode = await runProgram({
  version: VERSION,
  more: [(canary, context) => addDrillCommand(canary, context, connect), addFleetCommands, addBreakCommands],
  startTable: async () => {
    const { startDynamo } = await import("../infra/local/dynamodb.ts");
    return startDynamo();
  },
  makeReaders: async (env) => (await import("../infra/local/reader-processes.ts")).readerProcesses(env),
});
