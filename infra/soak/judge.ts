/** Compares the canary's reports with the journal. */
import { covers, type Interval, touches } from "./intervals.ts";
import { type RuleItem, type Rules, rulesOf } from "./rules.ts";
import { type SoakEvent, timelineOf } from "./timeline.ts";

/** One violation of one cycle. */
export interface Reported {
  readonly invariant: string;
  readonly subject: string;
  readonly keys: readonly string[];
}

/** One cycle's report, and when it read (unix ms of the journal's clock). */
export interface ObservedCycle {
  readonly first: Interval;
  /** The last confirming read, if any. */
  readonly second: Interval | null;
  readonly violations: readonly Reported[];
  readonly verdicts: Readonly<
    Record<
      string,
      {
        readonly status: "green" | "red" | "unknown";
        readonly unseen: readonly string[];
        readonly reason: string | null;
      }
    >
  >;
}

/** A fault that was made on purpose, and cured. */
export interface PlannedFault {
  readonly name: string;
  readonly item: RuleItem;
  /** From the end of its grace to its cure. */
  readonly brokenMs: Interval;
}

export interface Judgement {
  /** Violations with a key that was not broken, and the journal's entries around that cycle. */
  readonly falseReds: readonly {
    readonly cycle: number;
    readonly violation: Reported;
    readonly falseKeys: readonly string[];
    readonly journal: readonly string[];
  }[];
  readonly trueReds: number;
  /** Items that were broken for the whole of a cycle that did not report them, or that no cycle reported before the cure. */
  readonly missed: readonly {
    readonly item: RuleItem;
    readonly cycles: number;
    readonly planned: string | null;
  }[];
  /** Planned faults that did not take hold, by the journal: failures of the soak itself. */
  readonly voidBreaks: readonly PlannedFault[];
  readonly unknowns: readonly Unknown[];
  /** Subjects, or parts of them, that a verdict could not see although the invariant as a whole was judged. */
  readonly unseen: readonly Unknown[];
}

/** What a cycle said nothing of, and why. */
export interface Unknown {
  readonly cycle: number;
  readonly invariant: string;
  readonly reason: string;
}

/**
 * Says whether the soak proved what it is for. A subject that was not seen is no failure: B-01 can't compare an agent that
 * was made or removed between the accessor's answer and the roster's.
 */
export const isProven = ({ falseReds, missed, voidBreaks, unknowns }: Judgement): boolean =>
  falseReds.length + missed.length + voidBreaks.length + unknowns.length === 0;

/** These are read at one instant, so the first read reports them without a confirming one. */
const UNCONFIRMED: ReadonlySet<string> = new Set(["H-01", "E-02", "E-03", "E-04", "G-03", "G-04"]);

/** How far before and after a cycle the excerpt of a false red reaches. */
const EXCERPT_MS = 20_000;
/** The first false reds are enough to find a cause. */
const MOST_EXCERPTS = 20;

const nameOf = ({ invariant, subject, key }: RuleItem) => JSON.stringify([invariant, subject, key]);
const itemsOf = ({ invariant, subject, keys }: Reported): RuleItem[] =>
  keys.map((key) => ({ invariant, subject, key }));

/** Whether the verdict says nothing about that subject. */
const isUnseen = (verdict: ObservedCycle["verdicts"][string] | undefined, subject: string): boolean =>
  !verdict ||
  verdict.status === "unknown" ||
  verdict.unseen.some((unseen) => unseen === subject || unseen.startsWith(`${subject}/`));

/** The names of the items that a cycle reported, and of those that were red before it. */
interface Named {
  readonly names: ReadonlySet<string>;
  readonly before: ReadonlySet<string>;
}

function nameViolations(cycles: readonly ObservedCycle[]): Named[] {
  let red = new Map<string, RuleItem>();
  return cycles.map(({ violations, verdicts }) => {
    const before = new Set(red.keys());
    const names = new Map(violations.flatMap(itemsOf).map((item) => [nameOf(item), item]));
    // An item that was red and could not be read stays red.
    const kept = [...red].filter(([, { invariant, subject }]) => isUnseen(verdicts[invariant], subject));
    red = new Map([...kept, ...names]);
    return { names: new Set(names.keys()), before };
  });
}

/** Everything that the judge compares. */
interface Evidence {
  readonly events: readonly SoakEvent[];
  readonly rules: Rules;
  readonly cycles: readonly ObservedCycle[];
  readonly named: readonly Named[];
  /** When each cycle read, its confirming read included. */
  readonly looks: readonly Interval[];
  readonly confirmMs: number;
}

/** Lists the writes about these keys around a cycle, in ms since its first read began. */
function excerpt(events: readonly SoakEvent[], { first, second }: ObservedCycle, keys: readonly string[]) {
  const ids = new Set(keys.map((key) => key.replace(/^(redis|sql):/, "")));
  const ms = (atMs: number) => (atMs - first[0]).toFixed(0);
  const near = events.filter(
    (event) =>
      ids.has("executionId" in event ? event.executionId : "agent" in event ? event.agent : "") &&
      Math.abs(event.sentAtMs - first[0]) < EXCERPT_MS,
  );
  return [
    `looked from 0 to ${ms(first[1])} ms${second ? ` and from ${ms(second[0])} to ${ms(second[1])} ms` : ""}`,
    ...near.map((event) => {
      const { sentAtMs, ackedAtMs, what, ...rest } = event;
      return `${ms(sentAtMs)} to ${ms(ackedAtMs)} ms: ${what} ${JSON.stringify(rest)}`;
    }),
  ];
}

