/**
 * What the facts look for in the tables. Nobody lists it: the facts are handed a schema in which everything is there, and
 * what they ask it for is noted. So it holds for a new fact too.
 */
import type { ReadContext } from "../source.ts";
import type { Dialect } from "./dialect.ts";
import { planFor, type SqlFactName, UNSENT } from "./reader.ts";
import { type Place, placeText, wholeSchema } from "./schema.ts";

export interface LookedFor extends Place {
  /** Without it there is no such fact. A fact goes without the others. */
  readonly isNeeded: boolean;
}

const contextOf = (fact: SqlFactName): ReadContext => ({ ...UNSENT, wanted: new Set([fact]) });

function isMissingWithout(sql: Dialect, fact: SqlFactName, lacks: Place): boolean {
  const [plan] = planFor(
    wholeSchema(sql, lacks, () => {}),
    contextOf(fact),
  ).plans;
  return plan!.missing !== null || plan!.absent !== null;
}

/**
 * Lists the tables and columns that the fact looks for, each once. A table is among them where a column of it is.
 * @param sql of the backend that is read
 */
export function lookedFor(fact: SqlFactName, sql: Dialect): LookedFor[] {
  const asked = new Map<string, Place>();
  const note = (place: Place) => void asked.set(placeText(place), place);
  const schema = wholeSchema(sql, null, ({ table, column }) => {
    note({ table, column: null });
    if (column !== null) note({ table, column });
  });
  planFor(schema, contextOf(fact));
  return [...asked.values()].map((place) => ({ ...place, isNeeded: isMissingWithout(sql, fact, place) }));
}
