/** Requests to Redis over REST, as large as every server takes them. */
import type { Redis } from "@upstash/redis";
import pMap from "p-map";
import { SourceError } from "../../errors.ts";

/** Hosted Redis refuses bodies above 1 MB. */
export const CHUNK_BYTES = 950_000;
const CHUNKS_AT_ONCE = 2;

export type Pipeline = ReturnType<Redis["pipeline"]>;
export type Answer = { error?: string | undefined; result: unknown };

/** Sends a pipeline and checks that every command was answered. */
export async function send(pipeline: Pipeline, signal: AbortSignal): Promise<Answer[]> {
  const expected = pipeline.length();
  const answers: unknown = await pipeline.exec({ keepErrors: true });
  // The client answers an aborted request with a made-up 200.
  signal.throwIfAborted();
  if (!Array.isArray(answers) || answers.length !== expected)
    throw new SourceError("the answer is not that of Redis");
  return answers;
}

/** The size of a text in JSON, where quotes and control characters are longer. */
export const bytesOf = (text: string) => Buffer.byteLength(JSON.stringify(text)) - 2;

/** Splits into runs whose sizes add up to a request that every server takes. */
function chunked<T>(items: readonly T[], sizeOf: (item: T) => number): T[][] {
  const chunks: T[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const item of items) {
    const size = sizeOf(item);
    if (bytes + size > CHUNK_BYTES) {
      chunks.push([]);
      bytes = 0;
    }
    chunks.at(-1)!.push(item);
    bytes += size;
  }
  return chunks;
}

/**
 * Sends the commands of all items, in as few transactions as take them.
 * @param add puts an item's commands in
 * @param take is called with each answer as it comes
 */
export async function inChunks<T>(
  redis: Redis,
  signal: AbortSignal,
  items: readonly T[],
  sizeOf: (item: T) => number,
  add: (pipeline: Pipeline, item: T) => void,
  take: (items: readonly T[], answers: readonly Answer[]) => void,
): Promise<void> {
  await pMap(
    chunked(items, sizeOf),
    async (chunk) => {
      const pipeline = redis.multi();
      for (const item of chunk) add(pipeline, item);
      take(chunk, await send(pipeline, signal));
    },
    { concurrency: CHUNKS_AT_ONCE },
  );
}
