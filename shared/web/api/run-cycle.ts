/** `POST /api/canary/run-cycle`: one cycle, now. */
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { KNOWN_IDS, unknownIds } from "../../invariants/index.ts";
import { CycleResponse } from "../../wire/schemas/cycles.ts";
import { timeLimitOf } from "../env.ts";
import { describeIssues, ErrorBody, errorResponse } from "../errors.ts";
import { jsonBody, type RegisterRoutes } from "./route.ts";

const RunCycleRequest = z
  .strictObject({
    invariants: z.array(z.string()).min(1, "name at least one, or leave it out for all").optional(),
  })
  .openapi("RunCycleRequest");

const route = createRoute({
  method: "post",
  path: "/api/canary/run-cycle",
  operationId: "runCycle",
  summary: "Run one cycle now",
  request: { body: { required: false, content: { "application/json": { schema: RunCycleRequest } } } },
  responses: {
    200: jsonBody("The cycle's verdicts, violations and transitions", CycleResponse),
    400: jsonBody("The body is not JSON", ErrorBody),
    401: jsonBody("No or a wrong token", ErrorBody),
    409: jsonBody("Another cycle is in progress; Retry-After says when to try again", ErrorBody),
    422: jsonBody("An invariant that does not exist", ErrorBody),
    503: jsonBody(
      "The verdicts, where the state could not be read or written: nothing opened or closed",
      CycleResponse.extend(ErrorBody.shape),
    ),
    413: jsonBody("The body is too large", ErrorBody),
    502: jsonBody("The function that runs cycles could not be called, or failed", ErrorBody),
    504: jsonBody("It did not answer in time", ErrorBody),
  },
});

/** Reads the ids from the body; undefined means all. Returns an error response for an invalid body. */
async function readIds(c: Context): Promise<{ readonly ids: string[] | undefined } | Response> {
  const text = await c.req.text();
  let body: unknown = {};
  try {
    if (text.trim()) body = JSON.parse(text);
  } catch {
    const detail = 'the body is not JSON: leave it out, or send {"invariants": ["S-01"]}';
    return errorResponse(c, 400, "invalid_json", detail);
  }
  const request = RunCycleRequest.safeParse(body);
  if (!request.success) return errorResponse(c, 422, "invalid_request", describeIssues(request.error));
  const ids = request.data.invariants;
  const unknown = unknownIds(ids ?? []);
  if (unknown.length === 0) return { ids };
  const detail = `unknown ${unknown.length === 1 ? "invariant" : "invariants"}: ${unknown.join(", ")}; ${KNOWN_IDS}`;
  return errorResponse(c, 422, "unknown_invariant", detail);
}

export const registerRunCycle: RegisterRoutes = (app, { runCycle, trigger }) => {
  app.openAPIRegistry.registerPath(route);
  app.post(route.path, async (c) => {
    const read = await readIds(c);
    if (read instanceof Response) return read;
    const outcome = await runCycle({ invariantIds: read.ids, trigger, ...timeLimitOf(c) });
    if (outcome.kind === "done") return c.json(outcome.report);
    if (outcome.kind === "busy") {
      c.header("Retry-After", String(outcome.retryAfterSeconds));
      return errorResponse(c, 409, "cycle_in_progress", "cycle in progress");
    }
    const error = { detail: outcome.reason, code: "state_unavailable", request_id: c.get("requestId") };
    return c.json({ ...outcome.report, ...error }, 503);
  });
};
