/** The prices that costs are computed from, in US dollars: the only place that holds them. They differ by region and change. */

/** AWS's list prices without any free tier. */
export const AWS_PRICES = {
  of: "us-east-1, from AWS's public pages as remembered in November 2026",
  metricMonth: 0.3,
  alarmMonth: 0.1,
  /** Of each after the first three of an account. */
  dashboardMonth: 3,
  secretMonth: 0.4,
  secretReads: 0.05 / 10_000,
  lambdaRequest: 0.2 / 1_000_000,
  /** On arm64. */
  lambdaGbSecond: 0.0000133334,
  writeUnit: 0.625 / 1_000_000,
  readUnit: 0.125 / 1_000_000,
  /** DynamoDB's storage, and its point-in-time recovery. */
  keptGbMonth: 0.25 + 0.2,
  trace: 5 / 1_000_000,
  logGb: 0.5,
  schedule: 1 / 1_000_000,
} as const;

/**
 * A hosted Redis behind the protocol that the canary speaks. Its rate limiter's documentation counts EVAL, INCR, PEXPIRE as
 * three commands: those that a script runs are billed like any other.
 */
export const UPSTASH_PRICES = {
  of: "https://upstash.com/pricing/redis as of 2026-11-09",
  free: { name: "Free", commandsMonth: 500_000, gbMonth: 10 },
  byCommand: { name: "Pay as You Go", command: 0.2 / 100_000 },
  fixed: { name: "Fixed 250MB", month: 10, gbMonth: 50 },
} as const;

/** One every five minutes, for 30 days. */
export const CYCLES_A_MONTH = 30 * 24 * 12;
