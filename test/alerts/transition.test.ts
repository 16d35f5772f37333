import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type InvariantState, type InvariantStates, NEVER_JUDGED } from "../../shared/alerts/state.ts";
import { type Transition, transition } from "../../shared/alerts/transition.ts";
import { EMPTY_MEMORY, memorySizes } from "../../shared/cycle/memory.ts";
import { coverageOf, type Unseen } from "../../shared/facts/coverage.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import type { Severity } from "../../shared/invariants/invariant.ts";
import { decodeMemory, encodeMemory } from "../../shared/store/memory-codec.ts";
import { type AnyFinding, statusOf, unknownVerdict, type Verdict } from "../../shared/verdict/evaluate.ts";
import { MINUTE_MS, START_MS } from "../support/cycle.ts";

interface Sight {
  /** Red subjects, each with the keys of its findings. */
  red?: Record<string, string[]>;
  healthy?: string[];
  unseen?: Unseen[];
  incomplete?: string;
  /** The keys that an incomplete look reached for certain. */
  examined?: readonly string[];
  severity?: Severity;
}

const invariantOf = (id: string) => INVARIANTS.find((i) => i.id === id)!;

function verdictOf(
  id: string,
  { red = {}, healthy = [], unseen = [], incomplete, examined = [], severity }: Sight,
): Verdict {
  const findings = Object.entries(red).map(
    ([subject, keys]): AnyFinding => ({
      subject,
      keys,
      observed: {},
      signalQuery: "",
      ...(severity && { severity }),
    }),
  );
  const coverage = coverageOf({
    subjects: [...Object.keys(red), ...healthy, ...unseen.flatMap((u) => (u.key ? [u.subject] : []))],
    unseen,
    ...(incomplete !== undefined && { unlisted: incomplete, sawKey: (key) => examined.includes(key) }),
  });
  return { invariant: invariantOf(id), findings, coverage, ...statusOf(findings, coverage) };
}

const stepFrom = (states: InvariantStates, verdicts: readonly Verdict[], nowMs = START_MS) =>
  transition(
    { states, blindSources: {} },
    { verdicts, offInvariants: [], offSources: [], unavailable: [], isFull: true },
    nowMs,
    [],
  );

/** What a red invariant remembers beside its subjects. */
const RED = {
  ...NEVER_JUDGED,
  status: "red",
  sinceMs: START_MS,
  lastRedAtMs: START_MS,
} as const satisfies InvariantState;

/** The alert machine of one invariant, told cycle by cycle, five minutes apart. */
function story(id = "S-02", before?: InvariantState) {
  let states: InvariantStates = before ? { [id]: before } : {};
  let nowMs = START_MS - 5 * MINUTE_MS;
  const judge = (verdict: Verdict): readonly Transition[] => {
    nowMs += 5 * MINUTE_MS;
    const result = stepFrom(states, [verdict], nowMs);
    states = result.states;
    return result.transitions;
  };
  return {
    sees: (sight: Sight) => judge(verdictOf(id, sight)),
    isBlind: (reason: string) => judge(unknownVerdict(invariantOf(id), reason)),
    /** The memory goes into its item and comes back. */
    isStored: () => {
      states = decodeMemory(encodeMemory(memorySizes({ ...EMPTY_MEMORY, states }, []))).states;
    },
    state: () => states[id]!,
    redSubjects: () => Object.keys(states[id]!.red).sort(),
    now: () => nowMs,
  };
}

/** A transition as an operator would tell it. */
const told = (transitions: readonly Transition[]) =>
  transitions.map((t) => `${t.kind}: ${t.subjects.join(", ")}`);

