/** The routes under `/api/canary/cycles`. */
import { createRoute, z } from "@hono/zod-openapi";
import { keptRange } from "../../store/table.ts";
import { DAY_MS, formatInstant, parseTimestamp } from "../../time.ts";
import { fitInto, MAX_ANSWER_BYTES } from "../../wire/fit-into.ts";
import { CycleBetween, CycleSeries, CyclesPage } from "../../wire/schemas/cycles.ts";
import { ErrorBody, errorResponse } from "../errors.ts";
import { pageQuery, RangeQuery } from "./query.ts";
import { jsonBody, type RegisterRoutes } from "./route.ts";

const CyclesQuery = RangeQuery.extend(pageQuery(50));
/** A plot of more days would be an answer of many megabytes. */
const MOST_SERIES_MS = 31 * DAY_MS;
const SERIES_MS = 7 * DAY_MS;

const list = createRoute({
  method: "get",
  path: "/api/canary/cycles",
  operationId: "listCycles",
  summary: "Cycles, newest first; the last 24 hours where no start_time is given",
  request: { query: CyclesQuery },
  responses: { 200: jsonBody("A page of cycles", CyclesPage), 422: jsonBody("A bad parameter", ErrorBody) },
});

const series = createRoute({
  method: "get",
  path: "/api/canary/cycles/series",
  operationId: "getCycleSeries",
  summary:
    "Duration, latency of each source and count of red subjects over time, oldest first; 7 days by default",
  request: { query: RangeQuery },
  responses: {
    200: jsonBody("A point for each full cycle", CycleSeries),
    422: jsonBody("A bad parameter", ErrorBody),
  },
});

const one = createRoute({
  method: "get",
  path: "/api/canary/cycles/{time}",
  operationId: "getCycle",
  summary: "One cycle by its snapshot_time, with the times of those before and after it",
  request: { params: z.object({ time: z.string().openapi({ example: "2026-11-23T10:30:00.123Z" }) }) },
  responses: {
    200: jsonBody("The cycle", CycleBetween),
    404: jsonBody("There was none at that time", ErrorBody),
  },
});

export const registerCycles: RegisterRoutes = (app, { view: { store, now } }) => {
  app.openapi(list, async (c) => {
    const { start_time, end_time, limit, cursor } = c.req.valid("query");
    const range = keptRange(start_time ?? Math.min(end_time ?? now(), now()) - DAY_MS, end_time, now());
    const page = await store.history.listCycles(range, limit, cursor ?? null);
    return c.json({ cycles: page.items, next_cursor: page.cursor }, 200);
  });

  app.openapi(series, async (c) => {
    const { start_time, end_time } = c.req.valid("query");
    const range = keptRange(start_time ?? Math.min(end_time ?? now(), now()) - SERIES_MS, end_time, now());
    if (range.endMs - range.startMs > MOST_SERIES_MS)
      return errorResponse(c, 422, "invalid_request", "start_time: give at most 31 days");
    return c.json({ points: await store.history.series(range) }, 200);
  });

  app.openapi(one, async (c) => {
    const atMs = parseTimestamp(c.req.valid("param").time);
    const time = atMs === null ? null : formatInstant(atMs);
    const [cycle, around] =
      time === null
        ? [null, null]
        : await Promise.all([store.history.getCycle(time, now()), store.history.neighbours(time, now())]);
    return cycle && around
      ? c.json(fitInto({ cycle, ...around }, MAX_ANSWER_BYTES), 200)
      : errorResponse(c, 404, "not_found", "there was no cycle at that time, or it is older than 90 days");
  });
};
