/** `/api/canary/status` and `/healthz`. */
import { createRoute } from "@hono/zod-openapi";
import { fitInto, MAX_ANSWER_BYTES } from "../../wire/fit-into.ts";
import { Health, Status } from "../../wire/schemas/status.ts";
import { describeStatus, instantOrNull, isFresh } from "../describe-status.ts";
import { jsonBody, type RegisterRoutes } from "./route.ts";

const status = createRoute({
  method: "get",
  path: "/api/canary/status",
  operationId: "getStatus",
  summary: "What is red, unknown and green, and since when",
  responses: { 200: jsonBody("Every invariant's state", Status) },
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
