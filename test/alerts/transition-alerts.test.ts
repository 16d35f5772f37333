import { describe, expect, test } from "vitest";
import { advance } from "../../shared/alerts/advance.ts";
import type { AlertPolicy, Notice } from "../../shared/alerts/notify.ts";
import type { Route } from "../../shared/alerts/route.ts";
import type { Silence } from "../../shared/alerts/silence.ts";
import type { AlertState } from "../../shared/alerts/state.ts";
import { coverageOf } from "../../shared/facts/coverage.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import type { Severity } from "../../shared/invariants/invariant.ts";
import { type AnyFinding, statusOf, unknownVerdict, type Verdict } from "../../shared/verdict/evaluate.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const START_MS = Date.parse("2026-11-23T10:00:00.000Z");

/** A channel for messages. */
const SLACK: Route = { name: "slack", minSeverity: "minor", invariants: null, holdsOpen: false };

/** A channel for pages. */
const PAGES: Route = { name: "pagerduty", minSeverity: "minor", invariants: null, holdsOpen: true };

const POLICY: AlertPolicy = {
  routes: [SLACK],
  onRecovery: true,
  onSpread: true,
  remindAfterMs: DAY_MS,
  blindAfterCycles: 3,
};

interface Sight {
  red?: readonly string[];
  healthy?: readonly string[];
  unseen?: readonly string[];
  /** By subject, where it differs from the invariant's own. */
  severity?: Readonly<Record<string, Severity>>;
}

const invariantOf = (id: string) => INVARIANTS.find((i) => i.id === id)!;

function seen(id: string, { red = [], healthy = [], unseen = [], severity = {} }: Sight): Verdict {
  const findings = red.map(
    (subject): AnyFinding => ({
      subject,
      keys: [subject],
      observed: {},
      signalQuery: "",
      ...(severity[subject] && { severity: severity[subject] }),
    }),
  );
  const coverage = coverageOf({
    subjects: [...red, ...healthy],
    unseen: unseen.map((subject) => ({ subject })),
  });
  return { invariant: invariantOf(id), findings, coverage, ...statusOf(findings, coverage) };
}

const namesOf = (notice: Notice): string => {
  if ("what" in notice)
    return notice.what.map(({ name, reason }) => (reason === null ? name : `${name} (${reason})`)).join(", ");
  return "subjects" in notice ? notice.subjects.join(", ") : notice.findings.map((f) => f.subject).join(", ");
};

/** What operators are told in one cycle, as one of them would repeat it. */
const repeated = (notices: readonly Notice[]): string[] =>
  notices.map((a) =>
    "what" in a ? `${a.kind}: ${namesOf(a)}` : `${a.kind} ${a.invariant.id}: ${namesOf(a)}`,
  );

/** A canary, told cycle by cycle, five minutes apart; what it remembers goes through JSON, as in the store. */
function canary(differs: Partial<AlertPolicy> = {}) {
  let policy = { ...POLICY, ...differs };
  let remembered: AlertState = { states: {}, blindSources: {} };
  let silences: Silence[] = [];
  let nowMs = START_MS - 5 * MINUTE_MS;
  let waitMs = 5 * MINUTE_MS;
  let last: ReturnType<typeof advance> | undefined;

  function cycle(
    verdicts: readonly Verdict[],
    {
      unavailable = [],
      offInvariants = [],
      offSources = [],
      isFull = true,
    }: {
      unavailable?: readonly string[];
      offInvariants?: readonly string[];
      offSources?: readonly string[];
      isFull?: boolean;
    } = {},
  ): string[] {
    nowMs += waitMs;
    waitMs = 5 * MINUTE_MS;
    last = advance(
      remembered,
      { verdicts, offInvariants, offSources, unavailable, isFull },
      nowMs,
      policy,
      silences,
    );
    const { states, blindSources, blindNotified } = last;
    remembered = JSON.parse(JSON.stringify({ states, blindSources, blindNotified }));
    return repeated(last.notices);
  }
  const it = {
    cycle,
    sees: (sight: Sight, id = "S-02") => cycle([seen(id, sight)]),
    isBlind: (reason = "redis: ECONNREFUSED", id = "S-02") =>
      cycle([unknownVerdict(invariantOf(id), reason)]),
    /** The next cycle comes so long after the last one. */
    after(ms: number) {
      waitMs = ms;
      return it;
    },
    silence(subject: string | null = null, forMs = Infinity, id = "S-02") {
      const untilMs = nowMs + forMs;
      silences.push({
        id: `s-${silences.length}`,
        invariantId: id,
        subject,
        untilMs,
        reason: "maintenance",
        createdAtMs: nowMs,
      });
      return it;
    },
    endSilences() {
      silences = [];
      return it;
    },
    configure(changed: Partial<AlertPolicy>) {
      policy = { ...policy, ...changed };
      return it;
    },
    now: () => nowMs,
    notices: () => last!.notices,
    /** What is recorded of the last cycle, told or not. */
    recorded: () =>
      last!.transitions.map(
        (t) => `${t.kind} ${t.invariantId}: ${t.subjects.join(", ")}${t.silenced ? " (silenced)" : ""}`,
      ),
    state: (id = "S-02") => remembered.states[id]!,
  };
  return it;
}

