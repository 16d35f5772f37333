/** The verdict that leaves the canary, beside the state: what is red and could not be looked at is red in both. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type InvariantState, type InvariantStates, NEVER_JUDGED } from "../../shared/alerts/state.ts";
import { withStillRed } from "../../shared/alerts/still-red.ts";
import { transition } from "../../shared/alerts/transition.ts";
import { EMPTY_MEMORY, memorySizes } from "../../shared/cycle/memory.ts";
import { coverageOf, insufficientCoverage, type Unseen } from "../../shared/facts/coverage.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import { type AnyFinding, statusOf, unknownVerdict, type Verdict } from "../../shared/verdict/evaluate.ts";
import { MINUTE_MS, START_MS } from "../support/cycle.ts";

const INVARIANT = INVARIANTS[0]!;
const { id: ID } = INVARIANT;

interface Look {
  /** Red subjects, each with the keys of its findings. */
  readonly red?: Readonly<Record<string, readonly string[]>>;
  readonly healthy?: readonly string[];
  readonly unseen?: readonly Unseen[];
  /** Why not all could be listed. */
  readonly unlisted?: string;
  /** A name on a list could not be read. */
  readonly hasHidden?: boolean;
  /** Why it is too little to call anything green by. */
  readonly insufficient?: string;
}

function verdictOf({
  red = {},
  healthy = [],
  unseen = [],
  unlisted,
  hasHidden,
  insufficient,
}: Look): Verdict {
  const findings = Object.entries(red).map(
    ([subject, keys]): AnyFinding => ({ subject, keys, observed: {}, signalQuery: "" }),
  );
  const partly = unseen.flatMap(({ subject, key }) => (key === undefined ? [] : [subject]));
  const subjects = [...Object.keys(red), ...healthy, ...partly];
  const parts = { subjects, unseen, ...(unlisted !== undefined && { unlisted }) };
  const looked = coverageOf(parts, hasHidden);
  const coverage = insufficient === undefined ? looked : insufficientCoverage(looked, insufficient);
  return { invariant: INVARIANT, findings, coverage, ...statusOf(findings, coverage) };
}

const stateWith = (red: Readonly<Record<string, readonly string[]>>, besides = 0): InvariantState => ({
  ...NEVER_JUDGED,
  status: "red",
  sinceMs: START_MS,
  lastRedAtMs: START_MS,
  red: Object.fromEntries(Object.entries(red).map(([name, keys]) => [name, { sinceMs: START_MS, keys }])),
  redBesides: besides,
});

const leaving = (look: Look, prior: InvariantState | undefined) => {
  const { status, reason, findings } = withStillRed(verdictOf(look), prior);
  return { status, reason, found: findings.length };
};
const RUBY = stateWith({ ruby: ["a"] });

describe("an agent that was red", () => {
  test("and can't be looked at is red, is named, and adds no violation", () => {
    expect(leaving({ healthy: ["opal"], unseen: [{ subject: "ruby" }] }, RUBY)).toEqual({
      status: "red",
      reason: "still red but not seen: ruby",
      found: 0,
    });
  });

  test("and is healthy, or gone, is green", () => {
    const green = { status: "green", reason: null, found: 0 };
    expect(leaving({ healthy: ["opal", "ruby"] }, RUBY)).toEqual(green);
    expect(leaving({ healthy: ["opal"] }, RUBY)).toEqual(green);
  });

  test("is red while the part that was red can't be seen, and green while another can't", () => {
    const unseen = (key: string) => ({ unseen: [{ subject: "ruby", key }], healthy: ["opal"] });
    expect(leaving(unseen("a"), RUBY).status).toBe("red");
    expect(leaving(unseen("b"), RUBY)).toEqual({ status: "green", reason: null, found: 0 });
  });

  test("is red where it is on no list, and a name on the list can't be read: it may be that one", () => {
    expect(leaving({ healthy: ["opal"], hasHidden: true }, stateWith({ ruby: [] })).status).toBe("red");
  });

  test("is named beside another that is found red", () => {
    const look = { red: { opal: ["o"] }, unseen: [{ subject: "ruby" }] };
    expect(leaving(look, RUBY)).toEqual({
      status: "red",
      reason: "still red but not seen: ruby",
      found: 1,
    });
  });

  test("is not named a second time where some of it is found", () => {
    const look = { red: { ruby: ["b"] }, unseen: [{ subject: "ruby", key: "a" }] };
    expect(leaving(look, RUBY)).toEqual({ status: "red", reason: null, found: 1 });
  });

  test("is red, not unknown, where it is all that there is and the look names it as unseen", () => {
    expect(leaving({ unseen: [{ subject: "ruby" }] }, RUBY)).toEqual({
      status: "red",
      reason: "none of 1 subject could be seen (still red: ruby)",
      found: 0,
    });
  });
});

