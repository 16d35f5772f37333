/** The second statement of the rules about the sources themselves: the canary reads a place that is not the platform's. */
import type { Elsewhere } from "../local/elsewhere.ts";
import { type Bounds, type Interval, is, NEVER } from "./intervals.ts";
import type { RuleItem } from "./rules.ts";
import type { Timeline } from "./timeline.ts";

/** H-01 has to hold for a minute, from the first cycle that sees it. */
const HOLD_MS = 60_000;
const FIRST_CYCLE_MS = 6_000;

interface SourceRule {
  readonly subject: string;
  readonly place: Elsewhere;
  /** From when on it is certain that it counts. */
  readonly certainAfterMs: number;
}

const OF_SOURCES: Readonly<Record<string, SourceRule>> = {
  "H-01": {
    subject: "roster",
    place: "database without agents",
    certainAfterMs: HOLD_MS + FIRST_CYCLE_MS,
  },
  "H-02": { subject: "database", place: "database left behind", certainAfterMs: 0 },
  "H-03": { subject: "redis", place: "empty Redis", certainAfterMs: 0 },
};

/** Says whether the invariant is one of these. */
export const isOfSources = (invariant: string): boolean => Object.hasOwn(OF_SOURCES, invariant);

/** Bounds when the canary reads the place that the item is about. */
export function readsWrongPlace({ pointed }: Timeline, { invariant, subject }: RuleItem): Bounds {
  const rule = OF_SOURCES[invariant];
  if (!rule || rule.subject !== subject) return NEVER;
  const { possibly, definitely } = is(pointed, (place) => place === rule.place);
  return {
    possibly,
    definitely: definitely
      .map(([fromMs, toMs]): Interval => [fromMs + rule.certainAfterMs, toMs])
      .filter(([fromMs, toMs]) => fromMs < toMs),
  };
}

/** Bounds when the canary reads anything but the platform: then nothing can be said of the platform. */
export const isMisled = ({ pointed }: Timeline): Bounds => is(pointed, (place) => place !== null);

export function* sourceItems({ pointed }: Timeline): Iterable<RuleItem> {
  if (pointed.writes.length === 0) return;
  for (const [invariant, { subject }] of Object.entries(OF_SOURCES))
    yield { invariant, subject, key: subject };
}
