/** A silence until the recovery: the alert machine ends it, and who made it hears that it is over. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { advance } from "../../shared/alerts/advance.ts";
import { isSilenced, type Silence } from "../../shared/alerts/silence.ts";
import type { AlertState } from "../../shared/alerts/state.ts";
import { coverageOf } from "../../shared/facts/coverage.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import { type AnyFinding, statusOf, unknownVerdict, type Verdict } from "../../shared/verdict/evaluate.ts";

const invariant = INVARIANTS.find(({ id }) => id === "S-02")!;
const AGENTS = ["alpha", "beta", "gamma"];
const POLICY = {
  hasChannel: true,
  routes: [{ name: "slack", minSeverity: "minor", invariants: null, holdsOpen: false }],
  onRecovery: true,
  onSpread: true,
  remindAfterMs: 0,
  minSeverity: "minor",
  blindAfterCycles: 3,
} as const;

/** What a cycle sees: who is red of whom; "blind" where nothing could be judged. */
type Sight = "blind" | { readonly red: readonly string[]; readonly unseen?: readonly string[] };

function verdictOf(sight: Sight): Verdict {
  if (sight === "blind") return unknownVerdict(invariant, "redis: ECONNREFUSED");
  const { red, unseen = [] } = sight;
  const findings = red.map(
    (subject): AnyFinding => ({ subject, keys: [subject], observed: {}, signalQuery: "" }),
  );
  const coverage = coverageOf({
    subjects: AGENTS.filter((name) => !unseen.includes(name)),
    unseen: unseen.map((subject) => ({ subject })),
  });
  return { invariant, findings, coverage, ...statusOf(findings, coverage) };
}

/** A canary, told cycle by cycle. What it remembers goes through JSON, as in the store. */
function canary() {
  let remembered: AlertState = { states: {}, blindSources: {} };
  let silences: Silence[] = [];
  let nowMs = 0;
  return {
    sees(sight: Sight | readonly string[]): string[] {
      nowMs += 300_000;
      const verdict = verdictOf(sight === "blind" || "red" in sight ? sight : { red: sight });
      const result = {
        verdicts: [verdict],
        offInvariants: [],
        offSources: [],
        unavailable: [],
        isFull: true,
      };
      const after = advance(remembered, result, nowMs, POLICY, silences);
      remembered = JSON.parse(JSON.stringify({ states: after.states, blindSources: after.blindSources }));
      silences = silences.filter((silence) => !after.endedSilences.includes(silence));
      return after.notices.map((notice) =>
        "what" in notice
          ? notice.kind
          : `${notice.kind} ${("subjects" in notice ? notice.subjects : notice.findings.map((f) => f.subject)).join(",")}`,
      );
    },
    acknowledge(subject: string | null, forMs: number | null = null) {
      const untilMs = forMs === null ? null : nowMs + forMs;
      const rest = { id: `${silences.length}`, reason: "known", createdAtMs: nowMs, untilRecovered: true };
      silences.push({ invariantId: "S-02", subject, untilMs, ...rest });
    },
    silenced: () => silences.map(({ subject }) => subject ?? "all"),
    isSilenced: (subject: string) => isSilenced(silences, "S-02", subject, nowMs),
    red: () => Object.keys(remembered.states["S-02"]?.red ?? {}),
    /** As where the memory did not fit: that many red subjects are only counted. */
    forget(count: number) {
      const state = remembered.states["S-02"]!;
      remembered = { ...remembered, states: { "S-02": { ...state, red: {}, redBesides: count } } };
    },
  };
}

test("an agent is acknowledged: quiet while it is red, over when it recovers, and loud when it breaks again", () => {
  const it = canary();
  expect(it.sees(["alpha", "beta"])).toEqual(["broke alpha,beta"]);
  it.acknowledge("alpha");
  for (let cycle = 0; cycle < 5; cycle += 1) expect(it.sees(["alpha", "beta"])).toEqual([]);
  expect(it.silenced()).toEqual(["alpha"]);
  expect([it.sees(["beta"]), it.silenced()]).toEqual([[], []]);
  expect(it.sees(["alpha", "beta"])).toEqual(["spread alpha"]);
});