describe("an invariant breaks, stays broken, spreads and recovers", () => {
  test("each change is reported once", () => {
    const s02 = story();
    expect(s02.sees({ healthy: ["alpha", "beta"] })).toEqual([]);
    expect(told(s02.sees({ red: { alpha: ["alpha"] }, healthy: ["beta"] }))).toEqual(["broke: alpha"]);
    expect(told(s02.sees({ red: { alpha: ["alpha"] }, healthy: ["beta"] }))).toEqual([]);
    expect(told(s02.sees({ red: { alpha: ["alpha"], beta: ["beta"] } }))).toEqual(["spread: beta"]);
    expect(told(s02.sees({ red: { alpha: ["alpha"], beta: ["beta"] } }))).toEqual([]);
    expect(told(s02.sees({ healthy: ["alpha", "beta"] }))).toEqual(["recovered: alpha, beta"]);
    expect(told(s02.sees({ healthy: ["alpha", "beta"] }))).toEqual([]);
  });

  test("a canary that is new to a broken platform says so in its first cycle", () => {
    expect(told(story().sees({ red: { beta: ["b"], alpha: ["a"] } }))).toEqual(["broke: alpha, beta"]);
  });

  test("the first green is no recovery", () => {
    const s02 = story();
    expect(s02.sees({ healthy: ["alpha"] })).toEqual([]);
    expect(s02.state().status).toBe("green");
  });

  test("one of two subjects gets well: the invariant stays red, and the other alone recovers it", () => {
    const s02 = story();
    s02.sees({ red: { alpha: ["a"], beta: ["b"] } });
    expect(s02.sees({ red: { beta: ["b"] }, healthy: ["alpha"] })).toEqual([]);
    expect(s02.redSubjects()).toEqual(["beta"]);
    expect(told(s02.sees({ healthy: ["alpha", "beta"] }))).toEqual(["recovered: beta"]);
  });

  test("one subject gets well while another falls ill: spread, not recovered and broke again", () => {
    const s02 = story();
    s02.sees({ red: { alpha: ["a"] }, healthy: ["beta"] });
    expect(told(s02.sees({ red: { beta: ["b"] }, healthy: ["alpha"] }))).toEqual(["spread: beta"]);
  });

  test("a subject that got well and falls ill again while others stay red has spread again", () => {
    const s02 = story();
    s02.sees({ red: { alpha: ["a"], beta: ["b"] } });
    s02.sees({ red: { beta: ["b"] }, healthy: ["alpha"] });
    expect(told(s02.sees({ red: { alpha: ["a"], beta: ["b"] } }))).toEqual(["spread: alpha"]);
  });

  test("another execution of an agent that is red already is no news", () => {
    const e01 = story("E-01");
    e01.sees({ red: { alpha: ["e-1"] } });
    expect(e01.sees({ red: { alpha: ["e-1", "e-2"] } })).toEqual([]);
    expect(e01.state().red.alpha?.keys).toEqual(["e-1", "e-2"]);
  });

  test("a subject that no longer exists has recovered", () => {
    const s02 = story();
    s02.sees({ red: { alpha: ["a"] }, healthy: ["beta"] });
    expect(told(s02.sees({ healthy: ["beta"] }))).toEqual(["recovered: alpha"]);
  });

  test("a status knows since when it holds, and a still red one keeps its beginning", () => {
    const s02 = story();
    s02.sees({ healthy: ["alpha"] });
    s02.sees({ red: { alpha: ["a"] } });
    const brokeAtMs = s02.now();
    s02.sees({ red: { alpha: ["a"] } });
    expect(s02.state().sinceMs).toBe(brokeAtMs);
    expect(s02.state().red.alpha?.sinceMs).toBe(brokeAtMs);
    expect(s02.sees({ healthy: ["alpha"] })).toMatchObject([{ redSinceMs: brokeAtMs }]);
    expect(s02.state()).toMatchObject({ status: "green", sinceMs: s02.now() });
  });
});

