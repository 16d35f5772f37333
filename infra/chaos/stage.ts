/** Where a part of the chaos happens: the platform, the table, the webhook, and the canaries, each part with its own. */
import { join } from "node:path";
import { openCanary } from "../../shared/canary.ts";
import { leaseMs } from "../../shared/cycle/lease.ts";
import { bundleFunction } from "../aws/bundle.ts";
import { temporaryFolder } from "../local/temporary-folder.ts";
import type { Backend } from "../platform/file-client.ts";
import { type Random, seededRandom } from "../soak/random.ts";
import { type CanaryProcess, openWay, startCanary, type Way } from "./canary-process.ts";
import { startClock } from "./clock.ts";
import { emptyLedger, type Ledger } from "./ledger.ts";
import { type ChaosPlatform, startChaosPlatform } from "./platform.ts";
import { type ChaosTable, openTable } from "./table.ts";
import { startWebhook, type WebhookAnswer } from "./webhook.ts";

export interface Stage {
  readonly ledger: Ledger;
  readonly random: Random;
  readonly platform: ChaosPlatform;
  readonly table: ChaosTable;
  readonly webhook: {
    /** Whether it fails about half of the time: 500, or taken and cut off, or taken and never answered. */
    isFailing: boolean;
    /** Called as each post arrives. */
    onPost: () => void;
  };
  /** How long one lease lasts, by the canary's settings. */
  readonly leaseMs: number;
  way(name: string): Promise<Way>;
  /** Starts a canary that goes that way, in the place of the one before it. */
  start(way: Way): CanaryProcess;
  close(): Promise<void>;
}

/** Builds the runner as a function is built: it starts in a fraction of the time. */
export async function buildRunner(): Promise<{ path: string; remove(): Promise<void> }> {
  const { path, remove } = await temporaryFolder();
  await bundleFunction("infra/chaos/runner.ts", path);
  return { path: join(path, "index.mjs"), remove };
}

const SETTINGS = {
  // Long: on a busy machine a source is slow, and what is not read is not accounted for.
  SOURCE_DEADLINE_MS: "20000",
  LIBSQL_LOCK_MS: "20000",
  CONFIRM_AFTER_MS: "30",
  ALERT_REMIND_HOURS: "0",
  ALERT_MIN_SEVERITY: "minor",
} as const;

const FAILURES: readonly WebhookAnswer[] = ["http 500", "resets", "hangs"];

/**
 * How many posts in a row are answered well, and how many fail. After one that fails a canary leaves the webhook alone for a
 * while, so that a few of them take as long as many that are answered well.
 */
const RUNS = { good: [1, 12], failing: [1, 3] } as const;

/** Draws the answer to each post. */
function answersOf(random: Random): () => WebhookAnswer {
  let [isGood, left] = [true, 0];
  return () => {
    if (left === 0) {
      isGood = !isGood;
      const [least, most] = isGood ? RUNS.good : RUNS.failing;
      left = random.whole(least, most);
    }
    left -= 1;
    return isGood ? "ok" : random.one(FAILURES);
  };
}

/** Starts Slack's stand-in. Each post is in the ledger. */
async function startFailingWebhook(ledger: Ledger, random: Random) {
  const server = await startWebhook();
  const webhook = { isFailing: false, onPost() {}, url: server.url, close: server.close };
  const draw = answersOf(random);
  server.answer = (keys) => {
    const answer = webhook.isFailing ? draw() : "ok";
    const isConfirmed = answer === "ok";
    const atMs = performance.now();
    for (const key of keys) ledger.posts.push({ key, isTaken: answer !== "http 500", isConfirmed, atMs });
    webhook.onPost();
    return answer;
  };
  return webhook;
}

/**
 * Starts everything but the canaries. Where something fails, what was started is ended again.
 * @param part its name, and the stream of its random choices
 * @param signal kills the canaries when it is aborted
 */
export async function openStage(options: {
  readonly part: string;
  readonly database: Backend;
  readonly seed: number;
  readonly runner: string;
  readonly speed: number;
  readonly signal: AbortSignal;
}): Promise<Stage> {
  const { part, database, seed, runner, speed, signal } = options;
  const closing: (() => unknown)[] = [];
  const close = async () => {
    for (const end of closing.splice(0).reverse()) await end();
  };
  const stream = (name: string) => seededRandom(seed, `${part} ${name}`);
  try {
    const folder = await temporaryFolder();
    closing.push(folder.remove);
    const ledger = emptyLedger();
    const platform = await startChaosPlatform(
      { database, folder: folder.path },
      { ledger, random: stream("platform") },
      (end) => void closing.push(end),
    );
    const webhook = await startFailingWebhook(ledger, stream("webhook"));
    closing.push(webhook.close);
    const table = await openTable(ledger);
    closing.push(table.close);
    const env = { ...platform.env, ...SETTINGS, SLACK_WEBHOOK_URL: webhook.url };
    const { settings } = openCanary(env, { state: table.store });
    const clock = startClock(speed);
    const canaries = new Set<CanaryProcess>();
    const killAll = () => {
      for (const canary of canaries) canary.kill();
    };
    signal.addEventListener("abort", killAll);
    closing.push(async () => {
      signal.removeEventListener("abort", killAll);
      for (const canary of canaries) await canary.close();
    });
    return {
      ledger,
      random: stream("course"),
      platform,
      table,
      webhook,
      leaseMs: leaseMs(settings),
      way: (name) => openWay(table, name),
      start(way) {
        signal.throwIfAborted();
        const canary = startCanary(runner, way, clock, { env, table: table.name });
        canaries.add(canary);
        return canary;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
