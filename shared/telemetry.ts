/** One wide log line and one set of metrics for each cycle. */
import { Logger } from "@aws-lambda-powertools/logger";
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import type { CycleOutcome } from "./cycle/outcome.ts";
import { INVARIANTS } from "./invariants/index.ts";

/** The metrics' namespace, and their dimension `service`; alarms and the dashboard look there. */
export const METRICS = { namespace: "TrinityCanary", service: "trinity-canary" } as const;
/** A line of the log holds 256 kB; lists of names are cut far below that. */
const MAX_LISTED = 50;

/**
 * @param environment the dimension of every metric
 * @returns what a canary calls at the end of each cycle
 */
export function cycleTelemetry(environment: string): (outcome: CycleOutcome, trigger: string) => void {
  const logger = new Logger({ serviceName: METRICS.service, persistentKeys: { environment } });
  const metrics = new Metrics({
    namespace: METRICS.namespace,
    serviceName: METRICS.service,
    defaultDimensions: { environment },
  });

  return (outcome, trigger) => {
    if (outcome.kind === "busy") {
      logger.info("cycle in progress", { trigger, retry_after_seconds: outcome.retryAfterSeconds });
      return;
    }
    const { report } = outcome;
    const { violations, verdicts, sources_unavailable, ...rest } = report;
    const withStatus = (status: string) =>
      Object.keys(verdicts).filter((id) => verdicts[id]?.status === status);
    const [red, unknown] = [withStatus("red"), withStatus("unknown")];
    const line = {
      ...rest,
      trigger,
      red,
      unknown,
      violation_count: violations.length,
      sources_unavailable: sources_unavailable.slice(0, MAX_LISTED),
      spreads: rest.spreads.map((s) => ({ ...s, subjects: s.subjects.slice(0, MAX_LISTED) })),
      recoveries: rest.recoveries.map((r) => ({ ...r, subjects: r.subjects.slice(0, MAX_LISTED) })),
    };
    // A run of some invariants says nothing of the others: it must not make a blind or dead canary look well.
    const isFull = report.checks_run.length + report.checks_off.length === INVARIANTS.length;
    if (isFull) {
      metrics.addMetric("CycleDuration", MetricUnit.Milliseconds, report.cycle_duration_ms);
      metrics.addMetric("RedInvariants", MetricUnit.Count, red.length);
      metrics.addMetric("UnknownInvariants", MetricUnit.Count, unknown.length);
      metrics.addMetric("Violations", MetricUnit.Count, violations.length);
    }

    if (outcome.kind === "stateless") {
      metrics.addMetric("CyclesCompleted", MetricUnit.Count, 0);
      logger.error("cycle failed: its state could not be read or written", {
        ...line,
        reason: outcome.reason,
      });
    } else {
      const { delivered, pending, dropped, failures } = outcome.alerts;
      metrics.addMetric("CyclesCompleted", MetricUnit.Count, isFull ? 1 : 0);
      metrics.addMetric("AlertsDelivered", MetricUnit.Count, delivered);
      metrics.addMetric("AlertsPending", MetricUnit.Count, pending);
      metrics.addMetric("AlertsDropped", MetricUnit.Count, dropped.length);
      logger.info("cycle", {
        ...line,
        alerts: { delivered, pending, dropped: dropped.length, failures },
        source_latency_ms: outcome.latencyMsBySource,
      });
      // Nobody will hear of these any more: the log is the last place that tells.
      for (const alert of dropped)
        logger.error("alert given up", { alert_key: alert.key, channel: alert.channel });
      for (const [source, ms] of Object.entries(outcome.latencyMsBySource))
        metrics
          .singleMetric()
          .addDimension("source", source)
          .addMetric("SourceLatency", MetricUnit.Milliseconds, ms);
    }
    metrics.publishStoredMetrics();
  };
}
