/** `/api/canary/status`, `/api/canary/cycles` and `/healthz`. */
import { createRoute } from "@hono/zod-openapi";
import { keptRange } from "../../store/table.ts";
import { DAY_MS } from "../../time.ts";
import { fitInto, MAX_ANSWER_BYTES } from "../../wire/fit-into.ts";
import { CyclesPage, Health, Status } from "../../wire/schemas.ts";
import { describeStatus, instantOrNull, isFresh } from "../describe-status.ts";
import { ErrorBody } from "../errors.ts";
import { pageQuery, RangeQuery } from "./query.ts";
import { jsonBody, type RegisterRoutes } from "./route.ts";

const CyclesQuery = RangeQuery.extend(pageQuery(50));

const status = createRoute({
  method: "get",
  path: "/api/canary/status",
  operationId: "getStatus",
  summary: "What is red, unknown and green, and since when",
  responses: { 200: jsonBody("Every invariant's state", Status) },
});

const cycles = createRoute({
  method: "get",
  path: "/api/canary/cycles",
  operationId: "listCycles",
  summary: "Cycles, newest first; the last 24 hours where no start_time is given",
  request: { query: CyclesQuery },
  responses: { 200: jsonBody("A page of cycles", CyclesPage), 422: jsonBody("A bad parameter", ErrorBody) },
});

const health = createRoute({
  method: "get",
  path: "/healthz",
  operationId: "getHealth",
  summary: "200 only while the last full cycle is fresh; needs no token",
  security: [],
  responses: { 200: jsonBody("Fresh", Health), 503: jsonBody("Stale, or the state can't be read", Health) },
});

export const registerStatus: RegisterRoutes = (app, { view: { store, checks, now } }) => {
  app.openapi(status, async (c) => {
    const { memory, silences } = await store.lease.read();
    return c.json(fitInto(describeStatus(checks, memory, silences, now()), MAX_ANSWER_BYTES), 200);
  });

  app.openapi(cycles, async (c) => {
    const { start_time, end_time, limit, cursor } = c.req.valid("query");
    const range = keptRange(start_time ?? Math.min(end_time ?? now(), now()) - DAY_MS, end_time, now());
    const page = await store.history.listCycles(range, limit, cursor ?? null);
    return c.json({ cycles: page.items, next_cursor: page.cursor }, 200);
  });

  app.openapi(health, async (c) => {
    try {
      const atMs = await store.freshness.lastFullCycleAtMs();
      const checked_at = instantOrNull(atMs);
      return isFresh(atMs, now())
        ? c.json({ status: "fresh" as const, checked_at }, 200)
        : c.json({ status: "stale" as const, checked_at }, 503);
    } catch {
      return c.json({ status: "unknown" as const, checked_at: null }, 503);
    }
  });
};
