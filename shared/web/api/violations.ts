import { createRoute, z } from "@hono/zod-openapi";
import type { Canary } from "../../canary.ts";
import { dayOf, keptRange } from "../../store/table.ts";
import {
  RangeQuery,
  Violation,
  ViolationStats,
  ViolationsPage,
  ViolationsQuery,
} from "../../wire/schemas.ts";
import { type App, ErrorBody, errorResponse, jsonBody } from "../errors.ts";

const list = createRoute({
  method: "get",
  path: "/api/canary/violations",
  summary: "Violations, newest first",
  request: { query: ViolationsQuery },
  responses: {
    200: jsonBody("A page of violations", ViolationsPage),
    422: jsonBody("A bad parameter", ErrorBody),
  },
});

const stats = createRoute({
  method: "get",
  path: "/api/canary/violations/stats",
  summary: "How many violations there were, by invariant, severity and UTC day",
  request: { query: RangeQuery },
  responses: { 200: jsonBody("The counters", ViolationStats), 422: jsonBody("A bad parameter", ErrorBody) },
});

const one = createRoute({
  method: "get",
  path: "/api/canary/violations/{id}",
  summary: "One violation",
  request: { params: z.object({ id: z.string() }) },
  responses: {
    200: jsonBody("The violation", Violation),
    404: jsonBody("There is none with that id", ErrorBody),
  },
});

/** The routes under `/api/canary/violations`. */
export function registerViolations(app: App, { store, now }: Canary): void {
  app.openapi(stats, async (c) => {
    const { start_time, end_time } = c.req.valid("query");
    const range = keptRange(start_time, end_time, now());
    const days = await store.stats(range);
    const sums = { by_invariant: {}, by_severity: {}, by_day: {} } as Record<string, Record<string, number>>;
    let total = 0;
    for (const { day, counts } of days)
      for (const { invariantId, severity, count } of counts) {
        total += count;
        for (const [sum, key] of [
          [sums.by_invariant, invariantId],
          [sums.by_severity, severity],
          [sums.by_day, day],
        ] as const)
          sum![key] = (sum![key] ?? 0) + count;
      }
    return c.json(
      {
        start_day: dayOf(range.startMs),
        end_day: dayOf(range.endMs),
        total,
        by_invariant: sums.by_invariant!,
        by_severity: sums.by_severity!,
        by_day: sums.by_day!,
      },
      200,
    );
  });

  app.openapi(one, async (c) => {
    const { id } = c.req.valid("param");
    const violation = /^\d{1,16}$/.test(id) ? await store.getViolation(Number(id), now()) : null;
    return violation
      ? c.json(violation, 200)
      : errorResponse(c, 404, "not_found", `there is no violation ${id}, or it is older than 90 days`);
  });

  app.openapi(list, async (c) => {
    const { invariant_id, severity, tier, start_time, end_time, limit, cursor } = c.req.valid("query");
    const filter = {
      invariantId: invariant_id,
      severity,
      tier,
      ...keptRange(start_time, end_time, now()),
    };
    const page = await store.listViolations(filter, limit, cursor ?? null);
    return c.json({ violations: page.items, next_cursor: page.cursor }, 200);
  });
}
