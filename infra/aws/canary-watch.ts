/** Watches the canary itself: alarms for when it is dead, slow or blind, and a dashboard. */
import { Duration, Stack } from "aws-cdk-lib";
import {
  Alarm,
  type AlarmProps,
  ComparisonOperator,
  Dashboard,
  GraphWidget,
  type IMetric,
  MathExpression,
  Metric,
  Stats,
  TreatMissingData,
} from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import type { Function as LambdaFunction } from "aws-cdk-lib/aws-lambda";
import type { Topic } from "aws-cdk-lib/aws-sns";
import type { Queue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { METRICS, WRONG_TOKENS } from "../../shared/telemetry.ts";

const DEAD_AFTER_MINUTES = 15;
/** A duration above this part of the time limit will exceed the limit one day. */
const NEAR_THE_LIMIT = 0.8;
/** Somebody who guesses, not somebody who has mistyped. */
const WRONG_TOKENS_LIMIT = { count: 20, minutes: 5 };
const GRAPH_WIDTH = 12;

export interface CanaryWatchProps {
  readonly environment: string;
  readonly everyMinutes: number;
  readonly blindAfterCycles: number;
  readonly cycle: LambdaFunction;
  readonly api: LambdaFunction;
  /** What reads Docker daemons, where they are many. */
  readonly reader: LambdaFunction | undefined;
  readonly deadLetters: Queue;
  /** Gets a message when an alarm starts and when it ends. */
  readonly topic: Topic;
  /** Whether the API asks for a token. */
  readonly isOpen: boolean;
}

export class CanaryWatch extends Construct {
  /** The names' part that tells this canary from one in another region, or at another place in an app. */
  private readonly place: string;

  constructor(scope: Construct, id: string, props: CanaryWatchProps) {
    super(scope, id);
    this.place = `${Stack.of(this).region}-${this.node.addr.slice(-8)}`;
    this.addAlarms(props);
    this.addDashboard(props);
  }

  private addAlarms(props: CanaryWatchProps): void {
    const { environment, everyMinutes, blindAfterCycles, cycle, reader, deadLetters, topic, isOpen } = props;
    const period = Duration.minutes(everyMinutes);
    const metric = (metricName: string, statistic: string, over = period) =>
      canaryMetric(environment, metricName, statistic, over);
    const alarm = this.alarmsOf(environment, new SnsAction(topic));

    alarm(
      "NoCompletedCycle",
      "The canary is dead: no full cycle was completed in 15 minutes. Nobody is watching the platform.",
      {
        // Where points are missing, CloudWatch looks further back for older ones, and a dead canary would look healthy
        // for that time. FILL makes a missing point a zero at once.
        metric: new MathExpression({
          expression: "FILL(completed, 0)",
          usingMetrics: {
            completed: metric("CyclesCompleted", Stats.SUM, Duration.minutes(DEAD_AFTER_MINUTES)),
          },
          period: Duration.minutes(DEAD_AFTER_MINUTES),
        }),
        comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
        treatMissingData: TreatMissingData.BREACHING,
      },
    );
    alarm(
      "CycleErrors",
      "Cycles fail again and again, retries among them: their log says why (configuration, secret, or state).",
      {
        metric: cycle.metricErrors({ period, statistic: Stats.SUM }),
        evaluationPeriods: 3,
        datapointsToAlarm: 2,
      },
    );
    alarm(
      "DurationNearLimit",
      "A cycle took 80 % of its time limit: the next may be cut off. See which source is slow.",
      {
        metric: cycle.metricDuration({ period, statistic: Stats.MAXIMUM }),
        threshold: Math.floor((cycle.timeout?.toMilliseconds() ?? 0) * NEAR_THE_LIMIT),
      },
    );
    alarm(
      "DeadLetters",
      "An invocation was given up after its retries. The queue holds it, with the reason.",
      { metric: deadLetters.metricApproximateNumberOfMessagesVisible({ period, statistic: Stats.MAXIMUM }) },
    );
    alarm(
      "AlertsPending",
      "Alerts have waited for three cycles: a channel does not take them. status names them.",
      { metric: metric("AlertsPending", Stats.MAXIMUM), evaluationPeriods: 3 },
    );
    alarm(
      "AlertsDropped",
      "An alert was given up: its channel did not take it for 24 hours, or took a newer one in its place. The log names it.",
      { metric: metric("AlertsDropped", Stats.SUM) },
    );
    alarm(
      "BlindInvariants",
      "Invariants could not be judged for some cycles in a row: a source can't be read. status names it.",
      { metric: metric("UnknownInvariants", Stats.MAXIMUM), evaluationPeriods: blindAfterCycles },
    );
    if (reader)
      alarm(
        "ReaderErrors",
        "Readers of Docker daemons fail again and again, and their daemons are unseen: the readers' log says why (secret, memory, or time).",
        {
          metric: reader.metricErrors({ period, statistic: Stats.SUM }),
          evaluationPeriods: 3,
          datapointsToAlarm: 2,
        },
      );
    if (isOpen)
      alarm(
        "WrongTokens",
        "Somebody guesses the admin token, or uses an old one again and again: look at the API function's log.",
        {
          metric: metric(WRONG_TOKENS, Stats.SUM, Duration.minutes(WRONG_TOKENS_LIMIT.minutes)),
          threshold: WRONG_TOKENS_LIMIT.count,
        },
      );
  }

  /** Makes a function that adds an alarm: `what` is for the operator who gets it. */
  private alarmsOf(environment: string, action: SnsAction) {
    return (
      name: string,
      what: string,
      {
        metric,
        threshold = 1,
        evaluationPeriods = 1,
        ...props
      }: Pick<AlarmProps, "metric"> & Partial<AlarmProps>,
    ) => {
      const alarm = new Alarm(this, name, {
        alarmName: `trinity-canary ${environment} ${this.place}: ${name}`,
        alarmDescription: what,
        comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treatMissingData: TreatMissingData.NOT_BREACHING,
        metric,
        threshold,
        evaluationPeriods,
        ...props,
      });
      alarm.addAlarmAction(action);
      alarm.addOkAction(action);
    };
  }

  private addDashboard({ environment, everyMinutes, cycle, api, reader, isOpen }: CanaryWatchProps) {
    const period = Duration.minutes(everyMinutes);
    const metric = (metricName: string, statistic: string) =>
      canaryMetric(environment, metricName, statistic, period);
    const graph = (title: string, left: IMetric[], label?: string) =>
      new GraphWidget({ title, left, width: GRAPH_WIDTH, ...(label && { leftYAxis: { label, min: 0 } }) });
    const { namespace, service } = METRICS;
    const latency = new MathExpression({
      expression: `SEARCH('{${namespace},environment,service,source} MetricName="SourceLatency" environment="${environment}" service="${service}"', 'Maximum', ${period.toSeconds()})`,
      label: "",
      usingMetrics: {},
      period,
    });
    new Dashboard(this, "Dashboard", {
      // Dashboards of all regions share their names.
      dashboardName: `trinity-canary-${environment}-${this.place}`,
      defaultInterval: Duration.days(1),
      widgets: [
        [
          graph("Red and blind invariants", [
            metric("RedInvariants", Stats.MAXIMUM).with({ label: "red", color: "#d62728" }),
            metric("UnknownInvariants", Stats.MAXIMUM).with({ label: "blind", color: "#7f7f7f" }),
          ]),
          graph("Alerts", [
            metric("AlertsDelivered", Stats.SUM).with({ label: "delivered" }),
            metric("AlertsPending", Stats.MAXIMUM).with({ label: "pending" }),
            metric("AlertsDropped", Stats.SUM).with({ label: "dropped" }),
          ]),
        ],
        [
          graph(
            "Duration of a cycle",
            [
              metric("CycleDuration", Stats.p(50)).with({ label: "median" }),
              metric("CycleDuration", Stats.MAXIMUM).with({ label: "slowest" }),
            ],
            "ms",
          ),
          graph("Latency of each source", [latency], "ms"),
        ],
        [
          graph("Cycles", [
            metric("CyclesCompleted", Stats.SUM).with({ label: "completed" }),
            cycle.metricErrors({ period, label: "errors" }),
            metric("Violations", Stats.MAXIMUM).with({ label: "violations" }),
          ]),
          graph("API", [
            api.metricInvocations({ period, label: "requests" }),
            api.metricErrors({ period, label: "errors" }),
            ...(isOpen ? [metric(WRONG_TOKENS, Stats.SUM).with({ label: "wrong tokens" })] : []),
          ]),
        ],
        ...(reader
          ? [
              [
                graph("Readers of Docker daemons", [
                  reader.metricInvocations({ period, label: "invocations" }),
                  reader.metricErrors({ period, label: "errors" }),
                  reader.metricThrottles({ period, label: "throttled" }),
                ]),
                graph(
                  "Duration of a reader",
                  [reader.metricDuration({ period, statistic: Stats.MAXIMUM, label: "slowest" })],
                  "ms",
                ),
              ],
            ]
          : []),
      ],
    });
  }
}

const canaryMetric = (environment: string, metricName: string, statistic: string, period: Duration) =>
  new Metric({
    namespace: METRICS.namespace,
    metricName,
    dimensionsMap: { environment, service: METRICS.service },
    statistic,
    period,
  });
