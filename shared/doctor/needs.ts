/** Tables and columns that invariants look for and an installation lacks. Pure. */
import type { FactName, Readings } from "../facts/facts.ts";
import type { Invariant } from "../invariants/invariant.ts";
import { lookedFor, placeText } from "../sources/sqlite/looked-for.ts";
import type { Schema } from "../sources/sqlite/schema.ts";
import type { SqlFactName } from "../sources/sqlite/sqlite.ts";
import { type Finding, note, warning } from "./finding.ts";
import { isThere } from "./release.ts";

interface Lack {
  readonly isNeeded: boolean;
  readonly facts: Set<FactName>;
}

/** Places that are missing, with the facts that look for them. A missing table stands for its columns. */
function lacksOf(schema: Schema, facts: readonly SqlFactName[]): ReadonlyMap<string, Lack> {
  const lacks = new Map<string, Lack>();
  for (const fact of facts)
    for (const place of lookedFor(fact)) {
      if (isThere(schema, place) || (place.column !== null && !schema.hasTable(place.table))) continue;
      const known = lacks.get(placeText(place));
      const isNeeded = place.isNeeded || (known?.isNeeded ?? false);
      lacks.set(placeText(place), { isNeeded, facts: (known?.facts ?? new Set()).add(fact) });
    }
  return lacks;
}

/**
 * Says what is missing, and which invariants that touches.
 * @param invariants those that run
 * @param facts of the database, as far as these read them
 */
export function lackFindings(
  schema: Schema,
  facts: readonly SqlFactName[],
  invariants: readonly Invariant[],
  readings: Readings,
): Finding[] {
  return [...lacksOf(schema, facts)].map(([place, { isNeeded, facts: asking }]) => {
    const touched = (isUnread: boolean) =>
      invariants
        .filter(({ reads, optional = [] }) =>
          [...reads, ...optional].some(
            (fact) => asking.has(fact) && (readings[fact]?.read === false) === isUnread,
          ),
        )
        .map(({ id }) => id);
    const [without, goOn] = [touched(true), touched(false)];
    const parts = [
      ...(without.length > 0 ? [`${without.join(", ")} can't be judged`] : []),
      ...(goOn.length > 0 ? [`${goOn.join(", ")} go${goOn.length === 1 ? "es" : ""} without it`] : []),
    ];
    return (isNeeded ? warning : note)("missing", `${place}: ${parts.join("; ")}`);
  });
}