describe("an invariant breaks, stays broken and recovers", () => {
  test("operators hear that it broke once, nothing while it is still red, and once that it recovered", () => {
    const it = canary();
    expect(it.sees({ healthy: ["alpha", "beta"] })).toEqual([]);
    expect(it.sees({ red: ["alpha"], healthy: ["beta"] })).toEqual(["broke S-02: alpha"]);
    for (let cycle = 0; cycle < 20; cycle += 1)
      expect(it.sees({ red: ["alpha"], healthy: ["beta"] })).toEqual([]);
    expect(it.sees({ healthy: ["alpha", "beta"] })).toEqual(["recovered S-02: alpha"]);
    expect(it.sees({ healthy: ["alpha", "beta"] })).toEqual([]);
  });

  test("a recovery says since when it was red", () => {
    const it = canary();
    it.sees({ healthy: ["alpha"] });
    it.sees({ red: ["alpha"] });
    const brokeAtMs = it.now();
    it.after(2 * HOUR_MS).sees({ red: ["alpha"] });
    it.sees({ healthy: ["alpha"] });
    expect(it.notices()).toMatchObject([{ kind: "recovered", redSinceMs: brokeAtMs }]);
  });

  test("a spread names only the subjects that joined, with their findings and nobody else's", () => {
    const it = canary();
    it.sees({ red: ["alpha"], healthy: ["beta", "gamma", "delta"] });
    expect(it.sees({ red: ["alpha", "beta", "gamma"], healthy: ["delta"] })).toEqual([
      "spread S-02: beta, gamma",
    ]);
    expect(it.sees({ red: ["alpha", "beta", "gamma"], healthy: ["delta"] })).toEqual([]);
    expect(it.sees({ red: ["alpha", "beta", "gamma", "delta"] })).toEqual(["spread S-02: delta"]);
  });

  test("a subject that got well and falls ill again while another stayed red is reported again", () => {
    const it = canary();
    it.sees({ red: ["alpha", "beta"] });
    expect(it.sees({ red: ["beta"], healthy: ["alpha"] })).toEqual([]);
    expect(it.sees({ red: ["alpha", "beta"] })).toEqual(["spread S-02: alpha"]);
  });

  test("an invariant that breaks again is reported again, with when it was last red", () => {
    const it = canary();
    it.sees({ red: ["alpha"] });
    expect(it.notices()).toMatchObject([{ previousViolationAtMs: null }]);
    const lastRedMs = it.now();
    it.sees({ healthy: ["alpha"] });
    expect(it.after(2 * HOUR_MS).sees({ red: ["alpha"] })).toEqual(["broke S-02: alpha"]);
    expect(it.notices()).toMatchObject([
      { previousViolationAtMs: lastRedMs, redSinceMs: it.now(), severity: "critical" },
    ]);
  });

  test("it recovers only when the last of its subjects was seen healthy or is gone", () => {
    const it = canary();
    it.sees({ red: ["alpha", "beta"] });
    expect(it.sees({ healthy: ["alpha", "gamma"], unseen: ["beta"] })).toEqual([]);
    expect(it.sees({ healthy: ["alpha", "gamma"] })).toEqual(["recovered S-02: beta"]);
  });

  test("an unknown cycle in between changes nothing: no second alert, no recovery, the same beginning", () => {
    const it = canary();
    it.sees({ red: ["alpha"] });
    const brokeAtMs = it.now();
    expect(it.isBlind()).toEqual([]);
    expect(it.recorded()).toEqual([]);
    expect(it.sees({ red: ["alpha"] })).toEqual([]);
    expect(it.isBlind()).toEqual([]);
    expect(it.sees({ healthy: ["alpha"] })).toEqual(["recovered S-02: alpha"]);
    expect(it.notices()).toMatchObject([{ redSinceMs: brokeAtMs }]);
  });

  test("a subject that is red, unseen and red again is no news, and a healthy one unseen is none either", () => {
    const it = canary();
    it.sees({ red: ["alpha"], healthy: ["beta"] });
    expect(it.sees({ healthy: ["beta"], unseen: ["alpha"] })).toEqual([]);
    expect(it.sees({ red: ["alpha"], unseen: ["beta"] })).toEqual([]);
  });

  test("a run of one invariant says nothing of another, and forgets nothing of it", () => {
    const it = canary();
    expect(it.cycle([seen("S-02", { red: ["alpha"] }), seen("S-01", { red: ["alpha"] })])).toEqual([
      "broke S-02: alpha",
      "broke S-01: alpha",
    ]);
    const before = it.state("S-01");
    expect(it.sees({ healthy: ["alpha"] })).toEqual(["recovered S-02: alpha"]);
    expect(it.state("S-01")).toEqual(before);
    expect(it.cycle([seen("S-01", { red: ["alpha"] })])).toEqual([]);
  });
});