test("who acknowledged what they were notified of is told of the recovery, by name", () => {
  const it = canary();
  it.sees(["alpha"]);
  it.acknowledge("alpha");
  it.sees(["alpha"]);
  expect(it.sees([])).toEqual(["recovered alpha"]);
  const whole = canary();
  whole.sees(["alpha", "beta"]);
  whole.acknowledge(null);
  whole.sees(["alpha", "beta"]);
  expect(whole.sees([])).toEqual(["recovered alpha,beta"]);
});

test("what was acknowledged before anybody was notified ends without a word", () => {
  const quiet = canary();
  quiet.acknowledge("alpha");
  expect([quiet.sees(["alpha"]), quiet.sees(["alpha"]), quiet.sees([])]).toEqual([[], [], []]);
});

test("one of the whole invariant covers who joins, and ends when the last has recovered", () => {
  const it = canary();
  it.sees(["alpha"]);
  it.acknowledge(null);
  expect(it.sees(["alpha", "beta"])).toEqual([]);
  expect([it.sees(["beta"]), it.silenced()]).toEqual([[], ["all"]]);
  expect([it.sees([]), it.silenced()]).toEqual([["recovered beta"], []]);
  expect(it.sees(["beta"])).toEqual(["broke beta"]);
});

test("while nothing can be judged, or the agent can't be seen, nothing has recovered", () => {
  const it = canary();
  it.sees(["alpha"]);
  it.acknowledge("alpha");
  for (const sight of ["blind", "blind", { red: [], unseen: ["alpha"] }, "blind"] as const) {
    it.sees(sight);
    expect(it.silenced()).toEqual(["alpha"]);
  }
  expect(it.sees(["alpha"])).toEqual([]);
  it.sees([]);
  expect(it.silenced()).toEqual([]);
});

test("made in the instant in which the agent recovered, it ends with the next cycle that judges", () => {
  const it = canary();
  it.sees(["alpha"]);
  it.sees([]);
  it.acknowledge("alpha");
  expect([it.sees("blind"), it.silenced()]).toEqual([[], []]);
});

test("an agent that the memory only counts may be red still: only a look at everything ends it", () => {
  const it = canary();
  it.sees(["alpha", "beta"]);
  it.acknowledge("alpha");
  it.forget(2);
  it.sees({ red: ["beta"], unseen: ["gamma"] });
  expect(it.silenced()).toEqual(["alpha"]);
  it.sees(["beta"]);
  expect(it.silenced()).toEqual([]);
});

test("with a time as well, the first of the two ends it", () => {
  const it = canary();
  it.sees(["alpha", "beta"]);
  it.acknowledge("alpha", 700_000);
  expect([it.sees(["alpha", "beta"]), it.sees(["alpha", "beta"])]).toEqual([[], []]);
  expect(it.sees(["alpha", "beta"])).toEqual(["spread alpha"]);
});

const sights = fc.oneof(
  { weight: 1, arbitrary: fc.constant<Sight>("blind") },
  { weight: 5, arbitrary: fc.record({ red: fc.subarray(AGENTS), unseen: fc.subarray(AGENTS) }) },
);
const steps = fc.array(
  fc.oneof(
    sights,
    fc.constantFrom<{ silence: string | null }>(...[...AGENTS, null].map((silence) => ({ silence }))),
  ),
  { maxLength: 40 },
);

test("in any history: it stands while something that it covers is red, and not a cycle longer", () => {
  fc.assert(
    fc.property(steps, (history) => {
      const it = canary();
      for (const step of history) {
        if (step !== "blind" && "silence" in step) {
          it.acknowledge(step.silence);
          continue;
        }
        const seen =
          step === "blind" ? step : { ...step, unseen: step.unseen!.filter((n) => !step.red.includes(n)) };
        const before = it.red();
        const notices = it.sees(seen);
        for (const covered of it.silenced())
          expect(covered === "all" ? it.red().length > 0 : it.red().includes(covered)).toBe(true);
        for (const name of it.red())
          if (!before.includes(name) && !it.isSilenced(name))
            expect(notices.join()).toMatch(new RegExp(`(broke|spread) .*${name}`));
      }
    }),
    { numRuns: 500 },
  );
});
