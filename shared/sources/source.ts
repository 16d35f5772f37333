/** What a source is: its variables, its facts, and how they are read. */
import type { CYCLE } from "../config/cycle.ts";
import type { Part } from "../config/reader.ts";
import type { Values, VariableTable } from "../config/variable.ts";
import type { Place } from "../errors.ts";
import type { FactName, Readings, Since } from "../facts/facts.ts";
import type { CallReader } from "./docker/reader-call.ts";
import type { Database } from "./sql/database.ts";

/** A line on a part that belongs to one agent, such as its container. */
export interface AgentLine {
  readonly agent: string;
  readonly line: string;
}

/** What one source gave: a reading for each fact it was asked for, and lines for the parts that failed. */
export interface SourceResult {
  readonly readings: Readings;
  readonly unavailable: readonly string[];
  /** Lines for parts of single agents. Those of agents that are not on the roster are dropped: another installation's. */
  readonly unavailableByAgent?: readonly AgentLine[];
}

export interface ReadContext {
  /** Aborted at the source's deadline. */
  readonly signal: AbortSignal;
  readonly now: () => number;
  /** The source's facts that are to be read. */
  readonly wanted: ReadonlySet<FactName>;
  /** Where the last cycle stopped reading what is new. */
  readonly since: Since;
}

/** A place that facts are read from. */
export interface Source {
  /** As it is named in `sources_unavailable`. */
  readonly name: string;
  readonly gives: readonly FactName[];
  /** Where it is, for errors that do not say it. */
  readonly place?: Place | null;
  read(context: ReadContext): Promise<SourceResult>;
}

/** What a source may use in addition to its own variables. */
export interface SourceContext {
  readonly cycle: Values<typeof CYCLE>;
  /** The platform's database, opened once for all sources that read it; null where none is named. */
  readonly database: Database | null;
  /** Has others read a few Docker daemons. Left out: this process reads them all. */
  readonly callReader?: CallReader | undefined;
}

export interface SourceSpec<V extends VariableTable = VariableTable> extends Part<V> {
  /** A fact that two sources give is read by the later one of the list, unless that one is not configured. */
  readonly gives: readonly FactName[];
  /** Says where the source is, for errors. Left out or null: its own errors say it. */
  place?(values: Values<V>): Place | null;
  /** Makes the function that reads the source, or says why there is none. */
  configure(values: Values<V>, context: SourceContext): Source["read"] | "off" | "not configured";
}
