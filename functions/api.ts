/** The entry point of the function URL: the Hono app behind AWS Lambda. */
import { handle, type LambdaContext, type LambdaEvent } from "hono/aws-lambda";
import { openCanary } from "../shared/canary.ts";
import { ALERTS } from "../shared/config/alerts.ts";
import { loadAccess } from "../shared/config/api.ts";
import { ConfigError, type Environment } from "../shared/config/reader.ts";
import { deployedEnvironment } from "../shared/config/secret.ts";
import { cycleTelemetry } from "../shared/telemetry.ts";
import { SECRET_NAMES } from "../shared/variables.ts";
import { type AppOptions, createApp } from "../shared/web/app.ts";

/** How long a rotated secret may still be used. */
const SECRET_MAX_AGE_MS = 60_000;
/** After a refused token or an invalid secret, the secret is read again: it may have changed. The delay bounds how often. */
const SECRET_MAX_AGE_AFTER_REFUSAL_MS = 2_000;

type HandleEvent = ReturnType<typeof handle>;
type Answer = Awaited<ReturnType<HandleEvent>>;
type FunctionUrlEvent = LambdaEvent & { readonly requestContext: { readonly domainName: string } };

/** Created by the first event and kept until the secret changes. */
let kept: { readonly env: Environment; readonly handleEvent: HandleEvent } | undefined;
/** Whether the last event found a valid configuration. */
let isConfigured = true;
/** The events whose caller was refused. */
const refused = new WeakSet<object>();

async function handlerFor(event: FunctionUrlEvent, maxAgeMs: number): Promise<HandleEvent> {
  // The function's address is unknown when it is deployed, but each request has it.
  const address = `https://${event.requestContext.domainName}/`;
  const allowedAgeMs = isConfigured ? maxAgeMs : SECRET_MAX_AGE_AFTER_REFUSAL_MS;
  isConfigured = false;
  const env = await deployedEnvironment(allowedAgeMs, SECRET_NAMES, { [ALERTS.statusUrl.name]: address });
  if (kept?.env !== env) {
    const canary = openCanary(env, { observe: cycleTelemetry });
    const logError = (line: string) => console.error(line);
    const onRefused: AppOptions["onRefused"] = (c) => c.env.event && refused.add(c.env.event);
    const app = createApp({ canary, ...loadAccess(env), logError, onRefused });
    kept = { env, handleEvent: handle(app) };
  }
  isConfigured = true;
  return kept.handleEvent;
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
export async function handler(event: FunctionUrlEvent, context: LambdaContext): Promise<Answer> {
  try {
    const handleEvent = await handlerFor(event, SECRET_MAX_AGE_MS);
    const response = await handleEvent(event, context);
    if (!refused.has(event)) return response;
    const renewed = await handlerFor(event, SECRET_MAX_AGE_AFTER_REFUSAL_MS);
    return renewed === handleEvent ? response : await renewed(event, context);
  } catch (error) {
    if (error instanceof ConfigError) return misconfigured(error, context);
    throw error;
  }
}
