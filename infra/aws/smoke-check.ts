/**
 * `node infra/aws/smoke-check.ts FILE [TRIES] [PAUSE_SECONDS]`: waits until the canary that was just deployed has
 * completed a full cycle. That proves its schedule, secret, state and API, whatever the cycle found.
 */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { environmentWith } from "../../shared/config/reader.ts";
import { isFresh } from "../../shared/web/describe-status.ts";

/** Together longer than the five minutes to the next cycle and the duration of that cycle. */
const [TRIES, PAUSE_SECONDS] = [32, 15];
const ANSWER_MS = 20_000;
const CLI = fileURLToPath(new URL("../../functions/cli.ts", import.meta.url));
const RUNTIME = new URL("../runtime.mjs", import.meta.url).href;

/** Reads the API's address from what `cdk deploy --outputs-file` wrote; null where it names none. */
function apiUrlOf(file: string): string | null {
  const stacks: Record<string, Record<string, string>> = JSON.parse(readFileSync(file, "utf8"));
  const outputs = Object.values(stacks).flatMap((stack) => Object.entries(stack));
  return outputs.find(([name]) => name.startsWith("CanaryApiUrl"))?.[1] ?? null;
}

/** Reads when the last full cycle was. A function URL that requires signatures answers 403 to a request without one. */
async function checkedAt(url: string): Promise<string | null> {
  const health = await fetch(new URL("healthz", url), { signal: AbortSignal.timeout(ANSWER_MS) });
  if (health.status !== 403) return ((await health.json()) as { checked_at: string | null }).checked_at;
  const env = { ...environmentWith({ CANARY_URL: url, CANARY_AUTH: "iam" }) };
  const command = ["--import", RUNTIME, CLI, "status", "--json"];
  return JSON.parse((await promisify(execFile)(process.execPath, command, { env })).stdout).checked_at;
}

async function main([file, tries = TRIES, pauseSeconds = PAUSE_SECONDS]: readonly (
  | string
  | number
)[]): Promise<string | null> {
  const url = file === undefined ? null : apiUrlOf(String(file));
  if (url === null)
    return "give the file that cdk deploy --outputs-file wrote; it has to name a CanaryApiUrl";
  const startedAtMs = Date.now();
  for (let attempt = 1; attempt <= Number(tries); attempt += 1) {
    const last = await checkedAt(url).catch((error: Error) => `no answer (${error.message.split("\n")[0]})`);
    const atMs = Date.parse(last ?? "");
    if (atMs > startedAtMs && isFresh(atMs, Date.now())) {
      console.log(`a full cycle was completed at ${last}`);
      return null;
    }
    console.log(`try ${attempt} of ${tries}: no full cycle since the deployment; last: ${last ?? "none"}`);
    if (attempt < Number(tries))
      await new Promise((resolve) => setTimeout(resolve, Number(pauseSeconds) * 1000));
  }
  return `${url} completed no full cycle: see the log of the cycle function`;
}

const problem = await main(process.argv.slice(2));
if (problem !== null) {
  console.error(`smoke-check: ${problem}`);
  process.exitCode = 1;
}