describe("reminders", () => {
  test("one comes 24 h after it was last told, to the millisecond, and the next 24 h after that", () => {
    const it = canary();
    it.sees({ red: ["alpha"] });
    expect(it.after(DAY_MS - 1).sees({ red: ["alpha"] })).toEqual([]);
    expect(it.after(1).sees({ red: ["alpha"] })).toEqual(["reminder S-02: alpha"]);
    expect(it.after(DAY_MS - 1).sees({ red: ["alpha"] })).toEqual([]);
    expect(it.after(1).sees({ red: ["alpha"] })).toEqual(["reminder S-02: alpha"]);
  });

  test("it names all that is red, and since when", () => {
    const it = canary();
    it.sees({ red: ["alpha"] });
    const brokeAtMs = it.now();
    it.sees({ red: ["alpha", "beta"] });
    expect(it.after(DAY_MS).sees({ red: ["alpha", "beta"] })).toEqual(["reminder S-02: alpha, beta"]);
    expect(it.notices()).toMatchObject([{ redSinceMs: brokeAtMs }]);
  });

  test("a spread is a telling: the reminder comes 24 h after it", () => {
    const it = canary();
    it.sees({ red: ["alpha"] });
    it.after(20 * HOUR_MS).sees({ red: ["alpha", "beta"] });
    expect(it.after(DAY_MS - 1).sees({ red: ["alpha", "beta"] })).toEqual([]);
    expect(it.after(1).sees({ red: ["alpha", "beta"] })).toEqual(["reminder S-02: alpha, beta"]);
  });

  test("while nothing is seen nobody is reminded; it comes with the first cycle that sees red again", () => {
    const it = canary({ blindAfterCycles: 100 });
    it.sees({ red: ["alpha"] });
    expect(it.after(DAY_MS).isBlind()).toEqual([]);
    expect(it.sees({ healthy: ["beta"], unseen: ["alpha"] })).toEqual([]);
    expect(it.sees({ red: ["alpha"] })).toEqual(["reminder S-02: alpha"]);
  });

  test("one that is due in the cycle in which it recovers is not sent any more", () => {
    const it = canary();
    it.sees({ red: ["alpha"] });
    expect(it.after(DAY_MS).sees({ healthy: ["alpha"] })).toEqual(["recovered S-02: alpha"]);
  });

  test("0 hours: never", () => {
    const it = canary({ remindAfterMs: 0 });
    it.sees({ red: ["alpha"] });
    expect(it.after(0).sees({ red: ["alpha"] })).toEqual([]);
    expect(it.after(100 * DAY_MS).sees({ red: ["alpha"] })).toEqual([]);
  });
});

