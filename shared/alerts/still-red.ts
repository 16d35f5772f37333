/**
 * What stays red although a verdict did not find it: it could not be looked at. State and verdict both follow from this, so
 * that no verdict is green beside a red state. Pure.
 */
import { cut, listed, plural } from "../text.ts";
import type { Verdict } from "../verdict/evaluate.ts";
import type { InvariantState, RedSubject } from "./state.ts";

const MAX_NAMED = 5;
/** A name can be as long as the platform lets it be. */
const MAX_NAME = 60;

export interface StillRed {
  /** The subjects that were red and not all of whose findings could be looked at. */
  readonly red: Readonly<Record<string, RedSubject>>;
  /** How many that the memory only counts: nobody knows their names, so only a look at everything ends them. */
  readonly besides: number;
}

/** Says whether all that was red of the subject could be looked at. */
const sawRed = ({ coverage }: Verdict, subject: string, { keys, more }: RedSubject): boolean =>
  more || keys.length === 0 ? coverage.saw(subject) : keys.every((key) => coverage.saw(subject, key));

/**
 * Finds what stays red. After an unknown verdict that is everything.
 * @param prior the state before the cycle
 * @param verdict of the cycle alone
 */
export function stillRed(prior: InvariantState, verdict: Verdict): StillRed {
  if (verdict.status === "unknown") return { red: prior.red, besides: prior.redBesides };
  const red: Record<string, RedSubject> = Object.create(null);
  for (const [subject, before] of Object.entries(prior.red))
    if (!sawRed(verdict, subject, before)) red[subject] = before;
  // A verdict that saw everything names all that is red: there are no others left.
  return { red, besides: verdict.coverage.isWhole ? 0 : prior.redBesides };
}

function nameStillRed(names: readonly string[], besides: number): string {
  const shown = listed(
    names.map((name) => cut(name, MAX_NAME)),
    MAX_NAMED,
  );
  const counted = besides > 0 ? [`${plural(besides, "subject")} that the memory only counts`] : [];
  return [...(names.length > 0 ? [shown] : []), ...counted].join(", ");
}

/**
 * Makes the verdict that leaves the canary. What is still red makes a green verdict red, and is named in its reason. A
 * verdict whose facts were not read stays unknown, and names it too; one that looked, and could not see such a subject, is
 * red. No finding is added.
 * @param verdict of the cycle alone
 * @param prior the state before the cycle; undefined where the invariant was never judged
 */
export function withStillRed(verdict: Verdict, prior: InvariantState | undefined): Verdict {
  if (prior === undefined) return verdict;
  const { red, besides } = stillRed(prior, verdict);
  const found = new Set(verdict.findings.map(({ subject }) => subject));
  const names = Object.keys(red)
    .filter((subject) => !found.has(subject))
    .sort();
  if (names.length === 0 && besides === 0) return verdict;
  const who = nameStillRed(names, besides);
  const reason =
    verdict.reason === null ? `still red but not seen: ${who}` : `${verdict.reason} (still red: ${who})`;
  const unseen = new Set(verdict.coverage.unseen.map(({ subject }) => subject));
  const isUnknown = verdict.status === "unknown" && !names.some((name) => unseen.has(name));
  return { ...verdict, status: isUnknown ? "unknown" : "red", reason };
}