describe("what a transition carries", () => {
  test("previous_violation_at is empty at the first break ever, and the last red cycle at the next", () => {
    const s02 = story();
    expect(s02.sees({ red: { alpha: ["a"] } })).toMatchObject([{ previousViolationAtMs: null }]);
    s02.sees({ red: { alpha: ["a"] } });
    const lastRedMs = s02.now();
    s02.sees({ healthy: ["alpha"] });
    s02.sees({ healthy: ["alpha"] });
    expect(s02.sees({ red: { alpha: ["a"] } })).toMatchObject([{ previousViolationAtMs: lastRedMs }]);
  });

  test("the violations of the cycle are counted, those of known subjects among them", () => {
    const s02 = story();
    s02.sees({ red: { alpha: ["a"] } });
    expect(s02.sees({ red: { alpha: ["a"], beta: ["b"], gamma: ["c"] } })).toMatchObject([
      { kind: "spread", subjects: ["beta", "gamma"], violationsInCycle: 3 },
    ]);
  });

  test("a ghost that holds only tags breaks L-03 as major, one that runs as critical", () => {
    expect(story("L-03").sees({ red: { ghost: ["ghost"] }, severity: "major" })).toMatchObject([
      { severity: "major" },
    ]);
    expect(story("L-03").sees({ red: { ghost: ["ghost"] } })).toMatchObject([{ severity: "critical" }]);
  });

  test("the worst of several severities is reported, whatever their order", () => {
    const severities: Severity[] = ["minor", "critical", "major"];
    const findings = severities.map(
      (severity, i): AnyFinding => ({
        subject: `ghost-${i}`,
        keys: [`ghost-${i}`],
        observed: {},
        signalQuery: "",
        severity,
      }),
    );
    const verdict = { ...verdictOf("L-03", { red: { ghost: ["ghost"] } }), findings };
    expect(stepFrom({}, [verdict]).transitions).toMatchObject([{ severity: "critical" }]);
    expect(stepFrom({}, [{ ...verdict, findings: [findings[0]!, findings[2]!] }]).transitions).toMatchObject([
      { severity: "major" },
    ]);
  });

  test("a spread is as severe as what joined, not as what was red before", () => {
    const l03 = story("L-03");
    l03.sees({ red: { ghost: ["ghost"] } });
    const known: AnyFinding = { subject: "ghost", keys: ["ghost"], observed: {}, signalQuery: "" };
    const joined: AnyFinding = { ...known, subject: "tagged", keys: ["tagged"], severity: "major" };
    const verdict = { ...verdictOf("L-03", { red: { ghost: ["ghost"] } }), findings: [known, joined] };
    expect(stepFrom({ "L-03": l03.state() }, [verdict]).transitions).toMatchObject([
      { kind: "spread", severity: "major", subjects: ["tagged"] },
    ]);
  });

  test("several invariants change in one cycle: told in the order of the verdicts, each by its id", () => {
    const verdicts = [
      verdictOf("S-01", { red: { alpha: ["a"] } }),
      verdictOf("E-05", { red: { beta: ["e"] } }),
    ];
    expect(stepFrom({}, verdicts).transitions).toMatchObject([
      { kind: "broke", invariantId: "S-01", severity: "critical" },
      { kind: "broke", invariantId: "E-05", severity: "major" },
    ]);
  });

  test("an invariant that did not run keeps its state", () => {
    const { states } = stepFrom({}, [verdictOf("S-01", { red: { alpha: ["a"] } })]);
    const next = stepFrom(states, [verdictOf("S-02", { healthy: ["alpha"] })], START_MS + MINUTE_MS);
    expect(next.transitions).toEqual([]);
    expect(next.states["S-01"]).toEqual(states["S-01"]);
  });
});

describe("unknown changes nothing", () => {
  test("it does not close what is red, and the red after it is no new one", () => {
    const s02 = story();
    s02.sees({ red: { alpha: ["a"] } });
    const redSince = s02.state().sinceMs;
    expect(s02.isBlind("redis: ECONNREFUSED")).toEqual([]);
    expect(s02.state().status).toBe("red");
    expect(s02.redSubjects()).toEqual(["alpha"]);
    expect(s02.sees({ red: { alpha: ["a"] } })).toEqual([]);
    expect(s02.state().sinceMs).toBe(redSince);
    expect(told(s02.sees({ healthy: ["alpha"] }))).toEqual(["recovered: alpha"]);
  });

  test("what breaks behind the blindness is reported when it is seen", () => {
    const s02 = story();
    s02.sees({ healthy: ["alpha"] });
    s02.isBlind("redis: ECONNREFUSED");
    expect(told(s02.sees({ red: { alpha: ["a"] } }))).toEqual(["broke: alpha"]);
  });

  test("what recovered behind the blindness is reported when it is seen", () => {
    const s02 = story();
    s02.sees({ red: { alpha: ["a"] } });
    s02.isBlind("redis: ECONNREFUSED");
    expect(told(s02.sees({ healthy: ["alpha"] }))).toEqual(["recovered: alpha"]);
  });

  test("a canary that has only ever been blind has judged nothing", () => {
    const s02 = story();
    s02.isBlind("redis: not configured");
    expect(s02.state()).toMatchObject({ status: "unknown", blindReason: "redis: not configured" });
    expect(told(s02.sees({ red: { alpha: ["a"] } }))).toEqual(["broke: alpha"]);
  });

  test("blindness knows its beginning and its latest reason, and ends when it sees again", () => {
    const s02 = story();
    s02.sees({ healthy: ["alpha"] });
    expect(s02.state().blindSinceMs).toBeNull();
    s02.isBlind("redis: ECONNREFUSED");
    const blindSinceMs = s02.now();
    s02.isBlind("redis: ETIMEDOUT");
    expect(s02.state()).toMatchObject({ blindSinceMs, blindReason: "redis: ETIMEDOUT", status: "green" });
    s02.sees({ healthy: ["alpha"] });
    expect(s02.state()).toMatchObject({ blindSinceMs: null, blindReason: null });
  });
});

