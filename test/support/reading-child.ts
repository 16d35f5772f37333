/** A process that reads sources on order, so that it can be frozen between two reads as a function is. */
import { slack } from "../../shared/alerts/channels/slack.ts";
import { withDeadline } from "../../shared/deadline.ts";
import type { FactName } from "../../shared/facts/facts.ts";
import { queueCounts } from "../../shared/sources/queue-counts/queue-counts.ts";
import { redisReader } from "../../shared/sources/redis/redis.ts";
import type { Source, SourceContext } from "../../shared/sources/source.ts";
import { openDatabase } from "../../shared/sources/sqlite/database.ts";
import { SQLITE } from "../../shared/sources/sqlite/dialect.ts";
import { ANY_ALERT } from "./alert.ts";

export type Reader = "redis" | "database" | "accessor" | "slack" | "fetch";
export interface ReadOrder {
  readonly reader: Reader;
  readonly url: string;
}

/** Finds no queue in SQL: an empty text of packed rows for each statement. */
const noRows = async (statements: readonly string[]) => statements.map(() => [[""]]);
const NO_ROWS: SourceContext["database"] = { sql: SQLITE, batch: noRows, separately: noRows };

async function readFacts(read: Source["read"] | string, wanted: FactName[], signal: AbortSignal) {
  if (typeof read === "string") throw new Error(`the source is ${read}`);
  const context = { signal, now: Date.now, wanted: new Set(wanted), since: { ended: null } };
  return (await read(context)).unavailable.join();
}

/** Each returns what could not be read. */
const READERS: Record<Reader, (url: string, signal: AbortSignal) => Promise<string>> = {
  redis: (url, signal) => readFacts(redisReader({ url, token: "token" }), ["slots", "drainTick"], signal),
  async database(url, signal) {
    await openDatabase(url).batch(["SELECT 1"], signal);
    return "";
  },
  accessor(url, signal) {
    const context = { database: NO_ROWS } as SourceContext;
    return readFacts(queueCounts.configure({ url, token: null }, context), ["queueCounts"], signal);
  },
  async slack(url, signal) {
    await slack.configure({ webhookUrl: url })!.send([ANY_ALERT], signal);
    return "";
  },
  // Not a source: it shows that the connections of this process do die.
  async fetch(url, signal) {
    await (await fetch(url, { signal, method: "POST", body: "x" })).text();
    return "";
  },
};

process.on("message", async ({ reader, url }: ReadOrder) => {
  const answer = await withDeadline(60_000, (signal) => READERS[reader](url, signal)).catch(
    (error: Error & { cause?: { code?: string } }) => error.cause?.code ?? String(error),
  );
  process.send?.(answer);
});
process.on("disconnect", () => process.exit());
