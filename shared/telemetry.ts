/** One wide log line and one set of metrics for each cycle, and a metric of wrong tokens. */
import { Logger } from "@aws-lambda-powertools/logger";
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import type { CycleNotes, CycleOutcome } from "./cycle/outcome.ts";
import { INVARIANTS } from "./invariants/index.ts";
import type { CycleReport } from "./wire/schemas/cycles.ts";

/** The metrics' namespace and `service` dimension, which alarms and the dashboard use. */
export const METRICS = { namespace: "TrinityCanary", service: "trinity-canary" } as const;
/** The name of the metric that counts wrong tokens. */
export const WRONG_TOKENS = "WrongTokens";
/** A log line holds 256 kB; lists of names are cut far below that. */
const MAX_LISTED = 50;

const metricsOf = (environment: string) =>
  new Metrics({
    namespace: METRICS.namespace,
    serviceName: METRICS.service,
    defaultDimensions: { environment },
  });

/** Makes the function that counts a request with a wrong token. @param environment the dimension of the metric */
export function wrongTokenTelemetry(environment: string): () => void {
  const metrics = metricsOf(environment);
  return () => {
    metrics.addMetric(WRONG_TOKENS, MetricUnit.Count, 1);
    metrics.publishStoredMetrics();
  };
}

/** What the log line of a cycle says of its report. Long lists are cut. */
function lineOf({ violations: _, violations_total, verdicts, ...report }: CycleReport) {
  const withStatus = (status: string) =>
    Object.keys(verdicts).filter((id) => verdicts[id]?.status === status);
  const shortened = <T extends { readonly subjects: readonly string[] }>(changes: readonly T[]) =>
    changes.map((change) => ({ ...change, subjects: change.subjects.slice(0, MAX_LISTED) }));
  return {
    ...report,
    red: withStatus("red"),
    unknown: withStatus("unknown"),
    violation_count: violations_total,
    sources_unavailable: report.sources_unavailable.slice(0, MAX_LISTED),
    spreads: shortened(report.spreads),
    recoveries: shortened(report.recoveries),
  };
}

/**
 * Makes the function that a canary calls at the end of each cycle.
 * @param environment the dimension of every metric
 */
export function cycleTelemetry(environment: string): (outcome: CycleOutcome, notes: CycleNotes) => void {
  const logger = new Logger({ serviceName: METRICS.service, persistentKeys: { environment } });
  const metrics = metricsOf(environment);
  const count = (name: string, value: number) => metrics.addMetric(name, MetricUnit.Count, value);

  function countLatencies(latencyMsBySource: Readonly<Record<string, number>>): void {
    for (const [source, ms] of Object.entries(latencyMsBySource)) {
      const single = metrics.singleMetric().addDimension("source", source);
      single.addMetric("SourceLatency", MetricUnit.Milliseconds, ms);
    }
  }

  return (outcome, { trigger, blind }) => {
    if (outcome.kind === "busy") {
      logger.info("cycle in progress", { trigger, retry_after_seconds: outcome.retryAfterSeconds });
      return;
    }
    const line = { ...lineOf(outcome.report), trigger };
    // A run of some invariants says nothing about the others: it must not make a blind or dead canary look healthy.
    const isFull = line.checks_run.length + line.checks_off.length === INVARIANTS.length;
    if (isFull) {
      metrics.addMetric("CycleDuration", MetricUnit.Milliseconds, line.cycle_duration_ms);
      count("RedInvariants", line.red.length);
      // An alarm is made of it: what is unknown by a red of another invariant has that one's alert.
      count("UnknownInvariants", blind.length);
      count("Violations", line.violation_count);
    }

    if (outcome.kind === "stateless") {
      count("CyclesCompleted", 0);
      const failed = "cycle failed: its state could not be read or written";
      logger.error(failed, { ...line, reason: outcome.reason });
    } else {
      const { delivered, pending, dropped, failures } = outcome.alerts;
      count("CyclesCompleted", isFull ? 1 : 0);
      count("AlertsDelivered", delivered);
      count("AlertsPending", pending);
      count("AlertsDropped", dropped.length);
      const alerts = { delivered, pending, dropped: dropped.length, failures };
      logger.info("cycle", { ...line, alerts, source_latency_ms: outcome.latencyMsBySource });
      // Nobody is notified of these alerts any more: the log is their last trace.
      for (const { key, channel } of dropped) logger.error("alert given up", { alert_key: key, channel });
      countLatencies(outcome.latencyMsBySource);
    }
    metrics.publishStoredMetrics();
  };
}