/** Sorts the violations into true and false ones. */
function judgeReds({ events, rules, cycles, named, confirmMs }: Evidence) {
  /** Whether the item may have been broken for the whole time between the cycle's reads, by the journal. */
  function mayBeTrue(item: RuleItem, { first, second }: ObservedCycle, wasRed: boolean): boolean {
    const { possibly } = rules.broken(item);
    if (wasRed || UNCONFIRMED.has(item.invariant)) return touches(possibly, first);
    return covers(possibly, [first[1], second?.[0] ?? first[1] + confirmMs]);
  }
  const falseReds: Judgement["falseReds"][number][] = [];
  let trueReds = 0;
  cycles.forEach((cycle, i) => {
    for (const violation of cycle.violations) {
      const falseKeys = itemsOf(violation)
        .filter((item) => !mayBeTrue(item, cycle, named[i]!.before.has(nameOf(item))))
        .map(({ key }) => key);
      const isExplained = falseKeys.length > 0 && falseReds.length < MOST_EXCERPTS;
      const journal = isExplained ? excerpt(events, cycle, falseKeys) : [];
      if (falseKeys.length > 0) falseReds.push({ cycle: i, violation, falseKeys, journal });
      else trueReds += 1;
    }
  });
  return { falseReds, trueReds };
}

/** Counts the cycles that should have reported the item and did not. */
function silentCycles({ rules, cycles, named, looks }: Evidence, item: RuleItem, shortestMs: number): number {
  const broken = rules.broken(item).definitely.filter(([fromMs, toMs]) => toMs - fromMs >= shortestMs);
  if (broken.length === 0) return 0;
  const name = nameOf(item);
  let silent = 0;
  cycles.forEach(({ verdicts }, i) => {
    if (isUnseen(verdicts[item.invariant], item.subject)) return;
    if (named[i]!.names.has(name) || !covers(broken, looks[i]!)) return;
    // E-02 can't know of an end that no cycle saw.
    const ended = item.invariant === "E-02" ? rules.ended(item.key) : null;
    if (ended && !looks.slice(0, i).some((look) => covers(ended, look))) return;
    silent += 1;
  });
  return silent;
}

/** Finds the items that no cycle reported, and the planned faults that did not take hold. */
function judgeSilence(evidence: Evidence, planned: readonly PlannedFault[]) {
  const { rules, cycles, named, looks } = evidence;
  const shortestMs = Math.min(...looks.map(([fromMs, toMs]) => toMs - fromMs));
  const wasReported = (name: string, brokenMs: Interval) =>
    cycles.some((_, i) => named[i]!.names.has(name) && touches([brokenMs], looks[i]!));
  const missed = new Map<string, Judgement["missed"][number]>();
  for (const item of rules.items()) {
    const silent = silentCycles(evidence, item, shortestMs);
    if (silent > 0) missed.set(nameOf(item), { item, cycles: silent, planned: null });
  }
  const voidBreaks: PlannedFault[] = [];
  for (const one of planned) {
    const name = nameOf(one.item);
    const tookHold = covers(rules.broken(one.item).definitely, one.brokenMs);
    if (!tookHold) voidBreaks.push(one);
    else if (!wasReported(name, one.brokenMs) || missed.has(name))
      missed.set(name, { item: one.item, cycles: missed.get(name)?.cycles ?? 0, planned: one.name });
  }
  return { missed: [...missed.values()], voidBreaks };
}

/** Lists what the verdicts of the cycles leave open. @param reasonsOf gives why, for each part that one verdict leaves open */
const saidNothing = (
  cycles: readonly ObservedCycle[],
  isMisled: (cycle: number) => boolean,
  reasonsOf: (verdict: ObservedCycle["verdicts"][string]) => readonly string[],
): Unknown[] =>
  cycles.flatMap(({ verdicts }, cycle) =>
    isMisled(cycle)
      ? []
      : Object.entries(verdicts).flatMap(([invariant, verdict]) =>
          reasonsOf(verdict).map((reason) => ({ cycle, invariant, reason })),
        ),
  );

/**
 * Compares the canary's reports with the journal.
 * @param events the journal of platform and faults, complete up to the end of the last cycle
 * @param cycles in their order
 * @param planned the faults that were made on purpose
 * @param confirmMs how long a finding has to last to be true, for a cycle that did not read twice
 */
export function judgeSoak(
  events: readonly SoakEvent[],
  cycles: readonly ObservedCycle[],
  planned: readonly PlannedFault[],
  confirmMs: number,
): Judgement {
  const evidence: Evidence = {
    events,
    rules: rulesOf(timelineOf(events)),
    cycles,
    named: nameViolations(cycles),
    looks: cycles.map(({ first, second }): Interval => [first[0], (second ?? first)[1]]),
    confirmMs,
  };
  // While the canary is pointed elsewhere, the invariant that says so is all that it can judge.
  const { possibly: misled } = evidence.rules.misled;
  const isMisled = (cycle: number) => touches(misled, evidence.looks[cycle]!);
  return {
    ...judgeReds(evidence),
    ...judgeSilence(evidence, planned),
    unknowns: saidNothing(cycles, isMisled, ({ status, reason }) =>
      status === "unknown" ? [reason ?? ""] : [],
    ),
    unseen: saidNothing(cycles, isMisled, ({ status, unseen }) =>
      status === "unknown" ? [] : unseen.map((part) => `${part} was not seen`),
    ),
  };
}