describe("what operators asked not to be told", () => {
  test("recoveries off: it is recorded, and the next break is reported", () => {
    const it = canary({ onRecovery: false });
    it.sees({ red: ["alpha"] });
    expect(it.sees({ healthy: ["alpha"] })).toEqual([]);
    expect(it.recorded()).toEqual(["recovered S-02: alpha"]);
    expect(it.sees({ red: ["alpha"] })).toEqual(["broke S-02: alpha"]);
  });

  test("spreads off: it is recorded, not told later either, and the reminder names all", () => {
    const it = canary({ onSpread: false });
    it.sees({ red: ["alpha"] });
    expect(it.sees({ red: ["alpha", "beta"] })).toEqual([]);
    expect(it.recorded()).toEqual(["spread S-02: beta"]);
    it.configure({ onSpread: true });
    expect(it.sees({ red: ["alpha", "beta"] })).toEqual([]);
    expect(it.after(DAY_MS - 10 * MINUTE_MS).sees({ red: ["alpha", "beta"] })).toEqual([
      "reminder S-02: alpha, beta",
    ]);
  });

  test("minimum severity critical: a ghost that left a tag behind is recorded, one that still runs is reported", () => {
    const it = canary({ routes: [{ ...SLACK, minSeverity: "critical" }] });
    expect(it.sees({ red: ["tag"], severity: { tag: "major" } }, "L-03")).toEqual([]);
    expect(it.recorded()).toEqual(["broke L-03: tag"]);
    expect(it.sees({ red: ["tag", "runs"], severity: { tag: "major", runs: "critical" } }, "L-03")).toEqual([
      "broke L-03: runs",
    ]);
    expect(it.notices()).toMatchObject([{ severity: "critical" }]);
  });

  test("a source that is not the platform's is reported whatever the minimum severity: nobody hears of the rest", () => {
    const it = canary({ routes: [{ ...SLACK, minSeverity: "critical" }] });
    const roster = { red: ["roster"], severity: { roster: "major" } } as const;
    expect(it.sees(roster, "H-01")).toEqual(["broke H-01: roster"]);
    expect(it.sees({ healthy: ["roster"] }, "H-01")).toEqual(["recovered H-01: roster"]);
  });

  test("a ghost that was too harmless to tell is reported once it gets worse", () => {
    const it = canary({ routes: [{ ...SLACK, minSeverity: "critical" }] });
    it.sees({ red: ["ghost"], severity: { ghost: "major" } }, "L-03");
    expect(it.sees({ red: ["ghost"], severity: { ghost: "critical" } }, "L-03")).toEqual([
      "broke L-03: ghost",
    ]);
  });

  test("what nobody was told of recovers without a word", () => {
    const it = canary({ routes: [{ ...SLACK, minSeverity: "critical" }] });
    it.sees({ red: ["tag"], severity: { tag: "major" } }, "L-03");
    expect(it.sees({ healthy: ["tag"] }, "L-03")).toEqual([]);
    expect(it.recorded()).toEqual(["recovered L-03: tag"]);
  });

  test.each([
    ["critical", ["c"]],
    ["major", ["c", "ma"]],
    ["minor", ["c", "ma", "mi"]],
  ] as const)("minimum severity %s", (minSeverity, told) => {
    const it = canary({ routes: [{ ...SLACK, minSeverity }] });
    const severity = { c: "critical", ma: "major", mi: "minor" } as const;
    expect(it.sees({ red: ["c", "ma", "mi"], severity }, "L-03")).toEqual([`broke L-03: ${told.join(", ")}`]);
  });

  test("an alert is as severe as the worst of what it names", () => {
    const it = canary();
    it.sees({ red: ["tag"], severity: { tag: "major" } }, "L-03");
    expect(it.notices()).toMatchObject([{ kind: "broke", severity: "major" }]);
    it.sees({ red: ["tag", "runs"], severity: { tag: "major", runs: "critical" } }, "L-03");
    expect(it.notices()).toMatchObject([{ kind: "spread", severity: "critical" }]);
    it.after(DAY_MS).sees({ red: ["tag"], severity: { tag: "major" } }, "L-03");
    expect(it.notices()).toMatchObject([{ kind: "reminder", severity: "major" }]);
  });
});

describe("no channel", () => {
  test("nothing is announced; a channel that comes later hears what is red then, and its recovery", () => {
    const it = canary({ routes: [] });
    expect(it.sees({ red: ["alpha", "beta"] })).toEqual([]);
    expect(it.recorded()).toEqual(["broke S-02: alpha, beta"]);
    expect(it.sees({ red: ["beta"], healthy: ["alpha"] })).toEqual([]);
    it.configure({ routes: [SLACK] });
    expect(it.sees({ red: ["beta"], healthy: ["alpha"] })).toEqual(["broke S-02: beta"]);
    expect(it.sees({ red: ["beta"], healthy: ["alpha"] })).toEqual([]);
    expect(it.sees({ healthy: ["alpha", "beta"] })).toEqual(["recovered S-02: beta"]);
  });

  test("what broke and recovered before there was a channel is nobody's news", () => {
    const it = canary({ routes: [] });
    it.sees({ red: ["alpha"] });
    it.sees({ healthy: ["alpha"] });
    it.configure({ routes: [SLACK] });
    expect(it.sees({ healthy: ["alpha"] })).toEqual([]);
  });

  test("while the channel is away nothing counts as told: what joined, and a reminder, come with the next one", () => {
    const it = canary();
    it.sees({ red: ["alpha"] });
    it.configure({ routes: [] });
    expect(it.sees({ red: ["alpha", "beta"] })).toEqual([]);
    expect(it.after(2 * DAY_MS).sees({ red: ["alpha", "beta"] })).toEqual([]);
    it.configure({ routes: [SLACK] });
    expect(it.sees({ red: ["alpha", "beta"] })).toEqual(["spread S-02: beta"]);
  });

  test("what recovers while the channel is away is recorded, and waits for the channel", () => {
    const it = canary();
    it.sees({ red: ["alpha"] });
    it.configure({ routes: [] });
    expect(it.sees({ healthy: ["alpha"] })).toEqual(["recovered S-02: alpha"]);
    expect(it.notices()).toMatchObject([{ channels: ["slack"] }]);
    expect(it.recorded()).toEqual(["recovered S-02: alpha"]);
    it.configure({ routes: [SLACK] });
    expect(it.sees({ healthy: ["alpha"] })).toEqual([]);
    expect(it.sees({ red: ["alpha"] })).toEqual(["broke S-02: alpha"]);
  });

  test("blindness too is reported to the channel that comes later", () => {
    const it = canary({ routes: [] });
    for (let cycle = 0; cycle < 5; cycle += 1) expect(it.isBlind()).toEqual([]);
    it.configure({ routes: [SLACK] });
    expect(it.isBlind()).toEqual(["blind: S-02 (redis: ECONNREFUSED)"]);
  });

  test("a channel that is added while the canary is blind hears of it, and the others not again", () => {
    const it = canary({ blindAfterCycles: 1 });
    it.isBlind();
    it.configure({ routes: [SLACK, PAGES] });
    expect(it.isBlind()).toEqual(["blind: S-02 (redis: ECONNREFUSED)"]);
    expect(it.notices()).toMatchObject([{ channels: ["pagerduty"] }]);
    expect(it.isBlind()).toEqual([]);
    expect(it.sees({ healthy: ["alpha"] })).toEqual(["sees: S-02"]);
    expect(it.notices()).toMatchObject([{ channels: ["slack", "pagerduty"] }]);
  });
});

