/** What every part of the chaos does: it begins on a healthy platform, and ends when everything is delivered. */
import { HOUR_MS } from "../../shared/time.ts";
import type { CanaryProcess, CycleEnd } from "./canary-process.ts";
import type { Stage } from "./stage.ts";

/** What the canaries of a part did. */
export interface Counts {
  kills: number;
  /** Kills that landed within a cycle. */
  within: number;
  done: number;
  busy: number;
  /** Cycles whose state could not be read or written, or that gave way to another. */
  stateless: number;
  /** Requests to the table that went wrong on purpose. */
  faults: number;
}

export const noCounts = (): Counts => ({ kills: 0, within: 0, done: 0, busy: 0, stateless: 0, faults: 0 });

/** More alerts than the canary keeps would be lost by design: with so many the platform stays as it is. */
const MOST_WAITING = 300;

/** Whether the platform may change: every change may make an alert. */
export const hasRoom = ({ ledger }: Stage): boolean =>
  (ledger.commits.at(-1)?.outbox.length ?? 0) < MOST_WAITING;

export interface Course {
  readonly stage: Stage;
  readonly counts: Counts;
  readonly signal: AbortSignal;
  /** Prints a line of progress, now and then. */
  progress(line: () => string): void;
}

/** The machine or an option is in the way; the message says what is wrong and how to fix it. */
export class ChaosError extends Error {
  override readonly name = "ChaosError";
}

/** A cycle has a deadline for everything it waits for. One that takes this long, also on a busy machine, hangs. */
const HANGS_AFTER_MS = 300_000;

/** Runs a cycle and counts it. @throws where its process ends by itself, or hangs */
export async function countedCycle(
  { counts, signal }: Pick<Course, "counts" | "signal">,
  canary: CanaryProcess,
  onStart?: () => void,
): Promise<CycleEnd> {
  let timer: NodeJS.Timeout | undefined;
  const hang = new Promise<never>((_, reject) => {
    const error = new Error(`the canary ${canary.name} has not ended its cycle within ${HANGS_AFTER_MS} ms`);
    timer = setTimeout(() => reject(error), HANGS_AFTER_MS);
  });
  const end = await Promise.race([canary.cycle(onStart), hang]).finally(() => clearTimeout(timer));
  signal.throwIfAborted();
  if (end.outcome !== "killed") counts[end.outcome] += 1;
  return end;
}

/** Where a lease stands that nobody will give back, sets the clock to its end. */
export function passLease({ table }: Stage, canary: CanaryProcess): void {
  const leftMs = (table.leaseUntilMs() ?? 0) - canary.clock();
  if (leftMs > 0) canary.aheadMs += leftMs + 1;
}

/** Lets a canary look at the healthy platform, then breaks some of it and lets the webhook fail. @throws ChaosError */
export async function begin(course: Course, canary: CanaryProcess): Promise<void> {
  const { stage } = course;
  const end = await countedCycle(course, canary);
  const first = stage.ledger.commits.at(-1);
  const red = Object.entries(first?.states ?? {}).filter(([, { status }]) => status === "red");
  if (end.outcome !== "done" || red.length > 0)
    throw new ChaosError(
      `the chaos has to begin with a cycle that finds nothing, and this one was ${end.outcome}: ${"reason" in end ? end.reason : red.map(([id, state]) => `${id} ${state.red.join(", ")}`).join("; ")}`,
    );
  await stage.platform.breakSome(3);
  stage.webhook.isFailing = true;
}

/** Cycles that an outbox has to empty itself in once everything works. */
const DRAIN_CYCLES = 30;

/** Lets cycles run, an hour apart, until nothing waits. The accounting names what still does. */
async function drain(course: Course, canary: CanaryProcess): Promise<string[]> {
  const { commits } = course.stage.ledger;
  for (let n = 0; n < DRAIN_CYCLES; n += 1) {
    const { outcome } = await countedCycle(course, canary);
    if (outcome === "done" && commits.at(-1)!.outbox.length === 0) return [];
    if (outcome === "busy") passLease(course.stage, canary);
    else canary.aheadMs += HOUR_MS;
  }
  const waiting = commits.at(-1)?.outbox ?? [];
  return [
    `after ${DRAIN_CYCLES} cycles on a webhook that works there still wait: ${waiting.join(", ") || "none, but no cycle was done"}`,
  ];
}

const statesOf = ({ ledger }: Stage): string[] =>
  Object.entries(ledger.commits.at(-1)?.states ?? {})
    .filter(([, { status }]) => status === "red")
    .map(([id, { red }]) => `${id} is still red (${red.join(", ")}) on the platform that was cured`);

/**
 * Ends the chaos: everything works from now on. The outbox has to empty itself, first on the platform as it is and then on
 * the cured one, and at the end nothing may be red.
 * @returns what did not hold
 */
export async function finish(course: Course, canary: CanaryProcess): Promise<string[]> {
  const { stage } = course;
  stage.webhook.isFailing = false;
  await stage.table.look();
  stage.ledger.endedMs = performance.now();
  passLease(stage, canary);
  const undrained = await drain(course, canary);
  await stage.platform.cureAll();
  const undrainedCured = await drain(course, canary);
  await stage.table.look();
  return [...undrained, ...undrainedCured, ...statesOf(stage)];
}
