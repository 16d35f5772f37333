/** Requests to Redis over REST, small enough for every server. */
import type { Redis } from "@upstash/redis";
import pMap from "p-map";
import { SourceError } from "../../errors.ts";

/** Hosted Redis refuses bodies above 1 MB. */
export const CHUNK_BYTES = 950_000;
const CHUNKS_AT_ONCE = 2;

export type Pipeline = ReturnType<Redis["pipeline"]>;
export type RedisAnswer = { error?: string | undefined; result: unknown };

/** Sends a pipeline and checks that every command was answered. */
export async function send(pipeline: Pipeline, signal: AbortSignal): Promise<RedisAnswer[]> {
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

/** Commands that have to be in the same transaction. */
export interface Commands {
  /** Their size in JSON. */
  readonly bytes: number;
  addTo(pipeline: Pipeline): void;
  /** Called with one answer for each command. */
  take(answers: readonly RedisAnswer[]): void;
}

function chunked(all: readonly Commands[]): Commands[][] {
  const chunks: Commands[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const commands of all) {
    bytes += commands.bytes;
    if (bytes > CHUNK_BYTES) {
      chunks.push([]);
      bytes = commands.bytes;
    }
    chunks.at(-1)!.push(commands);
  }
  return chunks;
}

/** Sends all commands, in as few transactions as every server accepts. */
export async function sendInChunks(
  redis: Redis,
  all: readonly Commands[],
  signal: AbortSignal,
): Promise<void> {
  const sendChunk = async (chunk: readonly Commands[]) => {
    const pipeline = redis.multi();
    const starts = chunk.map((commands) => {
      const start = pipeline.length();
      commands.addTo(pipeline);
      return start;
    });
    const answers = await send(pipeline, signal);
    for (const [i, { take }] of chunk.entries()) take(answers.slice(starts[i], starts[i + 1]));
  };
  await pMap(chunked(all), sendChunk, { concurrency: CHUNKS_AT_ONCE });
}
