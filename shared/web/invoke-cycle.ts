/** Has cycles run, and channels tried, by another function of AWS Lambda, which holds the tokens of sources and channels. */
import type { LambdaFunction } from "../config/lambda-function.ts";
import { type AlertTestCall, type CycleCall, toAlertTestCall, toCall } from "../cycle/call.ts";
import type { CycleOutcome } from "../cycle/outcome.ts";
import { describeError } from "../errors.ts";
import { type HttpAnswer, jsonOf } from "../http.ts";
import { lambdaCaller } from "../lambda.ts";
import { CycleNotRun, type RunCycle, type TestAlerts } from "./cycles.ts";
import { AlertTestSchema, OutcomeSchema } from "./outcome-schema.ts";

/** What the answer to our own caller takes, after the cycle's. */
const ANSWER_MS = 1_000;
/** The longest time limit of a function. */
const LONGEST_MS = 900_000;
const TRY_AGAIN_SECONDS = 10;

const unanswered = (status: 502 | 504, why: string) =>
  new CycleNotRun(
    status,
    "cycle_unanswered",
    `${why}; if the cycle is running, it ends by itself: see the status`,
  );
const late = () => unanswered(504, "the cycle function did not answer in time");
const failed = (what: string) =>
  new CycleNotRun(502, "cycle_failed", `the cycle function ${what}; its log says more`);

type MakeCall = (answerByMs: number) => CycleCall | AlertTestCall;

/**
 * Makes the function that makes a synchronous call of Lambda. It is never sent twice: a second call would only meet the lease
 * of the first. Where the call fails, a cycle has either happened as a whole or not at all.
 */
function invoker(cycleFunction: LambdaFunction) {
  const call = lambdaCaller(cycleFunction);

  return async (timeLeftMs: (() => number) | undefined, makeCall: MakeCall): Promise<unknown> => {
    const leftMs = Math.max(0, (timeLeftMs?.() ?? LONGEST_MS) - ANSWER_MS);
    const signal = AbortSignal.timeout(leftMs);
    try {
      const answer = await call(makeCall(Date.now() + leftMs), signal);
      return answerIn(answer);
    } catch (error) {
      if (error instanceof CycleNotRun) throw error;
      if (signal.aborted) throw late();
      throw unanswered(502, `the cycle function gave no answer (${describeError(error)})`);
    }
  };
}

/** Makes the function that runs a cycle by a call of Lambda. */
export function invokeCycles(cycleFunction: LambdaFunction): RunCycle {
  const invoke = invoker(cycleFunction);
  return async (request) => {
    const body = await invoke(request.timeLeftMs, (answerByMs) => toCall(request, answerByMs));
    // The body itself is relayed: the schema would leave out what it does not name.
    if (!OutcomeSchema.safeParse(body).success)
      throw failed("gave an answer that is not the outcome of a cycle");
    return body as CycleOutcome;
  };
}

/** Makes the function that tries the alert channels by a call of Lambda. */
export function invokeAlertTests(cycleFunction: LambdaFunction): TestAlerts {
  const invoke = invoker(cycleFunction);
  return async ({ channel, timeLeftMs }) => {
    const body = await invoke(timeLeftMs, (answerByMs) => toAlertTestCall(channel, answerByMs));
    const parsed = AlertTestSchema.safeParse(body);
    if (!parsed.success) throw failed("gave an answer that is not the outcome of a test");
    return parsed.data;
  };
}

/** Reads Lambda's answer. @throws CycleNotRun where the function gave none */
function answerIn(answer: HttpAnswer): unknown {
  const { status, headers } = answer;
  if (status === 429) {
    const seconds = Math.ceil(Number(headers["retry-after"])) || TRY_AGAIN_SECONDS;
    const why = "no cycle was started: Lambda runs as many functions as it may; try again";
    throw new CycleNotRun(503, "cycle_throttled", why, seconds);
  }
  if (status >= 500) throw unanswered(502, `Lambda answered HTTP ${status}`);
  if (status !== 200) {
    const why = `no cycle was started: Lambda answered HTTP ${status}`;
    throw new CycleNotRun(502, "cycle_not_started", why);
  }
  const body = jsonOf(answer);
  if (headers["x-amz-function-error"] !== undefined) throw errorOf(Object(body));
  return body;
}

/** Describes an error of the function. Its message stays unseen: it can name what only operators may know. */
function errorOf({ errorType, errorMessage }: { errorType?: unknown; errorMessage?: unknown }): CycleNotRun {
  if (errorType === "ConfigError") {
    const why = "the canary's configuration can't be used; the cycle function's log says what is wrong";
    return new CycleNotRun(503, "misconfigured", why);
  }
  if (/Task timed out/.test(String(errorMessage))) return late();
  const type = typeof errorType === "string" && /^[\w.]{1,60}$/.test(errorType) ? ` (${errorType})` : "";
  return failed(`failed${type}`);
}
