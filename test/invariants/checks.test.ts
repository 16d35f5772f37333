/** Which invariants an environment runs, and how severe they are there. */
import { expect, test } from "vitest";
import { checksOf } from "../../shared/invariants/checks.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import { type Invariant, invariant } from "../../shared/invariants/invariant.ts";
import { evaluate } from "../../shared/verdict/evaluate.ts";
import { readingsOf, rosterOf } from "../support/facts.ts";

const NO_SETTINGS = { off: [], on: [], severities: {} };

/** Finds each agent, those whose name begins with `a` as minor. */
const example = (id: string, more: Partial<Invariant> = {}): Invariant => ({
  ...invariant({
    id,
    title: "Example",
    tier: "A",
    severity: "critical",
    impact: "",
    runbook: "",
    safe: "",
    example: {},
    reads: ["roster"],
    confirm: false,
    check: ({ roster }) => ({
      subjects: roster.keys(),
      unseen: [],
      findings: [...roster.keys()].map((subject) => ({
        subject,
        keys: [subject],
        observed: {},
        signalQuery: "",
        ...(subject.startsWith("a") && { severity: "minor" as const }),
      })),
    }),
    summarize: () => "",
    explain: () => "",
    verify: () => [],
    fix: () => [],
  }),
  ...more,
});

test("without settings every invariant runs as its file says, but for those that are off by default", () => {
  const { all, off } = checksOf(NO_SETTINGS);
  expect(all).toEqual(INVARIANTS);
  expect([...off.keys()]).toEqual(INVARIANTS.filter((i) => i.isOffByDefault).map(({ id }) => id));
});

test("an invariant that is off by default runs where it is turned on; one that is on anyway may be named", () => {
  const invariants = [example("X-01"), example("X-02", { isOffByDefault: true })];
  const offWith = (on: string[], off: string[] = []) => [
    ...checksOf({ ...NO_SETTINGS, on, off }, invariants).off,
  ];
  expect(offWith([])).toEqual([["X-02", "off unless CHECKS_ON names it"]]);
  expect(offWith(["X-01", "X-02"])).toEqual([]);
  expect(offWith([], ["X-01", "X-02"])).toEqual([
    ["X-01", "off by CHECKS_OFF"],
    ["X-02", "off by CHECKS_OFF"],
  ]);
});

test("an environment's severity replaces the invariant's, and those of single findings", () => {
  const readings = readingsOf({ roster: rosterOf({ alpha: {}, beta: {} }) });
  const severitiesOf = (one: Invariant) => [
    one.severity,
    ...evaluate(one, readings).findings.map(({ severity }) => severity ?? one.severity),
  ];
  const [own] = checksOf(NO_SETTINGS, [example("X-01")]).all;
  expect(severitiesOf(own!)).toEqual(["critical", "minor", "critical"]);
  const [major] = checksOf({ ...NO_SETTINGS, severities: { "X-01": "major" } }, [example("X-01")]).all;
  expect(severitiesOf(major!)).toEqual(["major", "major", "major"]);
});

test("a check that allows no verdict says so under another severity too", () => {
  const mute = example("X-01", { check: () => "too little to judge by" });
  const [minor] = checksOf({ ...NO_SETTINGS, severities: { "X-01": "minor" } }, [mute]).all;
  expect(evaluate(minor!, readingsOf())).toMatchObject({
    status: "unknown",
    reason: "too little to judge by",
  });
});
