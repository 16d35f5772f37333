/** Journals and cycles of a soak that are written by hand, and what the judge makes of them. */
import type { FaultChange } from "../../infra/faults/target.ts";
import type { Interval } from "../../infra/soak/intervals.ts";
import { judgeSoak, type ObservedCycle, type PlannedFault, type Reported } from "../../infra/soak/judge.ts";
import type { SoakEvent } from "../../infra/soak/timeline.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";

/** The instant that every test counts its milliseconds from. */
export const T0 = Date.parse("2026-11-23T10:00:00Z");
const CONFIRM_MS = 300;
const IDS = INVARIANTS.map(({ id }) => id);

/** The change, as a write that took 2 ms. */
export const at = (ms: number, change: FaultChange, tookMs = 2): SoakEvent => ({
  ...change,
  sentAtMs: T0 + ms,
  ackedAtMs: T0 + ms + tookMs,
});

export const ruby = { agent: "ruby" };
export const run = { agent: "ruby", executionId: "run-1" };
export const row = (
  status: "queued" | "running" | "pending_retry" | "success" | "failed",
  startedAtMs?: number,
) =>
  ({
    what: "row",
    ...run,
    status,
    ...(startedAtMs !== undefined && { startedAtMs: T0 + startedAtMs }),
  }) as const;
export const made = (name = "ruby", maxParallelTasks = 2): FaultChange => ({
  what: "agent",
  agent: name,
  maxParallelTasks,
  executionTimeoutSeconds: 60,
});
export const tick = (ms: number): FaultChange => ({ what: "drain tick", atSeconds: (T0 + ms) / 1000 });

/** A fleet of one agent, with a run that was started correctly and a slot with a correct life. */
export const started = (atMs = -60_000): SoakEvent[] => [
  at(-100_000, made()),
  at(-1_000, tick(-1_000)),
  at(atMs, row("running", atMs)),
  at(atMs + 30, { what: "slot taken", ...run, scoreSeconds: (T0 + atMs + 30) / 1000 }),
  at(atMs + 32, { what: "hash written", ...run, timeoutSeconds: 60 }),
  at(atMs + 34, { what: "hash expires", ...run, ttlSeconds: 360 }),
  at(atMs + 230, { what: "session", ...run }),
];
/** Ends the run at that time, in the platform's order of writes. */
export const ended = (ms: number, releaseAfterMs = 5): SoakEvent[] => [
  at(ms, row("success")),
  at(ms + releaseAfterMs, { what: "slot given back", ...run }),
  at(ms + releaseAfterMs + 2, { what: "hash removed", ...run }),
];

const green = () =>
  Object.fromEntries(IDS.map((id) => [id, { status: "green" as const, unseen: [], reason: null }]));
/** A cycle that read at those times and reported that. */
export const cycle = (
  first: Interval,
  second: Interval | null = null,
  violations: Reported[] = [],
  over: Partial<ObservedCycle["verdicts"]> = {},
): ObservedCycle => ({
  first: [T0 + first[0], T0 + first[1]],
  second: second && [T0 + second[0], T0 + second[1]],
  violations,
  verdicts: { ...green(), ...over } as ObservedCycle["verdicts"],
});
export const finding = (invariant: string, key: string): Reported => ({
  invariant,
  subject: "ruby",
  keys: [key],
});
export const judged = (events: SoakEvent[], cycles: ObservedCycle[], planned: PlannedFault[] = []) => {
  const { falseReds, missed, trueReds, voidBreaks } = judgeSoak(events, cycles, planned, CONFIRM_MS);
  return {
    falseReds: falseReds.map(({ violation, falseKeys }) => `${violation.invariant} ${falseKeys}`),
    missed: missed.map(
      ({ item, planned: name }) => `${item.invariant} ${item.key}${name ? `: ${name}` : ""}`,
    ),
    trueReds,
    voids: voidBreaks.map(({ name }) => name),
  };
};
export const QUIET = { falseReds: [], missed: [], trueReds: 0, voids: [] };

export const only = (id: string, events: SoakEvent[], cycles: ObservedCycle[]) => {
  const { falseReds, missed } = judged(events, cycles);
  return { falseReds, missed: missed.filter((line) => line.startsWith(id)) };
};
export const SILENT = { falseReds: [], missed: [] };

export const fleet = (cap = 3) => [at(-100_000, made("ruby", cap)), at(-1_000, tick(-1_000))];
export const LATER: [Interval, Interval] = [
  [0, 50],
  [350, 400],
];
