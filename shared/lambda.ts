/** Calls of functions of AWS Lambda, signed with the role of the function that makes them. */
import { defaultProvider } from "@aws-sdk/credential-provider-node";
import { AwsClient } from "aws4fetch";
import type { LambdaFunction } from "./config/lambda-function.ts";
import { type HttpAnswer, send } from "./http.ts";

/** More than a function may answer. */
const MAX_ANSWER_BYTES = 8_000_000;

/**
 * Makes what calls a function and waits for its answer. A call is never sent twice.
 * @returns a function that takes the event and gives Lambda's answer, of any status; it throws as `send` does
 */
export function lambdaCaller({ name, region, endpoint }: LambdaFunction) {
  const credentials = defaultProvider();
  const url = `${endpoint}/2015-03-31/functions/${encodeURIComponent(name)}/invocations`;

  return async (event: object, signal: AbortSignal): Promise<HttpAnswer> => {
    const body = JSON.stringify(event);
    const client = new AwsClient({ ...(await credentials()), service: "lambda", region });
    const headers = { "x-amz-invocation-type": "RequestResponse" };
    const signed = await client.sign(url, { method: "POST", headers, body });
    // On a connection of its own: one that was kept over the function's freeze may be dead.
    return send({
      url,
      method: "POST",
      headers: Object.fromEntries(signed.headers),
      body,
      maxBytes: MAX_ANSWER_BYTES,
      isOnce: true,
      signal,
    });
  };
}
