/** What a hosted Redis bills for the canary's reads, and which plan fits which size. Pure. */
import { CYCLES_A_MONTH, UPSTASH_PRICES } from "../prices.ts";
import { PAGE } from "../sources/redis/keys.ts";
import { MAX_SETS } from "../sources/redis/slot-script.ts";
import { type Finding, note } from "./finding.ts";

/** What a cycle reads of Redis. */
export interface RedisSize {
  /** That hold slots. */
  readonly agents: number;
  readonly slots: number;
  /** Keys of pull workers. */
  readonly polled: number;
  /** All that the database holds, the platform's or not: SCAN visits each. */
  readonly keys: number;
}

/**
 * The commands of a cycle as a hosted Redis counts them: those in scripts too, so that a user without scripts pays about the
 * same.
 */
export function commandsOfCycle({ agents, slots, polled, keys }: RedisSize): number {
  const heartbeat = 2;
  const onTheWire = heartbeat + Math.max(1, Math.ceil(keys / PAGE.count)) + Math.ceil(agents / MAX_SETS);
  return onTheWire + agents + 2 * slots + polled;
}

export interface RedisMonth {
  readonly commands: number;
  /** Dollars, where each command is billed. */
  readonly byCommand: number;
  /** Dollars of the fixed plan. */
  readonly fixed: number;
  /** The plan that costs least. The free one has a limit, which the platform's own commands count against, too. */
  readonly best: "free" | "byCommand" | "fixed";
}

/** Computes a month of cycles of so many commands, by the kinds of plans. One's own Redis bills nothing. */
export function redisMonth(commandsACycle: number): RedisMonth {
  const { free, byCommand, fixed } = UPSTASH_PRICES;
  const commands = commandsACycle * CYCLES_A_MONTH;
  const usd = commands * byCommand.command;
  const paid = usd <= fixed.month ? "byCommand" : "fixed";
  return {
    commands,
    byCommand: usd,
    fixed: fixed.month,
    best: commands <= free.commandsMonth ? "free" : paid,
  };
}

const UPSTASH = /\.upstash\.io$/;
const dollars = (usd: number) => `${usd.toFixed(2)} dollars`;

const ADVICE = {
  free: "the free plan holds that, if the platform and others leave it room",
  byCommand: "billing by the command fits",
  fixed: "take the fixed plan",
} as const;

/** Says what the reads cost at this Redis, and which plan fits. @param url of its REST protocol */
export function billFinding(url: string, size: RedisSize): Finding {
  const aCycle = commandsOfCycle(size);
  const { commands, byCommand, fixed, best } = redisMonth(aCycle);
  const count = `${aCycle} commands a cycle, those in scripts too: ${(commands / 1e6).toFixed(1)} million a month, a cycle every 5 minutes`;
  const prices = `${dollars(byCommand)} where each is billed (Upstash ${UPSTASH_PRICES.byCommand.name}), ${dollars(fixed)} on a fixed plan (${UPSTASH_PRICES.fixed.name})`;
  const hosted = `${prices}: ${ADVICE[best]} (prices: ${UPSTASH_PRICES.of})`;
  const isUpstash = UPSTASH.test(new URL(url).hostname);
  return note(
    "bill",
    `${count}. ${isUpstash ? hosted : `Nothing at a Redis of your own; hosted, ${hosted}`}`,
  );
}