describe("a channel that holds things open", () => {
  test("is not sent that a part is seen again, and is sent the end", () => {
    const it = canary({ blindAfterCycles: 1, routes: [SLACK, PAGES] });
    it.cycle([], { unavailable: ["redis: down", "docker: down"] });
    expect(it.cycle([], { unavailable: ["redis: down"] })).toEqual(["sees: docker"]);
    expect(it.notices()).toMatchObject([{ channels: ["slack"], isOver: false }]);
    expect(it.cycle([])).toEqual(["sees: redis"]);
    expect(it.notices()).toMatchObject([{ channels: ["slack", "pagerduty"], isOver: true }]);
  });

  test("is sent the end of what is turned off, and others hear of it when it is on again", () => {
    const it = canary({ routes: [SLACK, PAGES] });
    it.sees({ red: ["alpha"] });
    expect(it.cycle([], { offInvariants: ["S-02"] })).toEqual(["recovered S-02: alpha"]);
    expect(it.notices()).toMatchObject([{ channels: ["pagerduty"], isTurnedOff: true }]);
    expect(it.cycle([], { offInvariants: ["S-02"] })).toEqual([]);
    expect(it.sees({ healthy: ["alpha"] })).toEqual(["recovered S-02: "]);
    expect(it.notices()).toMatchObject([{ channels: ["slack"] }]);
  });

  test("is sent an end as severe as the worst that it was sent", () => {
    const it = canary({ routes: [PAGES] });
    it.sees({ red: ["alpha"], severity: { alpha: "major" } });
    it.sees({ red: ["alpha"], severity: { alpha: "minor" } });
    it.sees({ healthy: ["alpha"] });
    expect(it.notices()).toMatchObject([{ kind: "recovered", severity: "major" }]);
  });
});

describe("how bad it is to be blind", () => {
  const unknown = (ids: readonly string[]) => ids.map((id) => unknownVerdict(invariantOf(id), "redis: down"));
  test.each([
    ["some of many", ["S-02"], ["S-01", "S-03", "E-01"], "major"],
    ["most", ["S-02", "S-01"], ["E-01"], "critical"],
    ["one that says whether a source is the platform's", ["H-02"], ["S-01", "S-02", "S-03"], "critical"],
  ] as const)("%s: %j", (_, blind, healthy, severity) => {
    const it = canary({ blindAfterCycles: 1 });
    const judged = healthy.map((id) => seen(id, { healthy: ["alpha"] }));
    it.cycle([...unknown(blind), ...judged]);
    expect(it.notices()).toMatchObject([{ kind: "blind", severity }]);
    // The end is as severe as the worst that was said.
    it.cycle([...blind, ...healthy].map((id) => seen(id, { healthy: ["alpha"] })));
    expect(it.notices()).toMatchObject([{ kind: "sees", severity }]);
  });
});