describe("a subject that was not seen stays as it was", () => {
  test("an agent whose slots can't be read stays red, though everything else is green", () => {
    const s02 = story();
    s02.sees({ red: { alpha: ["a"] }, healthy: ["beta"] });
    expect(s02.sees({ healthy: ["beta"], unseen: [{ subject: "alpha" }] })).toEqual([]);
    expect(s02.state().status).toBe("red");
    expect(told(s02.sees({ healthy: ["alpha", "beta"] }))).toEqual(["recovered: alpha"]);
  });

  test("an agent that was green and is unseen does not become red", () => {
    const s02 = story();
    s02.sees({ healthy: ["alpha", "beta"] });
    expect(s02.sees({ healthy: ["beta"], unseen: [{ subject: "alpha" }] })).toEqual([]);
    expect(s02.state().status).toBe("green");
  });

  test("the row that was red can't be read: its agent stays red", () => {
    const e01 = story("E-01");
    e01.sees({ red: { alpha: ["e-1"] } });
    expect(e01.sees({ healthy: ["alpha", "beta"], unseen: [{ subject: "alpha", key: "e-1" }] })).toEqual([]);
    expect(e01.redSubjects()).toEqual(["alpha"]);
  });

  test("another row of the agent can't be read: the one that was red has been seen healthy", () => {
    const e01 = story("E-01");
    e01.sees({ red: { alpha: ["e-1"] } });
    const after = e01.sees({ healthy: ["alpha", "beta"], unseen: [{ subject: "alpha", key: "e-2" }] });
    expect(told(after)).toEqual(["recovered: alpha"]);
  });

  test("one of an agent's two containers does not answer: the zombie that it had is still there", () => {
    const r01 = story("R-01");
    r01.sees({ red: { alpha: ["c-1/77"] } });
    expect(r01.sees({ healthy: ["alpha", "beta"], unseen: [{ subject: "alpha", key: "c-1" }] })).toEqual([]);
    expect(r01.redSubjects()).toEqual(["alpha"]);
  });

  test("a container whose id begins like another's is not taken for it", () => {
    const r01 = story("R-01");
    r01.sees({ red: { alpha: ["c-12/77"] } });
    const after = r01.sees({ healthy: ["alpha", "beta"], unseen: [{ subject: "alpha", key: "c-1" }] });
    expect(told(after)).toEqual(["recovered: alpha"]);
  });

  test("a red subject whose keys are no longer known stays red while any part of it is unseen", () => {
    const red = { alpha: { sinceMs: START_MS, keys: [], more: true } };
    const e01 = story("E-01", { ...RED, red });
    expect(e01.sees({ healthy: ["alpha", "beta"], unseen: [{ subject: "alpha", key: "e-9" }] })).toEqual([]);
    expect(e01.state().status).toBe("red");
    expect(told(e01.sees({ healthy: ["alpha"] }))).toEqual(["recovered: alpha"]);
  });

  test("what is red and half unseen keeps the keys of both halves", () => {
    const r01 = story("R-01");
    r01.sees({ red: { alpha: ["c-1/77"] } });
    const sinceMs = r01.now();
    expect(r01.sees({ red: { alpha: ["c-2/9"] }, unseen: [{ subject: "alpha", key: "c-1" }] })).toEqual([]);
    expect(r01.state().red.alpha).toEqual({ sinceMs, keys: ["c-1/77", "c-2/9"] });
  });

  test("where not all subjects could be listed, one that is missing is not gone", () => {
    const r01 = story("R-01");
    r01.sees({ red: { alpha: ["c-1/7"], beta: ["c-2/8"] } });
    r01.sees({ red: { beta: ["c-2/8"] }, incomplete: "not read: tcp://docker-2:2376" });
    expect(r01.redSubjects()).toEqual(["alpha", "beta"]);
  });

  test("where not all could be listed, one whose container was looked at and is well has recovered", () => {
    const r01 = story("R-01");
    r01.sees({ red: { alpha: ["c-1/7"], beta: ["c-2/8"] } });
    const incomplete = "not read: tcp://docker-2:2376";
    r01.sees({ red: { beta: ["c-2/8"] }, healthy: ["alpha"], incomplete, examined: ["c-1/7"] });
    expect(r01.redSubjects()).toEqual(["beta"]);
  });

  test("where not all could be listed, another container of the agent being well says nothing of the red one", () => {
    const r01 = story("R-01");
    r01.sees({ red: { alpha: ["c-1/7", "c-3/9"], beta: ["c-2/8"] } });
    const incomplete = "not read: tcp://docker-2:2376";
    r01.sees({ red: { beta: ["c-2/8"] }, healthy: ["alpha"], incomplete, examined: ["c-3/9"] });
    expect(r01.redSubjects()).toEqual(["alpha", "beta"]);
  });
});

