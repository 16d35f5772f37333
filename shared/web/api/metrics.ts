/** `/metrics`: the state in Prometheus' text format. */
import { createRoute } from "@hono/zod-openapi";
import { isAhead } from "../describe-status.ts";
import { ErrorBody } from "../errors.ts";
import { readSummary, type Summary } from "../summary.ts";
import { jsonBody, type RegisterRoutes } from "./route.ts";

const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";
const STATUSES = ["green", "red", "unknown", "off"] as const;

const metrics = createRoute({
  method: "get",
  path: "/metrics",
  operationId: "getMetrics",
  summary: "The state of each invariant, the last cycle and the sources, as Prometheus reads it",
  responses: {
    200: { description: "Text format 0.0.4", content: { "text/plain": { schema: { type: "string" } } } },
    401: jsonBody("No or a wrong token", ErrorBody),
  },
});

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

/** Escapes a label's value: https://prometheus.io/docs/instrumenting/exposition_formats/ */
const inLabel = (text: string) =>
  text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');

function gauge(name: string, help: string, samples: readonly Sample[]): string[] {
  const lines = samples.map(([labels, value]) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${inLabel(text)}"`);
    return `trinity_canary_${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value === Number.POSITIVE_INFINITY ? "+Inf" : value}`;
  });
  return [`# HELP trinity_canary_${name} ${help}`, `# TYPE trinity_canary_${name} gauge`, ...lines];
}

/** The sample of a gauge without labels. A value that is not known yet has no sample. */
const single = (value: number | null): Sample[] => (value === null ? [] : [[{}, value]]);
const seconds = (ms: number | null) => single(ms === null ? null : ms / 1000);

const invariantGauges = (invariants: Summary["invariants"]): string[] => [
  ...gauge(
    "invariant_status",
    "1 for the status that the invariant has, 0 for the others.",
    invariants.flatMap(({ id, severity, status }) =>
      STATUSES.map((name): Sample => [{ invariant: id, severity, status: name }, name === status ? 1 : 0]),
    ),
  ),
  ...gauge(
    "invariant_silenced",
    "1 where all that is red or unknown of the invariant is silenced.",
    invariants.map(({ id, shown }) => [{ invariant: id }, shown === "silenced" ? 1 : 0]),
  ),
  ...gauge(
    "red_subjects",
    "Subjects that are red.",
    invariants.map(({ id, redCount }) => [{ invariant: id }, redCount]),
  ),
  ...gauge(
    "checked_subjects",
    "Subjects that the last cycle which ran the invariant looked at.",
    invariants.flatMap(({ id, checked }): Sample[] =>
      checked === null ? [] : [[{ invariant: id }, checked]],
    ),
  ),
];

/** A cycle of a clock that is ahead says nothing of the present: it counts as infinitely old. */
function ageSecondsOf(atMs: number | null, nowMs: number): number | null {
  if (atMs === null) return null;
  return isAhead(atMs, nowMs) ? Number.POSITIVE_INFINITY : Math.max(0, nowMs - atMs) / 1000;
}

const cycleGauges = ({ status, checkedAtMs, nowMs }: Summary): string[] => [
  ...gauge("last_cycle_timestamp_seconds", "When the last full cycle began.", seconds(checkedAtMs)),
  ...gauge("last_cycle_age_seconds", "How long ago that was.", single(ageSecondsOf(checkedAtMs, nowMs))),
  ...gauge("last_cycle_duration_seconds", "How long it took.", seconds(status.cycle_duration_ms)),
  ...gauge(
    "source_latency_seconds",
    "How long the source took in the last full cycle.",
    Object.entries(status.source_latency_ms).map(([source, ms]) => [{ source }, ms / 1000]),
  ),
  ...gauge(
    "sources_unavailable",
    "Sources, or parts of them, that the last full cycle could not read.",
    single(checkedAtMs === null ? null : status.sources_unavailable.length),
  ),
];

const renderMetrics = (summary: Summary): string =>
  [
    ...gauge("info", "Which canary this is.", [[{ environment: summary.environment }, 1]]),
    ...invariantGauges(summary.invariants),
    ...cycleGauges(summary),
    ...gauge("alerts_pending", "Alerts that some channel has not taken yet.", single(summary.pending.length)),
    ...gauge("silences", "Silences in force.", single(summary.status.silences.length)),
    "",
  ].join("\n");

export const registerMetrics: RegisterRoutes = (app, { view }) => {
  app.openAPIRegistry.registerPath(metrics);
  app.get(metrics.path, async (c) =>
    c.body(renderMetrics(await readSummary(view)), 200, { "Content-Type": CONTENT_TYPE }),
  );
};
