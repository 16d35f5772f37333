/** A logic of time intervals with doubt: when something holds, as far as the journal can tell. */

/** A stretch of time, unix ms. */
export type Interval = readonly [fromMs: number, toMs: number];
/** Sorted, and apart from each other. */
export type Intervals = readonly Interval[];

/** `definitely` lies within `possibly`. Between the two, the journal can't tell. */
export interface Bounds {
  readonly possibly: Intervals;
  readonly definitely: Intervals;
}

const ALL_TIME: Intervals = [[-Infinity, Infinity]];

export const ALWAYS: Bounds = { possibly: ALL_TIME, definitely: ALL_TIME };
export const NEVER: Bounds = { possibly: [], definitely: [] };

/** Gives the time that at least one of them covers. */
export function union(intervals: readonly Interval[]): Intervals {
  const merged: [number, number][] = [];
  for (const [fromMs, toMs] of [...intervals].sort((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (fromMs >= toMs) continue;
    if (last && fromMs <= last[1]) last[1] = Math.max(last[1], toMs);
    else merged.push([fromMs, toMs]);
  }
  return merged;
}

export function intersection(a: Intervals, b: Intervals): Intervals {
  const common: Interval[] = [];
  for (let i = 0, k = 0; i < a.length && k < b.length; ) {
    const fromMs = Math.max(a[i]![0], b[k]![0]);
    const toMs = Math.min(a[i]![1], b[k]![1]);
    if (fromMs < toMs) common.push([fromMs, toMs]);
    if (a[i]![1] < b[k]![1]) i += 1;
    else k += 1;
  }
  return common;
}

export function complement(intervals: Intervals): Intervals {
  const rest: Interval[] = [];
  let fromMs = -Infinity;
  for (const interval of intervals) {
    if (fromMs < interval[0]) rest.push([fromMs, interval[0]]);
    fromMs = interval[1];
  }
  if (fromMs < Infinity) rest.push([fromMs, Infinity]);
  return rest;
}

/** Whether the intervals cover the whole of that time, which may be an instant. */
export const covers = (intervals: Intervals, [fromMs, toMs]: Interval): boolean =>
  intervals.some((interval) => interval[0] <= fromMs && toMs <= interval[1]);

/** Whether the intervals cover some instant of that time, its ends included. */
export const touches = (intervals: Intervals, [fromMs, toMs]: Interval): boolean =>
  intervals.some((interval) => interval[0] <= toMs && fromMs <= interval[1]);

export const and = (...bounds: readonly Bounds[]): Bounds =>
  bounds.reduce((a, b) => ({
    possibly: intersection(a.possibly, b.possibly),
    definitely: intersection(a.definitely, b.definitely),
  }));

export const or = (...bounds: readonly Bounds[]): Bounds => ({
  possibly: union(bounds.flatMap((bound) => bound.possibly)),
  definitely: union(bounds.flatMap((bound) => bound.definitely)),
});

export const not = (bound: Bounds): Bounds => ({
  possibly: complement(bound.definitely),
  definitely: complement(bound.possibly),
});

/** Bounds "it is later than `atMs`", where two clocks may differ by `doubtMs`. */
export const after = (atMs: number, doubtMs: number): Bounds => ({
  possibly: [[atMs - doubtMs, Infinity]],
  definitely: [[atMs + doubtMs, Infinity]],
});

/** The values that were written to one place, in the order of the writes. Before the first it held `initial`. */
export interface Register<T> {
  readonly initial: T;
  readonly writes: readonly { readonly value: T; readonly sentAtMs: number; readonly ackedAtMs: number }[];
}

/** Gives each value with the time in which it may have been there. */
export function lifetimes<T>({ initial, writes }: Register<T>): { value: T; interval: Interval }[] {
  const endOf = (i: number) => writes[i + 1]?.ackedAtMs ?? Infinity;
  return [
    { value: initial, interval: [-Infinity, endOf(-1)] },
    ...writes.map(({ value, sentAtMs }, i): { value: T; interval: Interval } => ({
      value,
      interval: [sentAtMs, endOf(i)],
    })),
  ];
}

/** Bounds a statement about the register's value. @param when bounds the statement for one value */
export function holds<T>(register: Register<T>, when: (value: T) => Bounds): Bounds {
  const possibly: Interval[] = [];
  const possiblyNot: Interval[] = [];
  for (const { value, interval } of lifetimes(register)) {
    const bound = when(value);
    possibly.push(...intersection([interval], bound.possibly));
    possiblyNot.push(...intersection([interval], complement(bound.definitely)));
  }
  return { possibly: union(possibly), definitely: complement(union(possiblyNot)) };
}

/** Bounds when the value passes the test. */
export const is = <T>(register: Register<T>, test: (value: T) => boolean): Bounds =>
  holds(register, (value) => (test(value) ? ALWAYS : NEVER));

/** Gives the time that more than `limit` of the lists cover at once. */
function deeperThan(lists: readonly Intervals[], limit: number): Intervals {
  const edges = lists
    .flat()
    .flatMap(([fromMs, toMs]) => [[fromMs, 1] as const, [toMs, -1] as const])
    .sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  const intervals: Interval[] = [];
  let depth = 0;
  let sinceMs = 0;
  for (const [atMs, step] of edges) {
    if (depth === limit && step === 1) sinceMs = atMs;
    if (depth === limit + 1 && step === -1) intervals.push([sinceMs, atMs]);
    depth += step;
  }
  return union(intervals);
}

/** Bounds when more of the bounds hold at once than the register's value (0 or more). */
export function moreThan(bounds: readonly Bounds[], limit: Register<number>): Bounds {
  const lists = bounds.map(({ possibly }) => possibly);
  const sure = bounds.map(({ definitely }) => definitely);
  return holds(limit, (most) => ({
    possibly: deeperThan(lists, most),
    definitely: deeperThan(sure, most),
  }));
}
