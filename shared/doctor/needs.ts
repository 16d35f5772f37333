/** Tables and columns that invariants look for and an installation lacks. Pure. */
import type { FactName, Readings } from "../facts/facts.ts";
import type { Invariant } from "../invariants/invariant.ts";
import { lookedFor } from "../sources/sql/looked-for.ts";
import type { SqlFactName } from "../sources/sql/reader.ts";
import { placeText, type Schema } from "../sources/sql/schema.ts";
import { type Finding, note, warning } from "./finding.ts";
import { isThere } from "./release.ts";

/** Maps what is missing to the facts that look for it. A missing table stands for its columns. */
function missingPlaces(
  schema: Schema,
  facts: readonly SqlFactName[],
): ReadonlyMap<string, ReadonlySet<FactName>> {
  const missing = new Map<string, Set<FactName>>();
  for (const fact of facts)
    for (const place of lookedFor(fact, schema.sql)) {
      if (isThere(schema, place) || (place.column !== null && !schema.hasTable(place.table))) continue;
      const text = placeText(place);
      missing.set(text, (missing.get(text) ?? new Set()).add(fact));
    }
  return missing;
}

const FATES = ["not judged", "not run", "go without it"] as const;

/** What becomes of an invariant without a place that these facts look for; null where that does not touch it. */
function fateOf(
  { reads, optional = [] }: Invariant,
  facts: ReadonlySet<FactName>,
  readings: Readings,
): (typeof FATES)[number] | null {
  const read = reads.filter((fact) => facts.has(fact));
  const unread = read.map((fact) => readings[fact]).filter((reading) => reading?.read === false);
  if (unread.some((reading) => !reading.off)) return "not judged";
  if (unread.length > 0) return "not run";
  return read.length > 0 || optional.some((fact) => facts.has(fact)) ? "go without it" : null;
}

/**
 * Says what is missing, and which invariants that touches.
 * @param facts of the database, as far as these invariants read them
 * @param invariants those that are turned on
 */
export function lackFindings(
  schema: Schema,
  facts: readonly SqlFactName[],
  invariants: readonly Invariant[],
  readings: Readings,
): Finding[] {
  return [...missingPlaces(schema, facts)].map(([place, asking]) => {
    const parts = FATES.flatMap((fate) => {
      const ids = invariants.filter((one) => fateOf(one, asking, readings) === fate).map(({ id }) => id);
      return ids.length > 0 ? [`${fate}: ${ids.join(", ")}`] : [];
    });
    const isLoss = parts.some((part) => part.startsWith(FATES[0]));
    return (isLoss ? warning : note)("missing", `${place} (${parts.join("; ")})`);
  });
}
