import { createRoute } from "@hono/zod-openapi";
import type { InvariantState } from "../../cycle/memory.ts";
import type { CycleDeps } from "../../cycle/run-cycle.ts";
import { INVARIANTS } from "../../invariants/index.ts";
import type { Invariant } from "../../invariants/invariant.ts";
import { formatInstant } from "../../snapshot/timestamps.ts";
import { keptRange } from "../../state/table.ts";
import { type App, ErrorBody, jsonBody } from "../errors.ts";
import { CyclesPage, CyclesQuery, Health, Status } from "../schemas.ts";
import { toSilence } from "./silences.ts";

/** Three scheduled cycles: one may be late, and one may fail. */
const FRESH_MS = 15 * 60_000;
const DAY_MS = 86_400_000;

const status = createRoute({
  method: "get",
  path: "/api/canary/status",
  summary: "What is red, unknown and green, and since when",
  responses: { 200: jsonBody("Every invariant's state", Status) },
});

const cycles = createRoute({
  method: "get",
  path: "/api/canary/cycles",
  summary: "Cycles, newest first; the last 24 hours where no start_time is given",
  request: { query: CyclesQuery },
  responses: { 200: jsonBody("A page of cycles", CyclesPage), 422: jsonBody("A bad parameter", ErrorBody) },
});

const health = createRoute({
  method: "get",
  path: "/healthz",
  summary: "200 only while the last full cycle is fresh; needs no token",
  security: [],
  responses: { 200: jsonBody("Fresh", Health), 503: jsonBody("Stale, or the state can't be read", Health) },
});

const instant = (ms: number | null | undefined) => (ms == null ? null : formatInstant(ms));

function describeState(
  { id, title, tier, severity }: Invariant,
  state: InvariantState | undefined,
  off: boolean,
) {
  // A red that can't be seen stays red; a green that can't be seen is not green.
  const seen = state?.status === "red" || state?.blindSinceMs == null ? state?.status : "unknown";
  return {
    id,
    title,
    tier,
    severity,
    status: off ? ("off" as const) : (seen ?? ("unknown" as const)),
    since: instant(seen === "unknown" ? state?.blindSinceMs : state?.sinceMs),
    last_red_at: instant(state?.lastRedAtMs),
    red_subjects: Object.keys(state?.red ?? {}).sort(),
    blind_since: instant(state?.blindSinceMs),
    blind_reason: state?.blindReason ?? null,
  };
}

/** `/api/canary/status`, `/api/canary/cycles` and `/healthz`. */
export function registerStatus(app: App, { store, now, alerts }: CycleDeps): void {
  const channels = Object.keys(alerts.senders).sort();

  app.openapi(status, async (c) => {
    const { memory, silences } = await store.readMemory();
    const { states, lastFullCycle, outbox } = memory;
    return c.json(
      {
        checked_at: instant(lastFullCycle?.atMs),
        cycle_duration_ms: lastFullCycle?.durationMs ?? null,
        sources_unavailable: [...(lastFullCycle?.sourcesUnavailable ?? [])],
        alerts: {
          status: channels.length === 0 ? "no channel" : outbox.length > 0 ? "pending" : "delivered",
          channels,
          pending: outbox.length,
        },
        silences: silences.filter((s) => s.untilMs > now()).map(toSilence),
        source_latency_ms: { ...lastFullCycle?.latencyMsBySource },
        invariants: INVARIANTS.map((i) =>
          describeState(i, states[i.id], lastFullCycle?.checksOff.includes(i.id) ?? false),
        ),
      },
      200,
    );
  });

  app.openapi(cycles, async (c) => {
    const { start_time, end_time, limit, cursor } = c.req.valid("query");
    const range = keptRange(start_time ?? Math.min(end_time ?? now(), now()) - DAY_MS, end_time, now());
    const page = await store.listCycles(range, limit, cursor ?? null);
    return c.json({ cycles: page.items as never[], next_cursor: page.cursor }, 200);
  });

  app.openapi(health, async (c) => {
    try {
      const { lastFullCycle } = (await store.readMemory()).memory;
      const fresh = lastFullCycle !== null && now() - lastFullCycle.atMs < FRESH_MS;
      const checked_at = instant(lastFullCycle?.atMs);
      return fresh
        ? c.json({ status: "fresh" as const, checked_at }, 200)
        : c.json({ status: "stale" as const, checked_at }, 503);
    } catch {
      return c.json({ status: "unknown" as const, checked_at: null }, 503);
    }
  });
}
