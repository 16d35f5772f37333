import { createRoute } from "@hono/zod-openapi";
import type { Canary } from "../../canary.ts";
import { runCycle } from "../../cycle/run-cycle.ts";
import { KNOWN_IDS, unknownIds } from "../../invariants/index.ts";
import { CycleResponse, RunCycleRequest } from "../../wire/schemas.ts";
import { type App, describeIssues, ErrorBody, errorResponse, jsonBody } from "../errors.ts";

const route = createRoute({
  method: "post",
  path: "/api/canary/run-cycle",
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
  },
});

/** `POST /api/canary/run-cycle`. The body is read by hand: none at all means every invariant. */
export function registerRunCycle(app: App, canary: Canary, trigger: string): void {
  app.openAPIRegistry.registerPath(route);
  app.post(route.path, async (c) => {
    const text = await c.req.text();
    let body: unknown = {};
    try {
      if (text.trim()) body = JSON.parse(text);
    } catch {
      return errorResponse(
        c,
        400,
        "invalid_json",
        'the body is not JSON: leave it out, or send {"invariants": ["S-01"]}',
      );
    }
    const request = RunCycleRequest.safeParse(body);
    if (!request.success) return errorResponse(c, 422, "invalid_request", describeIssues(request.error));
    const { invariants } = request.data;
    const unknown = unknownIds(invariants ?? []);
    if (unknown.length > 0) {
      return errorResponse(
        c,
        422,
        "unknown_invariant",
        `unknown invariant(s): ${unknown.join(", ")}; ${KNOWN_IDS}`,
      );
    }

    const context = c.env?.lambdaContext;
    const outcome = await runCycle(canary, {
      invariantIds: invariants,
      trigger,
      ...(context && { timeLeftMs: () => context.getRemainingTimeInMillis() }),
    });
    if (outcome.kind === "busy") {
      c.header("Retry-After", String(outcome.retryAfterSeconds));
      return errorResponse(c, 409, "cycle_in_progress", "cycle in progress");
    }
    if (outcome.kind === "stateless")
      return c.json(
        {
          ...outcome.report,
          detail: outcome.reason,
          code: "state_unavailable",
          request_id: c.get("requestId"),
        },
        503,
      );
    return c.json(outcome.report);
  });
}