describe("silences", () => {
  test("an invariant is silenced: its break, spread and recovery are recorded, marked, and not told", () => {
    const it = canary();
    it.sees({ healthy: ["alpha", "beta"] });
    it.silence();
    expect(it.sees({ red: ["alpha"], healthy: ["beta"] })).toEqual([]);
    expect(it.recorded()).toEqual(["broke S-02: alpha (silenced)"]);
    expect(it.sees({ red: ["alpha", "beta"] })).toEqual([]);
    expect(it.recorded()).toEqual(["spread S-02: beta (silenced)"]);
    expect(it.sees({ healthy: ["alpha", "beta"] })).toEqual([]);
    expect(it.recorded()).toEqual(["recovered S-02: alpha, beta (silenced)"]);
  });

  test("another invariant is not silenced with it", () => {
    const it = canary().silence();
    expect(it.cycle([seen("S-02", { red: ["alpha"] }), seen("S-01", { red: ["alpha"] })])).toEqual([
      "broke S-01: alpha",
    ]);
  });

  test("one subject is silenced: the others are reported, and what is recorded of them is not marked", () => {
    const it = canary().silence("alpha");
    expect(it.sees({ red: ["alpha"], healthy: ["beta"] })).toEqual([]);
    expect(it.recorded()).toEqual(["broke S-02: alpha (silenced)"]);
    expect(it.sees({ red: ["alpha", "beta"] })).toEqual(["broke S-02: beta"]);
    expect(it.recorded()).toEqual(["spread S-02: beta"]);
  });

  test("a silenced and another subject break together: only the other is reported, and the record is not marked", () => {
    const it = canary().silence("alpha");
    expect(it.sees({ red: ["alpha", "beta"] })).toEqual(["broke S-02: beta"]);
    expect(it.recorded()).toEqual(["broke S-02: alpha, beta"]);
  });

  test("a silence that is ended while it is red tells then, once: as broke where nobody knew", () => {
    const it = canary().silence();
    it.sees({ red: ["alpha"] });
    it.endSilences();
    expect(it.sees({ red: ["alpha"] })).toEqual(["broke S-02: alpha"]);
    expect(it.recorded()).toEqual([]);
    expect(it.sees({ red: ["alpha"] })).toEqual([]);
  });

  test("as spread where others of the invariant were told before", () => {
    const it = canary().silence("alpha");
    it.sees({ red: ["alpha", "beta"] });
    it.endSilences();
    expect(it.sees({ red: ["alpha", "beta"] })).toEqual(["spread S-02: alpha"]);
  });

  test("a silence ends by itself at its instant, and not before", () => {
    const it = canary();
    it.sees({ healthy: ["alpha"] });
    it.silence(null, HOUR_MS);
    expect(it.sees({ red: ["alpha"] })).toEqual([]);
    expect(it.after(55 * MINUTE_MS - 1).sees({ red: ["alpha"] })).toEqual([]);
    expect(it.after(1).sees({ red: ["alpha"] })).toEqual(["broke S-02: alpha"]);
  });

  test("a silence that ends after the recovery tells nothing", () => {
    const it = canary().silence();
    it.sees({ red: ["alpha"] });
    it.sees({ healthy: ["alpha"] });
    it.endSilences();
    expect(it.sees({ healthy: ["alpha"] })).toEqual([]);
  });

  test("a silence that ends while nothing is seen tells once it is seen red", () => {
    const it = canary().silence();
    it.sees({ red: ["alpha"] });
    it.endSilences();
    expect(it.isBlind()).toEqual([]);
    expect(it.sees({ healthy: ["beta"], unseen: ["alpha"] })).toEqual([]);
    expect(it.sees({ red: ["alpha"] })).toEqual(["broke S-02: alpha"]);
  });

  test("what was told before the silence and is still red after it is reported again", () => {
    const it = canary();
    it.sees({ red: ["alpha"] });
    it.silence();
    expect(it.sees({ red: ["alpha"] })).toEqual([]);
    it.endSilences();
    expect(it.sees({ red: ["alpha"] })).toEqual(["broke S-02: alpha"]);
    expect(it.sees({ red: ["alpha"] })).toEqual([]);
  });

  test("what was told, then silenced, recovers without a word: recorded, and marked", () => {
    const it = canary();
    it.sees({ red: ["alpha"] });
    it.silence();
    expect(it.sees({ healthy: ["alpha"] })).toEqual([]);
    expect(it.recorded()).toEqual(["recovered S-02: alpha (silenced)"]);
  });

  test("one of two that recover together is silenced: the recovery is reported", () => {
    const it = canary();
    it.sees({ red: ["alpha", "beta"] });
    it.silence("alpha");
    expect(it.sees({ healthy: ["alpha", "beta"] })).toEqual(["recovered S-02: alpha, beta"]);
  });

  test("nobody is reminded of what is silenced; when the silence ends it is reported", () => {
    const it = canary();
    it.sees({ red: ["alpha", "beta"] });
    it.silence("alpha");
    expect(it.after(DAY_MS).sees({ red: ["alpha", "beta"] })).toEqual(["reminder S-02: beta"]);
    it.silence();
    expect(it.after(DAY_MS).sees({ red: ["alpha", "beta"] })).toEqual([]);
    it.endSilences();
    expect(it.sees({ red: ["alpha", "beta"] })).toEqual(["broke S-02: alpha, beta"]);
  });

  test("with spreads off, one that joins in every cycle does not put off the reminder", () => {
    const it = canary({ onSpread: false });
    it.sees({ red: ["alpha"] });
    it.sees({ red: ["alpha", "beta"] });
    expect(it.after(DAY_MS).sees({ red: ["alpha", "beta", "gamma"] })).toEqual([
      "reminder S-02: alpha, beta, gamma",
    ]);
  });

  test("a blind invariant that is silenced is reported when the silence ends", () => {
    const it = canary().silence();
    for (let cycle = 0; cycle < 5; cycle += 1) expect(it.isBlind()).toEqual([]);
    it.endSilences();
    expect(it.isBlind()).toEqual(["blind: S-02 (redis: ECONNREFUSED)"]);
  });

  test("a silence of one subject does not cover that the whole invariant is blind", () => {
    const it = canary({ blindAfterCycles: 1 }).silence("alpha");
    expect(it.isBlind()).toEqual(["blind: S-02 (redis: ECONNREFUSED)"]);
  });
});