describe("red subjects that did not fit in the store", () => {
  const capped = { ...RED, red: { alpha: { sinceMs: START_MS, keys: ["a"] } }, redBesides: 40 };

  test("they keep the invariant red while those that are known get well and others are unseen", () => {
    const s02 = story("S-02", capped);
    expect(s02.sees({ healthy: ["alpha"], unseen: [{ subject: "omega" }] })).toEqual([]);
    expect(s02.state()).toMatchObject({ status: "red", redBesides: 40 });
    expect(s02.isBlind("redis: ECONNREFUSED")).toEqual([]);
    expect(s02.state()).toMatchObject({ status: "red", redBesides: 40 });
  });

  test("a cycle that sees all and finds nothing ends them", () => {
    const s02 = story("S-02", capped);
    expect(told(s02.sees({ healthy: ["alpha", "omega"] }))).toEqual(["recovered: alpha"]);
    expect(s02.state()).toMatchObject({ status: "green", redBesides: 0 });
  });

  test("none of them is called new when it is seen again", () => {
    expect(story("S-02", capped).sees({ red: { alpha: ["a"], omega: ["o"] } })).toEqual([]);
  });

  test("a cycle that sees all names all that is red: nothing is left besides, and the next one is news", () => {
    const s02 = story("S-02", capped);
    s02.sees({ red: { alpha: ["a"], omega: ["o"] } });
    expect(s02.state()).toMatchObject({ status: "red", redBesides: 0 });
    expect(told(s02.sees({ red: { alpha: ["a"], omega: ["o"], psi: ["p"] } }))).toEqual(["spread: psi"]);
    expect(told(s02.sees({ healthy: ["alpha", "omega", "psi"] }))).toEqual(["recovered: alpha, omega, psi"]);
  });

  test("a cycle that can't list all, or finds nothing in what it sees, ends none of them", () => {
    const s02 = story("S-02", capped);
    expect(s02.sees({ healthy: ["alpha"], incomplete: "not searched: chat_sessions" })).toEqual([]);
    expect(s02.state()).toMatchObject({ status: "red", redBesides: 40 });
    expect(s02.sees({ red: { omega: ["o"] }, incomplete: "not searched: chat_sessions" })).toEqual([]);
    expect(s02.state()).toMatchObject({ status: "red", redBesides: 40 });
  });

  test("a fleet too large to remember, red for hours: the count does not grow, and all recover at once", () => {
    const red = Object.fromEntries(Array.from({ length: 30_000 }, () => [randomUUID(), ["k"]]));
    const s02 = story();
    expect(s02.sees({ red })).toHaveLength(1);
    for (let cycle = 0; cycle < 4; cycle += 1) {
      s02.isStored();
      const state = s02.state();
      expect(state.redBesides).toBeGreaterThan(0);
      expect(Object.keys(state.red).length + state.redBesides).toBe(30_000);
      expect(s02.sees({ red })).toEqual([]);
    }
    s02.isStored();
    expect(s02.sees({ healthy: Object.keys(red) })).toMatchObject([{ kind: "recovered" }]);
    expect(s02.state()).toMatchObject({ status: "green", redBesides: 0 });
  });
});

describe("agents with unlucky names", () => {
  test.each(["__proto__", "constructor", "toString", "hasOwnProperty"])("an agent named %s", (name) => {
    const s02 = story();
    const red = Object.fromEntries([[name, ["k"]]]);
    s02.sees({ healthy: [name, "beta"] });
    expect(told(s02.sees({ red, healthy: ["beta"] }))).toEqual([`broke: ${name}`]);
    expect(s02.sees({ red, healthy: ["beta"] })).toEqual([]);
    expect(s02.sees({ healthy: ["beta"], unseen: [{ subject: name }] })).toEqual([]);
    expect(s02.redSubjects()).toEqual([name]);
    expect(told(s02.sees({ healthy: [name, "beta"] }))).toEqual([`recovered: ${name}`]);
  });

  test("an agent named __proto__ joins one that is red", () => {
    const s02 = story();
    s02.sees({ red: { beta: ["b"] } });
    const red = Object.fromEntries([
      ["beta", ["b"]],
      ["__proto__", ["p"]],
    ]);
    expect(told(s02.sees({ red }))).toEqual(["spread: __proto__"]);
  });
});
