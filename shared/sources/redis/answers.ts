/** Checks and parses what Redis answers. */
import { SourceError } from "../../errors.ts";
import type { DrainTick, Slot } from "../../facts/facts.ts";
import type { LifeCommand, RedisAnswer } from "./requests.ts";

/** A heartbeat further in the future than this can't be a sweep that has finished. */
const MAX_CLOCK_SKEW_SECONDS = 60;
/** No instant is written with more characters. */
const MAX_TIME_LENGTH = 1_000;

/** Returns the result of a command. @throws SourceError where it failed */
export function resultOf({ error, result }: RedisAnswer): unknown {
  if (error) throw new SourceError(error);
  return result;
}

export function stringsOf(value: unknown): string[] {
  if (!Array.isArray(value) || !value.every((v) => typeof v === "string" || typeof v === "number"))
    throw new SourceError("the answer is not a list of strings");
  return value.map(String);
}

/** Parses a page of SCAN. */
export function scanPage(answer: RedisAnswer) {
  const page = resultOf(answer);
  const [cursor, keys] = Array.isArray(page) ? page : [];
  if (!/^\d+$/.test(String(cursor))) throw new SourceError("the answer to SCAN has no cursor");
  return { cursor: String(cursor), keys: stringsOf(keys) };
}

/** Parses a score as Redis prints it (a float, inf or -inf). Returns null where it is none. */
export function parseScore(text: string): number | null {
  const spelled = text.replace(/^([+-]?)inf$/i, "$1Infinity");
  const score = Number(spelled || Number.NaN);
  return Number.isNaN(score) ? null : score;
}

/**
 * Parses the drain heartbeat. One of long ago is a sweep of long ago, however long.
 * @param value the result of GET
 * @param toSeconds when it was read
 * @throws SourceError where it is not an instant: the check that needs it must not guess
 */
export function parseDrainTick(value: unknown, toSeconds: number): DrainTick {
  if (value === null || value === undefined) return { atSeconds: null };
  const text = String(value).trim();
  if (text.length > MAX_TIME_LENGTH)
    throw new SourceError(`a text of ${text.length} characters is not a time in seconds`);
  const atSeconds = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(atSeconds)) throw new SourceError(`${JSON.stringify(text)} is not a time in seconds`);
  if (atSeconds > toSeconds + MAX_CLOCK_SKEW_SECONDS)
    throw new SourceError(`${text} is more than ${MAX_CLOCK_SKEW_SECONDS} s in the future`);
  return { atSeconds };
}

export type Hash = Pick<Slot, "ttlSeconds" | "expiresAtSeconds" | "timeoutSeconds">;

/** Redis answers -2 for a key that is missing and -1 for one that never expires. */
const isLife = (seconds: number): boolean => Number.isInteger(seconds) && seconds >= -2;

/**
 * Parses the answers to TTL or EXPIRETIME, and to HGET, of a slot's hash.
 * @param atSeconds when they were read, by our clock: with EXPIRETIME the TTL that is shown follows from it
 * @throws SourceError where one of them can't be read
 */
export function parseHash(
  command: LifeCommand,
  life: RedisAnswer,
  timeout: RedisAnswer,
  atSeconds: number,
): Hash {
  const seconds = Number(resultOf(life) ?? Number.NaN);
  if (!isLife(seconds)) throw new SourceError(`the answer to ${command.toUpperCase()} is not a number`);
  const text = String(resultOf(timeout) ?? "").trim();
  const timeoutSeconds = /^\d{1,9}(\.\d+)?$/.test(text) ? Number(text) : null;
  if (command === "ttl" || seconds < 0)
    return { ttlSeconds: seconds, expiresAtSeconds: null, timeoutSeconds };
  const ttlSeconds = Math.max(0, Math.round(seconds - atSeconds));
  return { ttlSeconds, expiresAtSeconds: seconds, timeoutSeconds };
}

/** Says whether this Redis, and this token, know EXPIRETIME. */
export const lifeCommandOf = ({ error }: RedisAnswer): LifeCommand =>
  error === undefined ? "expiretime" : "ttl";
