/** When something holds, as far as a witness can tell: a logic of stretches of time with doubt in it. */

/** A stretch of time, unix ms. */
export type Span = readonly [fromMs: number, toMs: number];
/** Sorted, and apart from each other. */
export type Spans = readonly Span[];

/** `definitely` lies within `possibly`; what lies between them nobody can know. */
export interface Claim {
  readonly possibly: Spans;
  readonly definitely: Spans;
}

const ALL_TIME: Spans = [[-Infinity, Infinity]];

export const ALWAYS: Claim = { possibly: ALL_TIME, definitely: ALL_TIME };
export const NEVER: Claim = { possibly: [], definitely: [] };

/** @returns all that is in one of them */
export function union(spans: readonly Span[]): Spans {
  const merged: [number, number][] = [];
  for (const [fromMs, toMs] of [...spans].sort((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (fromMs >= toMs) continue;
    if (last && fromMs <= last[1]) last[1] = Math.max(last[1], toMs);
    else merged.push([fromMs, toMs]);
  }
  return merged;
}

export function intersection(a: Spans, b: Spans): Spans {
  const common: Span[] = [];
  for (let i = 0, k = 0; i < a.length && k < b.length; ) {
    const fromMs = Math.max(a[i]![0], b[k]![0]);
    const toMs = Math.min(a[i]![1], b[k]![1]);
    if (fromMs < toMs) common.push([fromMs, toMs]);
    if (a[i]![1] < b[k]![1]) i += 1;
    else k += 1;
  }
  return common;
}

export function complement(spans: Spans): Spans {
  const rest: Span[] = [];
  let fromMs = -Infinity;
  for (const span of spans) {
    if (fromMs < span[0]) rest.push([fromMs, span[0]]);
    fromMs = span[1];
  }
  if (fromMs < Infinity) rest.push([fromMs, Infinity]);
  return rest;
}

/** @returns whether it holds for the whole of that time; of an instant, whether it holds then */
export const covers = (spans: Spans, [fromMs, toMs]: Span): boolean =>
  spans.some((span) => span[0] <= fromMs && toMs <= span[1]);

/** @returns whether it holds at some instant of that time, its ends among them */
export const touches = (spans: Spans, [fromMs, toMs]: Span): boolean =>
  spans.some((span) => span[0] <= toMs && fromMs <= span[1]);

export const and = (...claims: readonly Claim[]): Claim =>
  claims.reduce((a, b) => ({
    possibly: intersection(a.possibly, b.possibly),
    definitely: intersection(a.definitely, b.definitely),
  }));

export const or = (...claims: readonly Claim[]): Claim => ({
  possibly: union(claims.flatMap((claim) => claim.possibly)),
  definitely: union(claims.flatMap((claim) => claim.definitely)),
});

export const not = (claim: Claim): Claim => ({
  possibly: complement(claim.definitely),
  definitely: complement(claim.possibly),
});

/** @returns that it is that late, where the two clocks may differ by so much */
export const after = (atMs: number, doubtMs: number): Claim => ({
  possibly: [[atMs - doubtMs, Infinity]],
  definitely: [[atMs + doubtMs, Infinity]],
});

/** What was written in one place, in the order of the writes. Before the first, it is `initial`. */
export interface Register<T> {
  readonly initial: T;
  readonly writes: readonly { readonly value: T; readonly sentAtMs: number; readonly ackedAtMs: number }[];
}

/** @returns each value with all the time in which it may have been there */
export function stays<T>({ initial, writes }: Register<T>): { value: T; span: Span }[] {
  const endOf = (i: number) => writes[i + 1]?.ackedAtMs ?? Infinity;
  return [
    { value: initial, span: [-Infinity, endOf(-1)] },
    ...writes.map(({ value, sentAtMs }, i): { value: T; span: Span } => ({
      value,
      span: [sentAtMs, endOf(i)],
    })),
  ];
}

/** @param when what is true while that value is there. @returns when it is so */
export function holds<T>(register: Register<T>, when: (value: T) => Claim): Claim {
  const possibly: Span[] = [];
  const possiblyNot: Span[] = [];
  for (const { value, span } of stays(register)) {
    const claim = when(value);
    possibly.push(...intersection([span], claim.possibly));
    possiblyNot.push(...intersection([span], complement(claim.definitely)));
  }
  return { possibly: union(possibly), definitely: complement(union(possiblyNot)) };
}

/** @returns when the value is one of which that is true */
export const is = <T>(register: Register<T>, test: (value: T) => boolean): Claim =>
  holds(register, (value) => (test(value) ? ALWAYS : NEVER));

/** @returns the time in which more than so many of the lists hold at once */
function deeperThan(lists: readonly Spans[], limit: number): Spans {
  const edges = lists
    .flat()
    .flatMap(([fromMs, toMs]) => [[fromMs, 1] as const, [toMs, -1] as const])
    .sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  const spans: Span[] = [];
  let depth = 0;
  let sinceMs = 0;
  for (const [atMs, step] of edges) {
    if (depth === limit && step === 1) sinceMs = atMs;
    if (depth === limit + 1 && step === -1) spans.push([sinceMs, atMs]);
    depth += step;
  }
  return union(spans);
}

/** @returns when more of the claims hold at once than the register says (0 or more) */
export function moreThan(claims: readonly Claim[], limit: Register<number>): Claim {
  const lists = claims.map(({ possibly }) => possibly);
  const sure = claims.map(({ definitely }) => definitely);
  return holds(limit, (most) => ({
    possibly: deeperThan(lists, most),
    definitely: deeperThan(sure, most),
  }));
}
