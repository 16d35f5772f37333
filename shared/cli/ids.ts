/** The ids of invariants as a user types them. */
import { INVARIANT_IDS, KNOWN_IDS } from "../invariants/index.ts";
import { didYouMean, nearest } from "../nearest.ts";
import { printable } from "../text.ts";
import { UsageError } from "./errors.ts";

/** Writes `s2` and `S 02` as S-02; null for what is not like an id. */
function idLike(text: string): string | null {
  const [, letter, number] = /^([A-Z])\W?(\d{1,2})$/.exec(text.trim().toUpperCase()) ?? [];
  return letter && number ? `${letter}-${number.padStart(2, "0")}` : null;
}

/** Finds the id that is meant by a text that is none; null where it is like none. */
export function meantId(text: string): string | null {
  const id = idLike(text);
  if (id === null) return nearest(text, INVARIANT_IDS);
  return (INVARIANT_IDS as readonly string[]).includes(id) ? id : null;
}

/**
 * Finds the id, in any case.
 * @throws UsageError where there is none, with the one that it may have meant
 */
export function invariantId(text: string): string {
  const id = text.trim().toUpperCase();
  if ((INVARIANT_IDS as readonly string[]).includes(id)) return id;
  const suggestion = didYouMean(idLike(text) ?? text, INVARIANT_IDS) || `; ${KNOWN_IDS}`;
  throw new UsageError(`there is no invariant ${printable(text.trim())}${suggestion}`);
}

/**
 * Finds the ids of a list with commas.
 * @param option names the list in the error
 * @throws UsageError where one is unknown, or there is none
 */
export function invariantIds(option: string, text: string): string[] {
  const ids = text
    .split(",")
    .filter((id) => id.trim() !== "")
    .map(invariantId);
  if (ids.length === 0) throw new UsageError(`${option} names none: give ids such as S-01,B-02`);
  return [...new Set(ids)];
}
