/** `/metrics`: the state in Prometheus' text format. */
import { createRoute } from "@hono/zod-openapi";
import { ErrorBody } from "../errors.ts";
import { readSummary, type Summary } from "../summary.ts";
import { jsonBody, type RegisterRoutes } from "./route.ts";

const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";
const STATUSES = ["green", "red", "unknown", "off"] as const;

const metrics = createRoute({
  method: "get",
  path: "/metrics",
  summary: "The state of each invariant, the last cycle and the sources, as Prometheus reads it",
  responses: {
    200: { description: "Text format 0.0.4", content: { "text/plain": { schema: { type: "string" } } } },
    401: jsonBody("No or a wrong token", ErrorBody),
  },
});

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** @see https://prometheus.io/docs/instrumenting/exposition_formats/ for what is escaped where */
const inLabel = (text: string) =>
  text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');

function gauge(name: string, help: string, samples: readonly Sample[]): string[] {
  const lines = samples.map(({ labels, value }) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${inLabel(text)}"`);
    return `trinity_canary_${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}`;
  });
  return [`# HELP trinity_canary_${name} ${help}`, `# TYPE trinity_canary_${name} gauge`, ...lines];
}

const one = (value: number | null): Sample[] => (value === null ? [] : [{ labels: {}, value }]);

/** The gauges of each invariant. */
const invariantGauges = (invariants: Summary["invariants"]): string[] => [
  ...gauge(
    "invariant_status",
    "1 for the status that the invariant has, 0 for the others.",
    invariants.flatMap(({ id, severity, status }) =>
      STATUSES.map((name) => ({
        labels: { invariant: id, severity, status: name },
        value: name === status ? 1 : 0,
      })),
    ),
  ),
  ...gauge(
    "invariant_silenced",
    "1 where all that is red or unknown of the invariant is silenced.",
    invariants.map(({ id, shown }) => ({ labels: { invariant: id }, value: shown === "silenced" ? 1 : 0 })),
  ),
  ...gauge(
    "red_subjects",
    "Subjects that are red.",
    invariants.map(({ id, redCount }) => ({ labels: { invariant: id }, value: redCount })),
  ),
];

/** The gauges of the last full cycle. */
const cycleGauges = ({ status, checkedAtMs, nowMs }: Summary): string[] => [
  ...gauge(
    "last_cycle_timestamp_seconds",
    "When the last full cycle began.",
    one(checkedAtMs === null ? null : checkedAtMs / 1000),
  ),
  ...gauge(
    "last_cycle_age_seconds",
    "How long ago that was.",
    one(checkedAtMs === null ? null : Math.max(0, nowMs - checkedAtMs) / 1000),
  ),
  ...gauge(
    "last_cycle_duration_seconds",
    "How long it took.",
    one(status.cycle_duration_ms === null ? null : status.cycle_duration_ms / 1000),
  ),
  ...gauge(
    "source_latency_seconds",
    "How long the source took in the last full cycle.",
    Object.entries(status.source_latency_ms).map(([source, ms]) => ({
      labels: { source },
      value: ms / 1000,
    })),
  ),
  ...gauge(
    "sources_unavailable",
    "Sources, or parts of them, that the last full cycle could not read.",
    one(checkedAtMs === null ? null : status.sources_unavailable.length),
  ),
];

/** Writes what a scrape is answered. A gauge whose value is not known yet has no sample. */
const renderMetrics = (summary: Summary): string =>
  [
    ...gauge("info", "Which canary this is.", [{ labels: { environment: summary.environment }, value: 1 }]),
    ...invariantGauges(summary.invariants),
    ...cycleGauges(summary),
    ...gauge("alerts_pending", "Alerts that some channel has not taken yet.", one(summary.pending.length)),
    ...gauge("silences", "Silences in force.", one(summary.status.silences.length)),
    "",
  ].join("\n");

export const registerMetrics: RegisterRoutes = (app, { view }) => {
  app.openAPIRegistry.registerPath(metrics);
  app.get(metrics.path, async (c) =>
    c.body(renderMetrics(await readSummary(view)), 200, { "Content-Type": CONTENT_TYPE }),
  );
};