describe("blindness", () => {
  test("three unknown cycles in a row are reported once, with the latest reason and since when", () => {
    const it = canary();
    it.sees({ healthy: ["alpha"] });
    expect(it.isBlind("redis: ECONNREFUSED")).toEqual([]);
    const blindSinceMs = it.now();
    expect(it.isBlind("redis: ECONNREFUSED")).toEqual([]);
    expect(it.isBlind("redis: ETIMEDOUT")).toEqual(["blind: S-02 (redis: ETIMEDOUT)"]);
    expect(it.notices()).toMatchObject([{ what: [{ sinceMs: blindSinceMs }] }]);
    for (let cycle = 0; cycle < 20; cycle += 1) expect(it.isBlind()).toEqual([]);
  });

  test("it sees again: told once, with since when it was blind, and a second blindness is reported again", () => {
    const it = canary({ blindAfterCycles: 2 });
    it.isBlind();
    const blindSinceMs = it.now();
    it.isBlind();
    expect(it.sees({ healthy: ["alpha"] })).toEqual(["sees: S-02"]);
    expect(it.notices()).toMatchObject([{ what: [{ sinceMs: blindSinceMs }] }]);
    expect(it.sees({ healthy: ["alpha"] })).toEqual([]);
    expect(it.isBlind()).toEqual([]);
    expect(it.isBlind()).toEqual(["blind: S-02 (redis: ECONNREFUSED)"]);
  });

  test("a cycle that sees in between restarts the count, and nothing is said of it", () => {
    const it = canary();
    it.isBlind();
    it.isBlind();
    expect(it.sees({ healthy: ["alpha"] })).toEqual([]);
    expect(it.isBlind()).toEqual([]);
    expect(it.isBlind()).toEqual([]);
    expect(it.isBlind()).toEqual(["blind: S-02 (redis: ECONNREFUSED)"]);
  });

  test("what it sees when it sees again may be red: both are reported", () => {
    const it = canary({ blindAfterCycles: 1 });
    it.isBlind();
    expect(it.sees({ red: ["alpha"] })).toEqual(["broke S-02: alpha", "sees: S-02"]);
  });

  test("a run of other invariants neither counts nor ends it", () => {
    const it = canary();
    it.isBlind();
    it.isBlind();
    const before = it.state();
    expect(it.sees({ healthy: ["alpha"] }, "S-01")).toEqual([]);
    expect(it.state()).toEqual(before);
    expect(it.isBlind()).toEqual(["blind: S-02 (redis: ECONNREFUSED)"]);
    expect(it.sees({ healthy: ["alpha"] }, "S-01")).toEqual([]);
  });

  test("all that goes blind in one cycle is one alert, of its cause, and all that sees again another", () => {
    const it = canary({ blindAfterCycles: 1 });
    const [s01, s02] = ["S-01", "S-02"].map(invariantOf);
    const redis = { unavailable: ["redis: ECONNREFUSED"] };
    expect(
      it.cycle([unknownVerdict(s01!, "redis: down"), unknownVerdict(s02!, "redis: down")], redis),
    ).toEqual(["blind: redis (ECONNREFUSED)"]);
    expect(it.cycle([seen("S-01", {}), seen("S-02", {})])).toEqual(["sees: redis"]);
  });
});

