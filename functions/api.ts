/** The entry point of the function URL: the Hono app behind AWS Lambda. Another function runs the cycles. */
import type { Context } from "hono";
import { handle, type LambdaContext, type LambdaEvent } from "hono/aws-lambda";
import { openAppCanary } from "../shared/app-canary.ts";
import { API_SECRET_NAMES, loadAccess } from "../shared/config/api.ts";
import { loadCycleFunction } from "../shared/config/lambda-function.ts";
import { ConfigError, type Environment } from "../shared/config/reader.ts";
import { deployedEnvironment } from "../shared/config/secret.ts";
import { wrongTokenTelemetry } from "../shared/telemetry.ts";
import { createApp } from "../shared/web/app.ts";
import type { ApiEnv } from "../shared/web/env.ts";
import { invokeAlertTests, invokeCycles } from "../shared/web/invoke-cycle.ts";

/** How long a rotated secret may still be used. */
const SECRET_MAX_AGE_MS = 60_000;
/** After a refused token or an invalid secret, the secret is read again: it may have changed. The delay bounds how often. */
const SECRET_MAX_AGE_AFTER_REFUSAL_MS = 2_000;

type HandleEvent = ReturnType<typeof handle>;
type Answer = Awaited<ReturnType<HandleEvent>>;

/** The app with one version of the secret. */
interface Kept {
  readonly env: Environment;
  readonly handleEvent: HandleEvent;
  readonly countWrongToken: () => void;
}

/** Created by the first event and kept until the secret changes. */
let kept: Kept | undefined;
/** Whether the last event found a valid configuration. */
let isConfigured = true;
/** The events whose caller was refused, and whether a token was sent. */
const refused = new WeakMap<object, { readonly hadToken: boolean }>();

/** Whether the caller sent a token: who sent none has not guessed. */
const hasSentToken = ({ req }: Context<ApiEnv>): boolean =>
  req.header("authorization") !== undefined || (req.method === "POST" && req.path === "/sign-in");

function openApp(env: Environment): Kept {
  const canary = openAppCanary(env);
  const cycleFunction = loadCycleFunction(env);
  const app = createApp({
    canary,
    runCycle: invokeCycles(cycleFunction),
    testAlerts: invokeAlertTests(cycleFunction),
    ...loadAccess(env),
    logError: (line) => console.error(line),
    onRefused: (c) => c.env.event && refused.set(c.env.event, { hadToken: hasSentToken(c) }),
  });
  const countWrongToken = wrongTokenTelemetry(canary.alerts.environment);
  return { env, handleEvent: handle(app), countWrongToken };
}

async function appFor(maxAgeMs: number): Promise<Kept> {
  const allowedAgeMs = isConfigured ? maxAgeMs : SECRET_MAX_AGE_AFTER_REFUSAL_MS;
  isConfigured = false;
  const env = await deployedEnvironment(allowedAgeMs, API_SECRET_NAMES);
  if (kept?.env !== env) kept = openApp(env);
  isConfigured = true;
  return kept;
}

/** Makes the answer to an invalid configuration. It has no details: without a configuration no caller is authorized. */
function misconfigured(error: ConfigError, { awsRequestId }: LambdaContext): Answer {
  for (const problem of error.problems) console.error(`${awsRequestId} configuration: ${problem}`);
  const detail = "the canary's configuration can't be used; the function's log says what is wrong";
  return {
    statusCode: 503,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ detail, code: "misconfigured", request_id: awsRequestId }),
    isBase64Encoded: false,
  };
}

/** Answers one HTTP request. */
export async function handler(event: LambdaEvent, context: LambdaContext): Promise<Answer> {
  try {
    const app = await appFor(SECRET_MAX_AGE_MS);
    let response = await app.handleEvent(event, context);
    if (!refused.has(event)) return response;
    const renewed = await appFor(SECRET_MAX_AGE_AFTER_REFUSAL_MS);
    if (renewed !== app) {
      refused.delete(event);
      response = await renewed.handleEvent(event, context);
    }
    if (refused.get(event)?.hadToken) renewed.countWrongToken();
    return response;
  } catch (error) {
    if (error instanceof ConfigError) return misconfigured(error, context);
    throw error;
  }
}
