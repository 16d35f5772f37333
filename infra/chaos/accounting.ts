/**
 * Accounts for every transition of a ledger, key by key. Pure. It shares no code with the canary's alert machine: what
 * changed is derived from successive versions of the memory, and what should have changed from the platform's own history.
 */
import type { Change, Commit, Ledger, StateSeen } from "./ledger.ts";

/** Something changed from one committed version to the next, and operators have to be notified of it. */
export interface Transition {
  readonly version: number;
  readonly invariant: string;
  readonly kind: "broke" | "spread" | "recovered";
  readonly subjects: readonly string[];
  /** The key of its alert; null where none came into the outbox with it. */
  readonly key: string | null;
}

export interface Account {
  /** Of the chaos, and of the time after it in which the outbox was drained. */
  readonly transitions: readonly Transition[];
  /** How it stood when the chaos ended: delivered + waiting - both = transitions + sight. */
  readonly atEnd: {
    readonly transitions: number;
    /** Alerts of what could not be read, and of what could be read again. */
    readonly sight: number;
    /** Keys that the webhook confirmed. */
    readonly delivered: number;
    /** Keys in the outbox. */
    readonly waiting: number;
    /** Keys that were delivered and waited all the same: the canary was kept from striking them off. */
    readonly both: number;
    /** Keys that the webhook took more than once. */
    readonly doubled: number;
  };
  /** Transitions without an alert, and alerts that are neither delivered nor waiting. */
  readonly lost: readonly string[];
  /** Leases that stood longer than a lease lasts. */
  readonly longLeases: readonly string[];
  /** Whatever else did not hold. */
  readonly wrong: readonly string[];
}

export interface Rules {
  /** How long one lease lasts. */
  readonly leaseMs: number;
  /** Evidence may be left out where the table fails, but never otherwise. */
  readonly needsRecords: boolean;
}

/** Alerts of what could not be read. No transition belongs to them; what is delivered of them is accounted for all the same. */
const isSight = (key: string) => key.split("/")[1] === "sight";

const without = <T>(items: readonly T[], taken: Iterable<T>): T[] => {
  const set = new Set(taken);
  return items.filter((item) => !set.has(item));
};

const NOTHING_SEEN: StateSeen = { status: "unknown", red: [], isBlind: false };
const BEFORE_ALL: Pick<Commit, "states" | "outbox"> = { states: {}, outbox: [] };

interface Changed extends Pick<Transition, "kind" | "subjects"> {
  /** The kinds of alert that say it. */
  readonly saidBy: readonly string[];
}

function changeOf(before: StateSeen, after: StateSeen): Changed | null {
  if (before.status !== "red")
    return after.status === "red" ? { kind: "broke", subjects: after.red, saidBy: ["broke"] } : null;
  if (after.status !== "red") return { kind: "recovered", subjects: before.red, saidBy: ["recovered"] };
  const joined = without(after.red, before.red);
  if (joined.length === 0) return null;
  // Where nothing of the old red is left, operators may read it as a new one.
  const isReplaced = joined.length === after.red.length;
  return { kind: "spread", subjects: joined, saidBy: isReplaced ? ["spread", "broke"] : ["spread"] };
}

/** The keys that came into the outbox with each commit. */
const arrivals = (commits: readonly Commit[]): string[][] =>
  commits.map(({ outbox }, i) => without(outbox, (commits[i - 1] ?? BEFORE_ALL).outbox));

/** Derives what changed from one committed version to the next, each with its alert. */
export function transitionsOf(commits: readonly Commit[]): Transition[] {
  const arrived = arrivals(commits);
  return commits.flatMap(({ version, states }, i) => {
    const before = (commits[i - 1] ?? BEFORE_ALL).states;
    return Object.entries(states).flatMap(([invariant, after]): Transition[] => {
      const change = changeOf(before[invariant] ?? NOTHING_SEEN, after);
      if (!change) return [];
      const { kind, subjects, saidBy } = change;
      const endings = saidBy.map((said) => `/${invariant}/${said}`);
      const key = arrived[i]!.find((k) => endings.some((ending) => k.endsWith(ending))) ?? null;
      return [{ version, invariant, kind, subjects, key }];
    });
  });
}

