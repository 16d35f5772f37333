/** Requests to Redis, small enough for every server, and for those who wait behind them. */
import type { Redis } from "@upstash/redis";
import pMap from "p-map";
import { SourceError } from "../../errors.ts";
import { AnswerTooLarge } from "../../http.ts";

/** Hosted Redis refuses bodies above 1 MB. */
const CHUNK_BYTES = 950_000;
/**
 * What a transaction may cost, in small commands. Redis runs it in one go, and every other client waits meanwhile. A small
 * command of ours takes 2 µs of a busy machine, so that the whole takes one millisecond: a fifth of what is allowed.
 */
export const MAX_COST = 500;
/** Redis gives a member of a range in 0.5 µs. */
export const MEMBER_COST = 1 / 4;
export const CHUNKS_AT_ONCE = 2;
/** Into how many parts a question is divided whose answer is too large: few of them repeat what is large. */
const PARTS = 16;

export type Pipeline = ReturnType<Redis["pipeline"]>;
export type RedisAnswer = { error?: string | undefined; result: unknown };

/** What the life of a key is asked by. EXPIRETIME (Redis 7) answers an instant, which needs no clock of ours. */
export type LifeCommand = "ttl" | "expiretime";

/** Adds a command that the client has no method for, or none that leaves the answer as it is. */
export function addCommand(pipeline: Pipeline, command: readonly string[]): void {
  // biome-ignore lint/complexity/useLiteralKeys: the member is private
  pipeline["chain"]({ command: [...command], deserialize: (result: unknown) => result } as never);
}

/** Asks for the life of a key. */
export const askForLife = (pipeline: Pipeline, command: LifeCommand, key: string): void =>
  addCommand(pipeline, [command, key]);

/** Sends a pipeline and checks that every command was answered. */
export async function send(pipeline: Pipeline): Promise<RedisAnswer[]> {
  const expected = pipeline.length();
  const answers: unknown = await pipeline.exec({ keepErrors: true });
  if (!Array.isArray(answers) || answers.length !== expected)
    throw new SourceError("the answer is not that of Redis");
  return answers;
}

/** The size of a text in JSON, where quotes and control characters are longer. */
export const bytesOf = (text: string) => Buffer.byteLength(JSON.stringify(text)) - 2;

/** Commands that have to be in the same request. */
export interface Commands {
  /** How much Redis works for them, in small commands. */
  readonly cost: number;
  /** Their size in JSON. */
  readonly bytes: number;
  addTo(pipeline: Pipeline): void;
  /** Called with one answer for each command. */
  take(answers: readonly RedisAnswer[]): void;
  /** Called instead where the answer to these commands alone is too large. */
  fail(error: AnswerTooLarge): void;
}

function chunked(all: readonly Commands[]): Commands[][] {
  const chunks: Commands[][] = [];
  let [bytes, cost] = [Number.POSITIVE_INFINITY, 0];
  for (const commands of all) {
    bytes += commands.bytes;
    cost += commands.cost;
    if (bytes > CHUNK_BYTES || cost > MAX_COST) {
      chunks.push([]);
      [bytes, cost] = [commands.bytes, commands.cost];
    }
    chunks.at(-1)!.push(commands);
  }
  return chunks;
}

async function sendChunk(open: () => Pipeline, chunk: readonly Commands[]): Promise<void> {
  const pipeline = open();
  const starts = chunk.map((commands) => {
    const start = pipeline.length();
    commands.addTo(pipeline);
    return start;
  });
  let answers: RedisAnswer[];
  try {
    answers = await send(pipeline);
  } catch (error) {
    if (!(error instanceof AnswerTooLarge)) throw error;
    if (chunk.length === 1) return chunk[0]!.fail(error);
    const size = Math.ceil(chunk.length / PARTS);
    for (let from = 0; from < chunk.length; from += size)
      await sendChunk(open, chunk.slice(from, from + size));
    return;
  }
  for (const [i, { take }] of chunk.entries()) take(answers.slice(starts[i], starts[i + 1]));
}

/**
 * Sends all commands, in requests of limited size.
 * @param open opens a pipeline or a transaction
 */
export async function sendInChunks(open: () => Pipeline, all: readonly Commands[]): Promise<void> {
  await pMap(chunked(all), (chunk) => sendChunk(open, chunk), { concurrency: CHUNKS_AT_ONCE });
}
