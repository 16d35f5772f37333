/** What a month costs at AWS, computed from counts. Pure. */
import { AWS_PRICES, CYCLES_A_MONTH } from "../../shared/prices.ts";

/** What the stack has where callers sign (`iam`), whatever the size of the fleet. */
export const STACK = { alarms: 7, secrets: 1, memoryMb: 512 } as const;
/** What it has in addition where they send a token (`bearer`). */
export const BEARER = { alarms: 1, secrets: 1 } as const;

/** Of one cycle. */
export interface CycleCounts {
  /** What a function of `STACK.memoryMb` takes for it. */
  readonly seconds: number;
  readonly units: { readonly read: number; readonly write: number };
  readonly logBytes: number;
  /** Metrics that are sent, each with its dimensions; not only of this cycle, but of each. */
  readonly metrics: number;
  /** What the table holds. */
  readonly keptBytes: number;
}

export interface CostLine {
  readonly what: string;
  /** In dollars a month. */
  readonly usd: number;
}

const GB = 1e9;

/** Lists what a month of such cycles costs, without any free tier but the dashboard's: the first three of an account. */
export function awsMonth({ seconds, units, logBytes, metrics, keptBytes }: CycleCounts): CostLine[] {
  const price = AWS_PRICES;
  const eachCycle = (usd: number) => usd * CYCLES_A_MONTH;
  const gbSeconds = (seconds * STACK.memoryMb) / 1024;
  return [
    { what: `CloudWatch metrics (${metrics})`, usd: metrics * price.metricMonth },
    { what: `CloudWatch alarms (${STACK.alarms})`, usd: STACK.alarms * price.alarmMonth },
    {
      what: `Secrets Manager (${STACK.secrets}, read each cycle)`,
      usd: STACK.secrets * price.secretMonth + eachCycle(price.secretReads),
    },
    {
      what: `Lambda, ${STACK.memoryMb} MB, arm64`,
      usd: eachCycle(price.lambdaRequest + gbSeconds * price.lambdaGbSecond),
    },
    {
      what: "DynamoDB, requests",
      usd: eachCycle(units.read * price.readUnit + units.write * price.writeUnit),
    },
    { what: "DynamoDB, kept, with recovery", usd: (keptBytes / GB) * price.keptGbMonth },
    { what: "Logs", usd: eachCycle((logBytes / GB) * price.logGb) },
    { what: "X-Ray, Scheduler", usd: eachCycle(price.trace + price.schedule) },
  ];
}

/** What a month costs more where callers send a token (`bearer`), in dollars. */
export const BEARER_USD = BEARER.alarms * AWS_PRICES.alarmMonth + BEARER.secrets * AWS_PRICES.secretMonth;

/** Adds up the lines, in dollars. */
export const sumOf = (lines: readonly CostLine[]): number => lines.reduce((sum, { usd }) => sum + usd, 0);