const nameOf = ({ version, invariant, kind, subjects }: Transition) =>
  `${invariant} ${kind} (${[...subjects].sort().join(", ")}) in version ${version}`;

/** Finds the transitions without an alert, and the alerts that are neither delivered nor waiting. */
function lostOf({ commits, posts }: Ledger, transitions: readonly Transition[]): string[] {
  const lost = transitions.filter(({ key }) => key === null).map((t) => `${nameOf(t)}: it has no alert`);
  const confirmedMs = new Map<string, number>();
  for (const { key, isConfirmed, atMs } of posts)
    if (isConfirmed && !confirmedMs.has(key)) confirmedMs.set(key, atMs);
  const about = new Map(transitions.map((t) => [t.key, nameOf(t)]));
  for (const [i, { version, outbox, arrivedMs }] of commits.entries())
    for (const key of without((commits[i - 1] ?? BEFORE_ALL).outbox, outbox))
      if (!((confirmedMs.get(key) ?? Number.POSITIVE_INFINITY) <= arrivedMs))
        lost.push(
          `${key}: ${about.get(key) ?? "an alert"}, struck off in version ${version}, and the webhook never confirmed it`,
        );
  return lost;
}

/** Finds alerts that no transition asked for, keys that stand for two alerts, and posts of what was never committed. */
function unfoundedOf({ commits, posts }: Ledger, transitions: readonly Transition[]): string[] {
  const asked = new Set(transitions.map(({ key }) => key));
  const wrong: string[] = [];
  const known = new Map<string, number>();
  for (const [i, keys] of arrivals(commits).entries())
    for (const key of keys) {
      const { version } = commits[i]!;
      if (known.has(key))
        wrong.push(`${key}: stands for two alerts, in versions ${known.get(key)} and ${version}`);
      else if (!asked.has(key) && !isSight(key))
        wrong.push(`${key}: an alert in version ${version} in which nothing of it changed`);
      known.set(key, version);
    }
  for (const key of new Set(posts.map((post) => post.key)))
    if (!known.has(key)) wrong.push(`${key}: posted, but no committed version has it`);
  return wrong;
}

/** Finds leases that stand longer than a lease lasts. */
const longLeasesOf = ({ leases }: Ledger, { leaseMs }: Rules): string[] =>
  leases
    .filter(({ untilMs, clockMs }) => !(untilMs <= clockMs + leaseMs))
    .map(
      ({ runner, owner, untilMs, clockMs }) =>
        `lease ${owner} of ${runner} stands ${untilMs - clockMs} ms ahead of its clock; a lease lasts ${leaseMs} ms`,
    );

/** Finds leases that were taken from one that was still good, and commits by one who did not hold the lease. */
function fencesOf({ leases, commits }: Ledger, { leaseMs }: Rules): string[] {
  const holder = new Map(leases.map(({ owner, runner }) => [owner, runner]));
  return [
    ...leases
      // An end further ahead than a lease can last is not valid: the canary that set it has another clock.
      .filter(({ replacedUntilMs, clockMs }) => {
        const aheadMs = (replacedUntilMs ?? 0) - clockMs;
        return aheadMs > 0 && aheadMs <= leaseMs;
      })
      .map(
        ({ runner, owner, replacedUntilMs, clockMs }) =>
          `lease ${owner} of ${runner} was taken from one that had ${replacedUntilMs! - clockMs} ms to go`,
      ),
    ...commits
      .filter(({ owner, runner }) => owner === null || holder.get(owner) !== runner)
      .map(
        ({ version, runner, owner }) =>
          `version ${version} is by ${runner}, and the lease was ${owner === null ? "nobody's" : `${holder.get(owner)}'s`}`,
      ),
    ...commits.slice(1).flatMap(({ version }, i) => {
      const before = commits[i]!.version;
      return version === before + 1 ? [] : [`version ${version} follows on version ${before}`];
    }),
  ];
}

