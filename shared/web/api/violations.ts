/** The routes under `/api/canary/violations`. */
import { createRoute, z } from "@hono/zod-openapi";
import { SEVERITIES } from "../../invariants/invariant.ts";
import type { DayStats } from "../../store/history.ts";
import { dayOf, keptRange } from "../../store/table.ts";
import { Violation, ViolationStats, ViolationsPage } from "../../wire/schemas/violations.ts";
import { ErrorBody, errorResponse } from "../errors.ts";
import { KnownId, pageQuery, RangeQuery, Subject } from "./query.ts";
import { jsonBody, type RegisterRoutes } from "./route.ts";

const ViolationsQuery = z.object({
  invariant_id: KnownId.optional(),
  severity: z.enum(SEVERITIES).optional(),
  tier: z.enum(["A", "B"]).optional(),
  subject: Subject.optional(),
  ...RangeQuery.shape,
  ...pageQuery(100),
});

const list = createRoute({
  method: "get",
  path: "/api/canary/violations",
  operationId: "listViolations",
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
  operationId: "getViolationStats",
  summary: "How many violations there were, by invariant, severity and UTC day",
  request: { query: RangeQuery },
  responses: { 200: jsonBody("The counters", ViolationStats), 422: jsonBody("A bad parameter", ErrorBody) },
});

const one = createRoute({
  method: "get",
  path: "/api/canary/violations/{id}",
  operationId: "getViolation",
  summary: "One violation",
  request: { params: z.object({ id: z.string() }) },
  responses: {
    200: jsonBody("The violation", Violation),
    404: jsonBody("There is none with that id", ErrorBody),
  },
});

/** Sums the daily counters in total, and by invariant, severity and day. */
function sumsOf(days: readonly DayStats[]) {
  const counters = days.flatMap(({ day, counts }) => counts.map((counter) => ({ ...counter, day })));
  const sumBy = (key: "invariantId" | "severity" | "day") => {
    const sums: Record<string, number> = {};
    for (const { [key]: name, count } of counters) sums[name] = (sums[name] ?? 0) + count;
    return sums;
  };
  return {
    total: counters.reduce((sum, { count }) => sum + count, 0),
    by_invariant: sumBy("invariantId"),
    by_severity: sumBy("severity"),
    by_day: sumBy("day"),
  };
}

export const registerViolations: RegisterRoutes = (app, { view: { store, now } }) => {
  app.openapi(stats, async (c) => {
    const { start_time, end_time } = c.req.valid("query");
    const range = keptRange(start_time, end_time, now());
    const sums = sumsOf(await store.history.stats(range));
    return c.json({ start_day: dayOf(range.startMs), end_day: dayOf(range.endMs), ...sums }, 200);
  });

  app.openapi(one, async (c) => {
    const { id } = c.req.valid("param");
    const violation = /^\d{1,16}$/.test(id) ? await store.history.getViolation(Number(id), now()) : null;
    return violation
      ? c.json(violation, 200)
      : errorResponse(c, 404, "not_found", `there is no violation ${id}, or it is older than 90 days`);
  });

  app.openapi(list, async (c) => {
    const { invariant_id, severity, tier, subject, start_time, end_time, limit, cursor } =
      c.req.valid("query");
    const range = keptRange(start_time, end_time, now());
    const filter = { invariantId: invariant_id, severity, tier, subject, ...range };
    const page = await store.history.listViolations(filter, limit, cursor ?? null);
    return c.json({ violations: page.items, next_cursor: page.cursor }, 200);
  });
};