describe("where the whole invariant could not be judged", () => {
  const settled = (verdict: Verdict, prior?: InvariantState) => withStillRed(verdict, prior);

  test("it is unknown, and what is still red is named", () => {
    expect(settled(unknownVerdict(INVARIANT, "redis: ECONNREFUSED"), RUBY)).toMatchObject({
      status: "unknown",
      reason: "redis: ECONNREFUSED (still red: ruby)",
    });
    expect(leaving({ healthy: ["opal"], unlisted: "not read: tcp://docker-2:2376" }, RUBY)).toEqual({
      status: "unknown",
      reason: "not read: tcp://docker-2:2376 (still red: ruby)",
      found: 0,
    });
  });

  test("and nothing was red, or it was never judged, the reason is as it was", () => {
    const unknown = { status: "unknown", reason: "redis: ECONNREFUSED" };
    const verdict = unknownVerdict(INVARIANT, "redis: ECONNREFUSED");
    expect(settled(verdict)).toMatchObject(unknown);
    expect(settled(verdict, { ...NEVER_JUDGED, status: "green", sinceMs: START_MS })).toMatchObject(unknown);
  });
});

describe("names", () => {
  const unseen = (names: readonly string[]) => names.map((subject) => ({ subject }));

  test("the first five are given, and the others counted", () => {
    const names = ["g", "b", "c", "d", "e", "f", "a"];
    const prior = stateWith(Object.fromEntries(names.map((name) => [name, ["k"]])));
    expect(leaving({ healthy: ["z"], unseen: unseen(names) }, prior).reason).toBe(
      "still red but not seen: a, b, c, d, e and 2 more",
    );
  });

  test("those that the memory could not keep are counted, alone and beside others", () => {
    const look = { healthy: ["opal"], unseen: [{ subject: "ruby" }] };
    const counted = "40 subjects that the memory only counts";
    expect(leaving(look, stateWith({}, 40))).toEqual({
      status: "red",
      reason: `still red but not seen: ${counted}`,
      found: 0,
    });
    expect(leaving(look, stateWith({ ruby: ["a"] }, 40)).reason).toBe(
      `still red but not seen: ruby, ${counted}`,
    );
    expect(leaving({ healthy: ["opal", "ruby"] }, stateWith({ ruby: ["a"] }, 40)).status).toBe("green");
  });

  test("a name of a megabyte makes no reason of a megabyte", () => {
    const name = "x".repeat(1_000_000);
    const { reason } = leaving({ healthy: ["z"], unseen: unseen([name]) }, stateWith({ [name]: ["k"] }));
    expect(reason!.length).toBeLessThan(100);
  });

  test.each(["__proto__", "constructor"])("an agent named %s is one like any other", (name) => {
    const prior = stateWith(Object.fromEntries([[name, ["k"]]]));
    expect(leaving({ healthy: ["z"], unseen: unseen([name]) }, prior)).toMatchObject({
      status: "red",
      reason: `still red but not seen: ${name}`,
    });
    expect(leaving({ healthy: ["z", name] }, prior).status).toBe("green");
  });
});

