/** What an invariant is: data and a pure check, in one file. */
import type { CoverageParts } from "../facts/coverage.ts";
import type { FactName, Facts, Readings, ReadingTime } from "../facts/facts.ts";
import type { Command } from "./commands.ts";

export type Tier = "A" | "B";
/** From worst to least. */
export const SEVERITIES = ["critical", "major", "minor"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** One thing that is wrong. `Observed` is what an operator needs to see of it, in the names of the API (snake_case). */
export interface Finding<Observed> {
  /** The agent, or for L-03 the ghost. */
  readonly subject: string;
  /** What makes it the same finding when it is read again; one key for each id or process it is made of. */
  readonly keys: readonly string[];
  readonly observed: Observed;
  readonly signalQuery: string;
  /** Where it differs from the invariant's own. */
  readonly severity?: Severity;
}

/** What a check found, and what of the facts it could look at. */
export interface Checked<Observed> extends CoverageParts {
  readonly findings: readonly Finding<Observed>[];
  /** Lines for `sources_unavailable`: what was read and is not the check's to judge. Nothing is blind by them. */
  readonly notes?: readonly string[];
  /** What was read speaks neither for a finding nor against it: what was red stays red, and what was green stays green. */
  readonly isUndecided?: true;
  /** What it `discredits` is in doubt already, although it is not red yet. */
  readonly isInDoubt?: true;
}

/** The facts that a check named in `reads`, each with when it was read. */
export type FactsRead<R extends FactName> = Readonly<Pick<Facts, R>>;
export interface CheckContext<R extends FactName, O extends FactName = never> {
  readonly times: Readonly<Record<R, ReadingTime>>;
  /** The facts that the check named in `optional`, read or not. */
  readonly readings: { readonly [F in O]: NonNullable<Readings[F]> };
  /** Facts of which some entries could not even be listed, with the reason. */
  readonly unlisted: Readonly<Partial<Record<R, string>>>;
}

/** What an invariant says of a source while it is red. */
export interface Discredit {
  /** What rests on one of these facts is unknown meanwhile, and while it is in doubt. */
  readonly facts: readonly FactName[];
  /** Why, in the words of the operator. */
  readonly because: string;
}

interface InvariantSpec<
  R extends FactName,
  Observed extends object,
  Id extends string = string,
  O extends FactName = FactName,
> {
  readonly id: Id;
  readonly title: string;
  readonly tier: Tier;
  readonly severity: Severity;
  /** What breaks for whom while this does not hold, and how bad that is, in a sentence. */
  readonly impact: string;
  /** The first thing to do about it, in a sentence or two, without names of fields. */
  readonly runbook: string;
  /** What the fix does to a run that is alive after all, in a sentence or two. */
  readonly safe: string;
  /** What a finding may look like, with placeholders such as `<agent>` for names: for docs, and where there is no finding. */
  readonly example: NoInfer<Observed>;
  /** Where an invariant can be red in several ways: one for each other way. */
  readonly otherExamples?: readonly NoInfer<Observed>[];
  readonly reads: readonly R[];
  /** Facts that the check can do without. */
  readonly optional?: readonly O[];
  /** Where one of these facts was left out on purpose, the invariant is not run. Left out: those in `reads`; see offWithOf. */
  readonly offWith?: readonly FactName[];
  /** Only of an invariant that says whether a source is the platform's. */
  readonly discredits?: Discredit;
  /** Whether a new red is read again before it counts: its facts come from more than one source, read or clock. */
  readonly confirm: boolean;
  /** It runs only where the environment turns it on. */
  readonly isOffByDefault?: true;
  /**
   * @returns what was found, or a text that says why these facts allow no verdict
   */
  check(facts: FactsRead<R>, context: CheckContext<R, O>): Checked<Observed> | string;
  /** All findings of a cycle in one line. */
  summarize(findings: readonly Finding<Observed>[]): string;
  /** One finding in one line, with the fields that matter for triage. */
  explain(observed: Observed): string;
  /** How bad one finding is, as a whole number: the more, the worse. Left out: the number of its keys. */
  size?(observed: Observed): number;
  /** The commands that show whether it is still so. They change nothing. */
  verify(observed: Observed): readonly Command[];
  /** The commands that fix it. What they write does nothing where the platform has moved on. */
  fix(observed: Observed): readonly Command[];
  /** A finding with several keys, cut down to those that were confirmed. Without any key left, it is none. */
  narrow?(finding: Finding<Observed>, keep: ReadonlySet<string>): Finding<Observed>;
}

/** An invariant as the cycle sees it: what its check reads is known to its own file only. */
export type Invariant = InvariantSpec<FactName, Record<string, unknown>>;

/** Lists the facts that the invariant is not run without, where one of them was left out on purpose. */
export const offWithOf = ({
  reads,
  offWith = reads,
}: Pick<Invariant, "reads" | "offWith">): readonly FactName[] => offWith;

/**
 * Declares an invariant. `reads` and `optional` decide what its check can touch: any other fact is a type error.
 * @param spec the whole invariant; a part that is missing is a type error
 */
export function invariant<
  const R extends FactName,
  Observed extends object,
  const Id extends string,
  const O extends FactName = never,
>(spec: InvariantSpec<R, Observed, Id, O>): Invariant & { readonly id: Id } {
  return spec as unknown as Invariant & { readonly id: Id };
}
