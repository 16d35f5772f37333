/**
 * The entry point of the function that runs cycles. EventBridge Scheduler invokes it every five minutes, and the API
 * function whenever somebody asks for a cycle.
 */
import type { Context } from "aws-lambda";
import { type AlertTest, testAlerts } from "../shared/alerts/alert-test.ts";
import { type Canary, openCanary } from "../shared/canary.ts";
import { loadReaderFunction } from "../shared/config/lambda-function.ts";
import type { Environment } from "../shared/config/reader.ts";
import { deployedEnvironment } from "../shared/config/secret.ts";
import { readAlertTestCall, readCall } from "../shared/cycle/call.ts";
import type { CycleOutcome } from "../shared/cycle/outcome.ts";
import { runCycle } from "../shared/cycle/run-cycle.ts";
import { cycleTelemetry } from "../shared/telemetry.ts";
import { CYCLE_SECRET_NAMES } from "../shared/variables.ts";

/** Each cycle reads the secret: a rotated secret takes effect in the next cycle. */
const SECRET_MAX_AGE_MS = 0;

/** Created by the first event and kept until the secret changes. */
let kept: { readonly env: Environment; readonly canary: Canary } | undefined;

async function open(env: Environment): Promise<Canary> {
  const readerFunction = loadReaderFunction(env);
  // Only where there is one: what signs its calls is not read at each start.
  const callReader =
    readerFunction &&
    (await import("../shared/sources/docker/lambda-reader.ts")).lambdaReader(readerFunction);
  return openCanary(env, { observe: cycleTelemetry, callReader: callReader ?? undefined });
}

/**
 * Runs one cycle, or tries the alert channels.
 * @param event a call of the API function; anything else is the event of the schedule
 * @returns what came of a call: the caller says what it means, and the invocation has not failed
 * @throws if the configuration is invalid; for a schedule also if the state could not be read or written: the invocation
 *   then counts as failed
 */
export async function handler(
  event: unknown,
  context?: Context,
): Promise<CycleOutcome | AlertTest | undefined> {
  const ownLeftMs = () => context?.getRemainingTimeInMillis() ?? Infinity;
  const call = readCall(event, Date.now);
  const env = await deployedEnvironment(SECRET_MAX_AGE_MS, CYCLE_SECRET_NAMES);
  if (kept?.env !== env) kept = { env, canary: await open(env) };
  const test = readAlertTestCall(event);
  if (test) return testAlerts(kept.canary, test.channel);
  if (call)
    return runCycle(kept.canary, { ...call, timeLeftMs: () => Math.min(ownLeftMs(), call.timeLeftMs()) });
  const outcome = await runCycle(kept.canary, { trigger: "schedule", timeLeftMs: ownLeftMs });
  if (outcome.kind === "stateless") throw new Error(outcome.reason);
  return undefined;
}
