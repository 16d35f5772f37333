/** Measures the CPU of commands of the built command line, against a Node that does nothing. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { EMPTY_MEMORY } from "../../shared/cycle/memory.ts";
import { checksOf } from "../../shared/invariants/checks.ts";
import { describeStatus } from "../../shared/web/describe-status.ts";
import { buildCli } from "../cli/build.ts";
import { serve } from "../local/serve.ts";

const CANARY = fileURLToPath(new URL("../../bin/canary", import.meta.url));
const COMMANDS = {
  "node -e 0": [process.execPath, "-e", "0"],
  "canary --help": [CANARY, "--help"],
  "canary --version": [CANARY, "--version"],
  "canary explain S-02": [CANARY, "explain", "S-02"],
  "canary status": [CANARY, "status"],
} as const;
type Name = keyof typeof COMMANDS;
const NAMES = Object.keys(COMMANDS) as Name[];

/** Says at its end how much CPU the process took, in µs. What the shell before it took counts, too: it is the same process. */
const PROBE = `data:text/javascript,${encodeURIComponent(
  'process.on("exit",()=>{const{user,system}=process.cpuUsage();process._rawDebug("cpu",user+system)})',
)}`;

/** The CPU of each run of a command, in ms. */
export type CliReport = Readonly<Record<Name, readonly number[]>>;

function measure(name: Name, variables: Readonly<Record<string, string>>): Promise<number> {
  const [file, ...args] = COMMANDS[name];
  const env = { PATH: process.env.PATH, NODE_OPTIONS: `--import ${PROBE}`, ...variables };
  return new Promise((resolve, reject) => {
    execFile(file, args, { env }, (_, _out, err) => {
      const [, micros] = /^cpu (\d+)$/m.exec(err) ?? [];
      if (micros === undefined) reject(new Error(`${name}: ${err}`));
      else resolve(Number(micros) / 1000);
    });
  });
}

/** Answers as a canary does that has never been red. */
const serveStatus = () =>
  serve(
    {
      fetch: (request: Request) =>
        Response.json(
          request.url.includes("/cycles")
            ? { cycles: [], next_cursor: null }
            : describeStatus(checksOf({ off: [], on: [], severities: {} }), EMPTY_MEMORY, [], Date.now()),
        ),
    },
    0,
  );

/** Runs each command that often. They take turns, so that what else the machine does affects all alike. */
export async function measureCli(runs: number): Promise<CliReport> {
  await buildCli();
  const server = await serveStatus();
  const variables = { CANARY_URL: server.url, CANARY_TOKEN: "token" };
  try {
    const report = Object.fromEntries(NAMES.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
    for (const name of NAMES) await measure(name, variables);
    for (let run = 0; run < runs; run += 1)
      for (const name of NAMES) report[name].push(await measure(name, variables));
    return report;
  } finally {
    await server.close();
  }
}
