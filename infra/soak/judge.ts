/** Compares what the canary said with what the journal knows. */
import { covers, type Span, touches } from "./claims.ts";
import { type Item, rulesOf } from "./rules.ts";
import { type SoakEvent, timelineOf } from "./timeline.ts";

/** One violation of one cycle. */
export interface Found {
  readonly invariant: string;
  readonly subject: string;
  readonly keys: readonly string[];
}

/** What one cycle said, and when it looked (unix ms of the journal's clock). */
export interface WatchedCycle {
  readonly first: Span;
  /** The last read again, where there was one. */
  readonly second: Span | null;
  readonly found: readonly Found[];
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

/** Something that was broken on purpose, and mended. */
export interface PlannedBreak {
  readonly name: string;
  readonly item: Item;
  /** From the end of its grace to its cure. */
  readonly brokenMs: Span;
}

export interface Judgement {
  /** A violation of which not all was so, with when the cycle looked, and what the journal has of it since and until. */
  readonly falseReds: readonly {
    readonly cycle: number;
    readonly found: Found;
    readonly falseKeys: readonly string[];
    readonly journal: readonly string[];
  }[];
  readonly trueReds: number;
  /** What was broken for the whole of a cycle that did not say it, or was mended before any cycle said it. */
  readonly missed: readonly {
    readonly item: Item;
    readonly cycles: number;
    readonly planned: string | null;
  }[];
  /** Planned breaks that the journal does not know to have taken hold: the soak's own failures. */
  readonly voidBreaks: readonly PlannedBreak[];
  readonly unknowns: readonly {
    readonly cycle: number;
    readonly invariant: string;
    readonly reason: string;
  }[];
}

/** These are read at one instant, and reported by the first read. */
const UNCONFIRMED: ReadonlySet<string> = new Set(["E-02"]);

/** How far around a cycle a false red is explained. */
const EXCERPT_MS = 20_000;
/** The first few tell. */
const MOST_EXCERPTS = 20;

const nameOf = ({ invariant, subject, key }: Item) => JSON.stringify([invariant, subject, key]);
const itemsOf = ({ invariant, subject, keys }: Found): Item[] =>
  keys.map((key) => ({ invariant, subject, key }));

/** @returns whether the verdict says nothing of that subject */
const isBlindFor = (verdict: WatchedCycle["verdicts"][string] | undefined, subject: string): boolean =>
  !verdict ||
  verdict.status === "unknown" ||
  verdict.unseen.some((unseen) => unseen === subject || unseen.startsWith(`${subject}/`));

/** @returns what each cycle found, by name, and what was red before it */
function nameFindings(cycles: readonly WatchedCycle[]): { names: Set<string>; before: Set<string> }[] {
  let red = new Map<string, Item>();
  return cycles.map(({ found, verdicts }) => {
    const before = new Set(red.keys());
    const names = new Map(found.flatMap(itemsOf).map((item) => [nameOf(item), item]));
    // What was red and could not be looked at is red still.
    const kept = [...red].filter(([, { invariant, subject }]) => isBlindFor(verdicts[invariant], subject));
    red = new Map([...kept, ...names]);
    return { names: new Set(names.keys()), before };
  });
}

/**
 * @param events the journal, tampering included, of all that was written before the last cycle ended
 * @param cycles in their order
 * @param planned what was broken on purpose
 * @param confirmMs how long a finding has to last to be true where the cycle did not read twice
 */
export function judge(
  events: readonly SoakEvent[],
  cycles: readonly WatchedCycle[],
  planned: readonly PlannedBreak[],
  confirmMs: number,
): Judgement {
  const rules = rulesOf(timelineOf(events));
  const named = nameFindings(cycles);

  /** Whether, for all that the journal knows, it may have been broken for as long as the cycle had to see it. */
  function mayBeTrue(item: Item, { first, second }: WatchedCycle, wasRed: boolean): boolean {
    const { possibly } = rules.broken(item);
    if (wasRed || UNCONFIRMED.has(item.invariant)) return touches(possibly, first);
    return covers(possibly, [first[1], second?.[0] ?? first[1] + confirmMs]);
  }

  /** The writes about these keys around a cycle, in ms since its first look began. */
  function excerpt({ first, second }: WatchedCycle, keys: readonly string[]): string[] {
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

  const falseReds: Judgement["falseReds"][number][] = [];
  let trueReds = 0;
  cycles.forEach((cycle, i) => {
    for (const found of cycle.found) {
      const falseKeys = itemsOf(found)
        .filter((item) => !mayBeTrue(item, cycle, named[i]!.before.has(nameOf(item))))
        .map(({ key }) => key);
      const journal =
        falseKeys.length > 0 && falseReds.length < MOST_EXCERPTS ? excerpt(cycle, falseKeys) : [];
      if (falseKeys.length > 0) falseReds.push({ cycle: i, found, falseKeys, journal });
      else trueReds += 1;
    }
  });

  const lookedAt = cycles.map(({ first, second }): Span => [first[0], (second ?? first)[1]]);
  const shortestMs = Math.min(...lookedAt.map(([fromMs, toMs]) => toMs - fromMs));

  /** How many cycles should have said it and did not. */
  function silentCycles(item: Item): number {
    const spans = rules.broken(item).definitely.filter(([fromMs, toMs]) => toMs - fromMs >= shortestMs);
    if (spans.length === 0) return 0;
    const name = nameOf(item);
    let silent = 0;
    cycles.forEach(({ verdicts }, i) => {
      if (isBlindFor(verdicts[item.invariant], item.subject)) return;
      if (named[i]!.names.has(name) || !covers(spans, lookedAt[i]!)) return;
      // Nobody can remember an end that no cycle saw.
      const endedSpans = item.invariant === "E-02" ? rules.ended(item.key) : null;
      if (endedSpans && !lookedAt.slice(0, i).some((span) => covers(endedSpans, span))) return;
      silent += 1;
    });
    return silent;
  }

  const wasFound = (name: string, brokenMs: Span) =>
    cycles.some((_, i) => named[i]!.names.has(name) && touches([brokenMs], lookedAt[i]!));
  const missed = new Map<string, { item: Item; cycles: number; planned: string | null }>();
  for (const item of rules.items()) {
    const silent = silentCycles(item);
    if (silent > 0) missed.set(nameOf(item), { item, cycles: silent, planned: null });
  }
  const voidBreaks: PlannedBreak[] = [];
  for (const one of planned) {
    const name = nameOf(one.item);
    const tookHold = covers(rules.broken(one.item).definitely, one.brokenMs);
    if (!tookHold) voidBreaks.push(one);
    else if (!wasFound(name, one.brokenMs) || missed.has(name))
      missed.set(name, { item: one.item, cycles: missed.get(name)?.cycles ?? 0, planned: one.name });
  }
  return {
    falseReds,
    trueReds,
    missed: [...missed.values()],
    voidBreaks,
    unknowns: cycles.flatMap(({ verdicts }, cycle) =>
      Object.entries(verdicts)
        .filter(([, { status }]) => status === "unknown")
        .map(([invariant, { reason }]) => ({ cycle, invariant, reason: reason ?? "" })),
    ),
  };
}