/** Whether a subject was broken for all of that time; null where that changed, or may have. */
function wasBroken(
  changes: readonly Change[],
  invariant: string,
  subject: string,
  [fromMs, toMs]: readonly [number, number],
): boolean | null {
  const of = changes.filter((c) => c.invariant === invariant && c.subject === subject);
  if (of.some((c) => c.fromMs <= toMs && c.toMs >= fromMs)) return null;
  return of.findLast((c) => c.toMs < fromMs)?.isBroken ?? false;
}

/** Finds committed states that disagree with the platform. Each cycle's first commit is judged: only that one has looked. */
function disagreementsOf({ changes, leases, commits }: Ledger): string[] {
  const takenMs = new Map(leases.map(({ owner, atMs }) => [owner, atMs]));
  const judged = new Set<string>();
  const wrong: string[] = [];
  const invariants = [...new Set(changes.map((c) => c.invariant))];
  for (const { owner, version, arrivedMs, states, unread } of commits) {
    const fromMs = owner === null || judged.has(owner) ? undefined : takenMs.get(owner);
    if (fromMs === undefined) continue;
    judged.add(owner!);
    // What was red and could not be looked at stays red, and the memory does not say which subjects those are.
    if (unread.length > 0) continue;
    for (const invariant of invariants) {
      const { red, isBlind } = states[invariant] ?? NOTHING_SEEN;
      // What could not be judged stays as it was.
      if (isBlind) continue;
      const subjects = changes.filter((c) => c.invariant === invariant).map((c) => c.subject);
      for (const subject of new Set([...subjects, ...red])) {
        const isRed = red.includes(subject);
        const broken = wasBroken(changes, invariant, subject, [fromMs, arrivedMs]);
        if (broken !== null && broken !== isRed)
          wrong.push(
            `version ${version}: ${invariant} ${subject} is ${isRed ? "red" : "not red"}, and the platform was ${broken ? "broken" : "whole"}`,
          );
      }
    }
  }
  return wrong;
}

/** Finds alerts whose cycle left no record that says the same. */
const unrecordedOf = ({ records }: Ledger, transitions: readonly Transition[]): string[] =>
  transitions.flatMap(({ key, invariant, kind }) => {
    if (key === null) return [];
    const found = records.get(key.split("/")[0]!);
    if (found?.includes(`${invariant}/${kind}`)) return [];
    return [`${key}: ${found ? "the cycle's record does not have it" : "the cycle left no record"}`];
  });

/** Counts what had happened by the end of the chaos. */
function countAtEnd({ commits, posts, endedMs }: Ledger): Account["atEnd"] {
  const until = commits.filter(({ arrivedMs }) => arrivedMs <= endedMs);
  const postsUntil = posts.filter(({ atMs }) => atMs <= endedMs);
  const delivered = new Set(postsUntil.filter((post) => post.isConfirmed).map((post) => post.key));
  const times = new Map<string, number>();
  for (const { key, isTaken } of postsUntil) if (isTaken) times.set(key, (times.get(key) ?? 0) + 1);
  const waiting = until.at(-1)?.outbox ?? [];
  return {
    transitions: transitionsOf(until).length,
    sight: new Set(until.flatMap(({ outbox }) => outbox.filter(isSight))).size,
    delivered: delivered.size,
    waiting: waiting.length,
    both: waiting.filter((key) => delivered.has(key)).length,
    doubled: [...times.values()].filter((n) => n > 1).length,
  };
}

/** Accounts for everything in the ledger. */
export function account(ledger: Ledger, rules: Rules): Account {
  const transitions = transitionsOf(ledger.commits);
  return {
    transitions,
    atEnd: countAtEnd(ledger),
    lost: lostOf(ledger, transitions),
    longLeases: longLeasesOf(ledger, rules),
    wrong: [
      ...ledger.unreadable.map((reason) => `the memory could not be read: ${reason}`),
      ...unfoundedOf(ledger, transitions),
      ...fencesOf(ledger, rules),
      ...disagreementsOf(ledger),
      ...(rules.needsRecords ? unrecordedOf(ledger, transitions) : []),
    ],
  };
}
