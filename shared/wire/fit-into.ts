/** Cuts what leaves the process to a number of bytes: its size must never keep a cycle from happening or being answered. */
import { cut } from "../text.ts";

/** Lambda answers at most 6,291,556 bytes; headers and the JSON's own escapes are in this margin. */
export const MAX_ANSWER_BYTES = 5_000_000;

/** How long lists may be at most, in steps, where no text may be cut. */
const SHORTER_LISTS = [20, 5, 1];

/** How far lists and texts are cut, in steps, until the whole fits. */
const CUTS = [
  { listed: 500, characters: 10_000 },
  { listed: 100, characters: 1_000 },
  { listed: 10, characters: 200 },
] as const;

/** Cuts lists and texts. Next to a list that was cut, `{name}_total` says how long it was. */
function cutTo(value: unknown, limits: { readonly listed: number; readonly characters: number }): unknown {
  const { listed, characters } = limits;
  if (typeof value === "string") return cut(value, characters);
  if (Array.isArray(value)) return value.slice(0, listed).map((item) => cutTo(item, limits));
  if (value === null || typeof value !== "object") return value;
  const shorter: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) {
    shorter[name] = cutTo(field, limits);
    const total = `${name}_total`;
    if (Array.isArray(field) && field.length > listed && !Object.hasOwn(value, total))
      shorter[total] = field.length;
  }
  return shorter;
}

/** The length of a value's JSON, in bytes. */
export const bytesOf = (value: object): number => Buffer.byteLength(JSON.stringify(value));

/** The least length of a value's JSON. It stops counting where that is more than `most`. */
function leastLength(value: unknown, most: number): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 1;
  const isList = Array.isArray(value);
  let length = 0;
  for (const name in value) {
    if (length > most) break;
    const part = (value as Record<string, unknown>)[name];
    // JSON leaves out what is undefined.
    if (part !== undefined) length += (isList ? 0 : name.length) + leastLength(part, most - length);
  }
  return length;
}

/**
 * Makes a value's JSON where it has at most that many characters, and null otherwise. What is far longer costs next to
 * nothing: it is not made.
 */
export function jsonWithin(value: object, most: number): string | null {
  if (leastLength(value, most) > most) return null;
  const json = JSON.stringify(value);
  return json.length <= most ? json : null;
}

/** Returns the value as it is, or with its lists and texts cut so far that its JSON has at most that many bytes. */
export function fitInto<T extends object>(value: T, maxBytes: number): T {
  let fitting = value;
  for (const limits of CUTS) {
    if (bytesOf(fitting) <= maxBytes) break;
    fitting = cutTo(value, limits) as T;
  }
  return fitting;
}

/**
 * Returns the value with its lists cut so far that its JSON has at most that many bytes. Texts stay whole: a command that is
 * made of half a name is a wrong one. Null where that is not enough.
 */
export function fitLists<T extends object>(value: T, maxBytes: number): T | null {
  for (const listed of SHORTER_LISTS) {
    const fitting = cutTo(value, { listed, characters: Number.POSITIVE_INFINITY }) as T;
    if (bytesOf(fitting) <= maxBytes) return fitting;
  }
  return null;
}