// ── Random histories ────────────────────────────────────────────────────────────────────────────────────────────────

const NAMES = ["__proto__", "ada", "bob", "cleo"] as const;
const LOOKS = ["healthy", "red", "red in part", "unseen", "unseen in part", "gone"] as const;

interface Step {
  readonly looks: readonly (typeof LOOKS)[number][];
  readonly sight: "clear" | "unread" | "unlisted" | "hidden" | "insufficient";
  /** Into which of its smaller forms the memory is stored after the cycle; 0 is the whole. */
  readonly form: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  looks: fc.tuple(...NAMES.map(() => fc.constantFrom(...LOOKS))),
  sight: fc.constantFrom("clear", "clear", "clear", "clear", "unread", "unlisted", "hidden", "insufficient"),
  form: fc.constantFrom(0, 0, 0, 2, 17, 18, 99),
});

function lookOf({ looks, sight }: Step): Verdict {
  if (sight === "unread") return unknownVerdict(INVARIANT, "sqlite: ETIMEDOUT");
  const named = (look: (typeof LOOKS)[number]) => NAMES.filter((_, i) => looks[i] === look);
  return verdictOf({
    red: Object.fromEntries([
      ...named("red").map((name) => [name, ["a", "b"]] as const),
      ...named("red in part").map((name) => [name, ["b"]] as const),
    ]),
    healthy: named("healthy"),
    unseen: [
      ...named("unseen").map((subject) => ({ subject })),
      ...named("unseen in part").map((subject) => ({ subject, key: "a" })),
    ],
    hasHidden: sight === "hidden",
    ...(sight === "unlisted" && { unlisted: "not searched: chat_sessions" }),
    ...(sight === "insufficient" && { insufficient: "the roster is empty" }),
  });
}

/** The memory as the store gives it back, in one of its forms. */
function stored(states: InvariantStates, form: number): InvariantStates {
  let kept = states;
  let left = form;
  for (const smaller of memorySizes({ ...EMPTY_MEMORY, states }, [])) {
    kept = smaller.states;
    left -= 1;
    if (left < 0) break;
  }
  return JSON.parse(JSON.stringify(kept)) as InvariantStates;
}

test("in any history, also of a memory that can't keep all: green and red are the same in verdict and state", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 15, size: "max" }), (steps) => {
      let states: InvariantStates = {};
      steps.forEach((step, i) => {
        const verdict = lookOf(step);
        const prior = states[ID];
        const { status, reason, findings } = withStillRed(verdict, prior);
        const result = {
          verdicts: [verdict],
          offInvariants: [],
          offSources: [],
          unavailable: [],
          isFull: true,
        };
        const after = transition(
          { states, blindSources: {} },
          result,
          START_MS + i * 5 * MINUTE_MS,
          [],
        ).states;
        const state = after[ID]!.status;

        if (status === "green") expect(state).toBe("green");
        if (status === "red") expect(state).toBe("red");
        if (status === "unknown" && state === "red") expect(reason).toMatch(/\(still red: .+\)$/);
        if (status === "unknown")
          expect([state, verdict.status]).toEqual([prior?.status ?? "unknown", status]);
        // What was found is what was found: nothing is added, nothing is left out.
        expect(findings).toEqual(verdict.findings);
        const kind = findings.length > 0 ? "found" : verdict.status;
        const what = `${kind} → ${status}${after[ID]!.redBesides > 0 ? ", counted" : ""}`;
        seen.set(what, (seen.get(what) ?? 0) + 1);
        states = stored(after, step.form);
      });
    }),
    { numRuns: 1000 },
  );
  for (const what of [
    "found → red",
    "green → green",
    "green → red",
    "green → red, counted",
    "unknown → unknown",
    "unknown → red",
  ])
    expect([what, (seen.get(what) ?? 0) > 50]).toEqual([what, true]);
});
