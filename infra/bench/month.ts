/** A month of the cycles of a measured fleet: what AWS bills, and a hosted Redis. */
import { type RedisMonth, redisMonth } from "../../shared/doctor/redis-bill.ts";
import { CYCLES_A_MONTH } from "../../shared/prices.ts";
import { awsMonth, type CostLine, STACK } from "./costs.ts";
import { shareOf } from "./cpu-share.ts";
import type { FleetReport } from "./measure-fleet.ts";
import { median } from "./statistics.ts";

/** The bench reads no daemons, and Docker's latency is a metric, too. */
const DOCKER_METRICS = 1;

export interface Month {
  /** Of a cycle in a function of `STACK.memoryMb`. */
  readonly seconds: number;
  /** The seconds were not measured: they are the CPU of a cycle, divided by the share of a core. */
  readonly isComputed: boolean;
  readonly aws: readonly CostLine[];
  readonly redis: RedisMonth;
  /** What Redis answers in a month. */
  readonly redisGb: number;
}

/** Computes the month from what one cycle of the fleet took. */
export function monthOf({ counts, cycles, sizes }: FleetReport): Month {
  const warm = sizes.find(({ memoryMb }) => memoryMb === STACK.memoryMb)?.warm ?? [];
  const isComputed = warm.length === 0;
  const ms = isComputed
    ? median(cycles.map(({ cpuMs }) => cpuMs)) / shareOf(STACK.memoryMb)
    : median(warm.map((cycle) => cycle.ms));
  const seconds = ms / 1000;
  return {
    seconds,
    isComputed,
    aws: awsMonth({ ...counts, seconds, metrics: counts.metrics + DOCKER_METRICS }),
    redis: redisMonth(counts.commandsRun),
    redisGb: (counts.redisBytesIn * CYCLES_A_MONTH) / 1e9,
  };
}
