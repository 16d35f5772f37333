/**
 * Runs one cycle in a new process, so that a test can kill it: `node crashing-cycle.ts <ms ahead>`.
 * The variables are those of a canary, and DYNAMO_ENDPOINT. Prints the outcome as JSON.
 */
import { openCanary } from "../../shared/canary.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";

const aheadMs = Number(process.argv[2]);
const canary = openCanary(process.env, {
  state: { endpoint: process.env.DYNAMO_ENDPOINT!, table: process.env.STATE_TABLE! },
  now: () => Date.now() + aheadMs,
});
const outcome = await runCycle(canary, { trigger: "schedule" });
process.stdout.write(JSON.stringify(outcome));
