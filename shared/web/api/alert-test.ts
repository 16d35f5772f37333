/** `POST /api/canary/alert-test`: sends a test to the channels, and says what each answered. */
import { createRoute } from "@hono/zod-openapi";
import type { Context } from "hono";
import { AlertTestRequest, AlertTestResponse } from "../../wire/alert-test.ts";
import { timeLimitOf } from "../env.ts";
import { describeIssues, ErrorBody, errorResponse } from "../errors.ts";
import { jsonBody, type RegisterRoutes } from "./route.ts";

const route = createRoute({
  method: "post",
  path: "/api/canary/alert-test",
  summary: "Send a test to the alert channels",
  operationId: "testAlerts",
  request: { body: { required: false, content: { "application/json": { schema: AlertTestRequest } } } },
  responses: {
    200: jsonBody("What each channel answered; empty where there is none", AlertTestResponse),
    400: jsonBody("The body is not JSON", ErrorBody),
    401: jsonBody("No or a wrong token", ErrorBody),
    413: jsonBody("The body is too large", ErrorBody),
    422: jsonBody("A channel that is not configured", ErrorBody),
    502: jsonBody("The function that has the channels' secrets could not be called, or failed", ErrorBody),
    504: jsonBody("It did not answer in time", ErrorBody),
  },
});

/** Reads the channel from the body; undefined means all. Returns an error response for an invalid body. */
async function readChannel(c: Context): Promise<{ readonly channel: string | undefined } | Response> {
  const text = await c.req.text();
  let body: unknown = {};
  try {
    if (text.trim()) body = JSON.parse(text);
  } catch {
    const detail = 'the body is not JSON: leave it out, or send {"channel": "slack"}';
    return errorResponse(c, 400, "invalid_json", detail);
  }
  const request = AlertTestRequest.safeParse(body);
  if (request.success) return { channel: request.data.channel };
  return errorResponse(c, 422, "invalid_request", describeIssues(request.error));
}

export const registerAlertTest: RegisterRoutes = (app, { testAlerts }) => {
  app.openAPIRegistry.registerPath(route);
  app.post(route.path, async (c) => {
    const read = await readChannel(c);
    if (read instanceof Response) return read;
    const { channel } = read;
    const { channels, results } = await testAlerts({ channel, ...timeLimitOf(c) });
    if (channel === undefined || channels.includes(channel)) return c.json({ results });
    const known = channels.length > 0 ? `give one of ${channels.join(", ")}` : "no channel is configured";
    const detail = `there is no channel ${JSON.stringify(channel)} here: ${known}`;
    return errorResponse(c, 422, "unknown_channel", detail);
  });
};