describe("a source that is not read", () => {
  const down = { unavailable: ["redis: ECONNREFUSED", "docker.exec[ruby]: no answer within 5000 ms"] };

  test("for three cycles in a row: told once, each with its reason, and once when it is read again", () => {
    const it = canary();
    expect(it.cycle([], down)).toEqual([]);
    expect(it.cycle([], down)).toEqual([]);
    expect(it.cycle([], down)).toEqual([
      "blind: redis (ECONNREFUSED), docker.exec[ruby] (no answer within 5000 ms)",
    ]);
    expect(it.cycle([], down)).toEqual([]);
    expect(it.cycle([], { unavailable: [down.unavailable[0]!] })).toEqual(["sees: docker.exec[ruby]"]);
    expect(it.cycle([])).toEqual(["sees: redis"]);
    expect(it.cycle([])).toEqual([]);
  });

  test("one that fails now and then is not blind", () => {
    const it = canary();
    for (let round = 0; round < 5; round += 1) {
      expect(it.cycle([], down)).toEqual([]);
      expect(it.cycle([], down)).toEqual([]);
      expect(it.cycle([])).toEqual([]);
    }
  });

  test("one that a filtered run did not ask stays as it is: not counted, not told, and not taken for read", () => {
    const it = canary();
    it.cycle([], down);
    it.cycle([], down);
    for (let run = 0; run < 5; run += 1) expect(it.cycle([], { ...down, isFull: false })).toEqual([]);
    expect(it.cycle([], { isFull: false })).toEqual([]);
    expect(it.cycle([], down)).toEqual([
      "blind: redis (ECONNREFUSED), docker.exec[ruby] (no answer within 5000 ms)",
    ]);
    for (let run = 0; run < 5; run += 1) expect(it.cycle([], { isFull: false })).toEqual([]);
    expect(it.cycle([])).toEqual(["sees: redis, docker.exec[ruby]"]);
  });

  test("a part of a source that fails whole is not taken for read", () => {
    const it = canary();
    const part = { unavailable: ["redis.slots[ruby]: WRONGTYPE"] };
    it.cycle([], part);
    it.cycle([], part);
    expect(it.cycle([], part)).toEqual(["blind: redis.slots[ruby] (WRONGTYPE)"]);
    expect(it.cycle([], { unavailable: ["redis: ECONNREFUSED"] })).toEqual([]);
    expect(it.cycle([])).toEqual(["sees: redis.slots[ruby]"]);
  });

  test("a source that is switched off is not told as seeing again", () => {
    const it = canary();
    for (let run = 0; run < 3; run += 1) it.cycle([], { unavailable: ["docker: ECONNREFUSED"] });
    expect(it.cycle([], { offSources: ["docker"] })).toEqual([]);
  });

  test("one that is named like a property of every object is a source like any other", () => {
    const it = canary({ blindAfterCycles: 2 });
    const names = ["__proto__", "constructor"];
    const proto = { unavailable: names.map((name) => `${name}: down`) };
    expect(it.cycle([], proto)).toEqual([]);
    expect(it.cycle([], proto)).toEqual(["blind: __proto__ (down), constructor (down)"]);
    expect(it.cycle([], proto)).toEqual([]);
    expect(it.cycle([])).toEqual(["sees: __proto__, constructor"]);
  });
});

describe.each(["__proto__", "constructor", "hasOwnProperty"])("an agent named %s", (name) => {
  test("breaks, stays red, is reminded of and recovers, once each", () => {
    const it = canary();
    expect(it.sees({ healthy: [name] })).toEqual([]);
    expect(it.sees({ red: [name] })).toEqual([`broke S-02: ${name}`]);
    expect(it.sees({ red: [name] })).toEqual([]);
    expect(it.sees({ healthy: ["beta"], unseen: [name] })).toEqual([]);
    expect(it.sees({ red: [name] })).toEqual([]);
    expect(it.after(DAY_MS).sees({ red: [name] })).toEqual([`reminder S-02: ${name}`]);
    expect(it.sees({ healthy: [name] })).toEqual([`recovered S-02: ${name}`]);
  });

  test("joins one that is red, while it is silenced and after", () => {
    const it = canary();
    it.sees({ red: ["beta"] });
    it.silence(name);
    expect(it.sees({ red: ["beta", name] })).toEqual([]);
    expect(it.recorded()).toEqual([`spread S-02: ${name} (silenced)`]);
    it.endSilences();
    expect(it.sees({ red: ["beta", name] })).toEqual([`spread S-02: ${name}`]);
    expect(it.sees({ red: ["beta", name] })).toEqual([]);
  });
});
