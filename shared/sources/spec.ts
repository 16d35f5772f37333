/** What a source's folder says of it: its variables, its facts, and when it is off. */
import type { CYCLE } from "../config/cycle.ts";
import type { Table, Values } from "../config/variable.ts";
import type { FactName } from "../facts/facts.ts";
import type { Source } from "./source.ts";
import type { Database } from "./sqlite/database.ts";

/** What a source may use besides its own variables. */
export interface SourceContext {
  readonly cycle: Values<typeof CYCLE>;
  /** The platform's database, opened once for every source that reads it; null where none is named. */
  readonly database: Database | null;
}

export interface SourceSpec<N extends string = string, V extends Table = Table> {
  /** As it is named in `sources_unavailable`. */
  readonly name: N;
  /** A fact that two sources give is left to the later one of the list, unless that one is not configured. */
  readonly gives: readonly FactName[];
  readonly variables: V;
  /** Reports what is wrong with values that are each fine, but not together. */
  check?(values: Values<V>, problem: (line: string) => void): void;
  configure(values: Values<V>, context: SourceContext): Source["read"] | "off" | "not configured";
}

/** Lets the compiler infer the variables' types. */
export const sourceSpec = <const N extends string, V extends Table>(
  spec: SourceSpec<N, V>,
): SourceSpec<N, V> => spec;
