/** Runs the parts of the chaos one after another, each on a stage of its own, and accounts for each. */
import type { Backend } from "../platform/file-client.ts";
import { type Account, account } from "./accounting.ts";
import { ChaosError, type Counts, type Course, noCounts } from "./course.ts";
import { runKills } from "./kills.ts";
import type { Ledger } from "./ledger.ts";
import { runPair } from "./pairs.ts";
import { buildRunner, openStage } from "./stage.ts";

export interface ChaosOptions {
  readonly kills: number;
  /** Of the part with two processes. Clocks and DynamoDB take 2/5 of it each. */
  readonly minutes: number;
  readonly seed: number;
  /** Where the platform keeps its rows. Left out: SQLite. */
  readonly database?: Backend | undefined;
  readonly only: readonly PartName[];
}

interface Part {
  readonly title: string;
  /** How many times as fast the canaries' clocks run: leases and pauses are over sooner. */
  readonly speed: number;
  /** The record of a cycle is written after its commit: it may be missing where a process is killed, or the table fails. */
  readonly needsRecords: boolean;
  run(course: Course, options: ChaosOptions): Promise<string[]>;
}

const MINUTE_MS = 60_000;
const APART_MS = 10 * MINUTE_MS;

export const PARTS = {
  kills: {
    title: "kill -9",
    speed: 1,
    needsRecords: false,
    run: (course, { kills }) => runKills(course, kills),
  },
  two: {
    title: "two processes",
    speed: 10,
    needsRecords: true,
    run: (course, { minutes }) => runPair(course, { ms: minutes * MINUTE_MS, aheadMs: [0], faultSeed: null }),
  },
  clocks: {
    title: "clocks apart",
    speed: 10,
    needsRecords: true,
    run: (course, { minutes }) =>
      runPair(course, { ms: 0.4 * minutes * MINUTE_MS, aheadMs: [APART_MS, -APART_MS], faultSeed: null }),
  },
  dynamodb: {
    title: "DynamoDB fails",
    speed: 10,
    needsRecords: false,
    run: (course, { minutes, seed }) =>
      runPair(course, { ms: 0.4 * minutes * MINUTE_MS, aheadMs: [0], faultSeed: seed }),
  },
} as const satisfies Record<string, Part>;
export type PartName = keyof typeof PARTS;
export const PART_NAMES = Object.keys(PARTS) as PartName[];

export interface PartReport {
  readonly name: PartName;
  readonly title: string;
  readonly seconds: number;
  readonly counts: Counts;
  readonly account: Account;
  readonly leaseMs: number;
  readonly ledger: Ledger;
  /** Whatever did not hold besides what the account names. */
  readonly atEnd: readonly string[];
}

/** A part in which nothing happened shows nothing. */
const emptinessOf = ({ account: { transitions }, counts, ledger }: PartReport): string[] => [
  ...(transitions.length === 0 ? ["nothing changed"] : []),
  ...(ledger.posts.some(({ isConfirmed }) => isConfirmed) ? [] : ["nothing was delivered"]),
  ...(counts.kills > 0 && counts.within === 0 ? ["no kill landed within a cycle"] : []),
  ...(ledger.commits.every(({ unread }) => unread.length > 0) ? ["no cycle read everything"] : []),
];

/** What of a part did not hold; nothing where all did. */
export const failuresOf = (report: PartReport): string[] => [...failuresIn(report), ...emptinessOf(report)];

const failuresIn = ({ account: { lost, longLeases, wrong }, atEnd }: PartReport): string[] => [
  ...lost.map((line) => `lost: ${line}`),
  ...longLeases,
  ...wrong,
  ...atEnd,
];

const PROGRESS_EVERY_MS = 10_000;

/**
 * @param signal ends the run, and all that it started
 * @param onProgress gets a line of progress now and then
 * @param onPart called at the end of each part
 * @throws what the signal was aborted with; ChaosError where the platform is not green at the start
 */
export async function runChaos(
  options: ChaosOptions & {
    readonly signal: AbortSignal;
    readonly onProgress?: (line: string) => void;
    readonly onPart?: (report: PartReport) => void;
  },
): Promise<PartReport[]> {
  const { only, signal, onProgress, onPart } = options;
  const runner = await buildRunner();
  try {
    const reports: PartReport[] = [];
    for (const name of PART_NAMES.filter((part) => only.includes(part))) {
      const report = await runPart(name, runner.path, options, signal, onProgress);
      onPart?.(report);
      reports.push(report);
    }
    return reports;
  } finally {
    await runner.remove();
  }
}

async function runPart(
  name: PartName,
  runner: string,
  options: ChaosOptions,
  signal: AbortSignal,
  onProgress: ((line: string) => void) | undefined,
): Promise<PartReport> {
  signal.throwIfAborted();
  const { title, speed, needsRecords, run }: Part = PARTS[name];
  const from = performance.now();
  const { seed, database = "sqlite" } = options;
  const stage = await openStage({ part: name, database, seed, runner, speed, signal });
  try {
    let toldMs = from;
    const progress = (line: () => string) => {
      if (performance.now() - toldMs < PROGRESS_EVERY_MS) return;
      toldMs = performance.now();
      onProgress?.(`${title}: ${line()}, ${stage.ledger.commits.at(-1)?.outbox.length ?? 0} alerts wait`);
    };
    onProgress?.(`${title}: begins on ${stage.platform.engine}`);
    const counts = noCounts();
    const atEnd = await run({ stage, counts, signal, progress }, options).catch((error: Error) => {
      if (signal.aborted || error instanceof ChaosError) throw error;
      // What happened until then is accounted for all the same.
      return [`it broke off: ${error.message}`];
    });
    const { ledger, leaseMs } = stage;
    return {
      name,
      title,
      seconds: (performance.now() - from) / 1000,
      counts,
      account: account(ledger, { leaseMs, needsRecords }),
      leaseMs,
      ledger,
      atEnd,
    };
  } finally {
    await stage.close();
  }
}
