/** Facts that are too little to call anything green by: an empty database, a Redis without a key. */
import { describe, expect, test } from "vitest";
import type { FactName, Facts, Readings } from "../../shared/facts/facts.ts";
import { DATABASE_FACTS, REDIS_FACTS } from "../../shared/facts/trust.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import { confirmed } from "../../shared/verdict/confirm.ts";
import { evaluate, factsOf, withoutDiscredited } from "../../shared/verdict/evaluate.ts";
import { AGENT, executionsOf, readingsOf, recordOf, running, slot, slotsOf } from "../support/facts.ts";

const WHY = "too little was found";

/** A platform with these differences, one fact of which is marked. */
function doubting(fact: FactName, facts: Partial<Facts> = {}): Readings {
  const readings = readingsOf(facts);
  return { ...readings, [fact]: { ...readings[fact], insufficient: WHY } };
}

const reading = (fact: FactName) => INVARIANTS.filter(({ reads }) => reads.includes(fact));
const S02 = INVARIANTS.find(({ id }) => id === "S-02")!;
const E05 = INVARIANTS.find(({ id }) => id === "E-05")!;
const OVERBOOKED = { slots: slotsOf({ [AGENT]: ["a", "b", "c", "d"].map((id) => slot(id)) }) };

describe("a fact that is too little to call anything green by", () => {
  const onRoster = [...new Set([...reading("roster"), ...reading("executions")])];
  test.each(onRoster.map((i) => [i.id, i] as const))("the roster: %s is unknown, with the reason", (_, i) => {
    expect(evaluate(i, doubting("roster"))).toMatchObject({ status: "unknown", reason: WHY });
  });

  test.each(reading("slots").map((i) => [i.id, i] as const))("the slots: %s is unknown", (_, invariant) => {
    expect(evaluate(invariant, doubting("slots"))).toMatchObject({ status: "unknown", reason: WHY });
  });

  test("a roster that can't be read at all, and no row either, is no more than an empty one", () => {
    const roster = { read: false, reason: "table agent_ownership is missing" } as const;
    expect(evaluate(E05, { ...readingsOf(), roster })).toMatchObject({
      status: "unknown",
      reason: roster.reason,
    });
    const executions = executionsOf([running("run")]);
    const sessions = new Set(["run"]);
    expect(evaluate(E05, { ...readingsOf({ executions, sessions }), roster }).status).toBe("green");
  });

  test("touches no invariant that does not rest on it", () => {
    for (const invariant of INVARIANTS.filter(({ reads }) => !reads.includes("slots")))
      expect(evaluate(invariant, doubting("slots"))).toMatchObject({ status: "green", reason: null });
  });

  test("what is found in it is found: a red is red", () => {
    const verdict = evaluate(S02, doubting("slots", OVERBOOKED));
    expect(recordOf(verdict)).toEqual({ status: "red", checked: 1, unseen: [], reason: null });
    expect(verdict.findings).toHaveLength(1);
  });

  test("nothing in it is proven healthy or gone, not even an agent that was looked at", () => {
    const { coverage } = evaluate(S02, doubting("roster"));
    expect([coverage.isWhole, coverage.saw(AGENT), coverage.saw(AGENT, AGENT), coverage.saw("gone")]).toEqual(
      [false, false, false, false],
    );
  });

  test("a red that is not found again is dismissed into unknown, not into green", () => {
    const lost = executionsOf([running("lost", { ageSeconds: 120 })]);
    const first = evaluate(E05, doubting("roster", { executions: lost }));
    expect(first.status).toBe("red");
    const second = confirmed(first, readingsOf({ executions: executionsOf([]) }), () => false);
    expect(second).toMatchObject({ status: "unknown", reason: WHY, findings: [] });
  });

  test("a second read that finds too little confirms nothing", () => {
    const first = evaluate(S02, readingsOf(OVERBOOKED));
    const second = confirmed(first, doubting("slots"), () => false);
    expect(second).toMatchObject({ status: "unknown", reason: `a red could not be confirmed: ${WHY}` });
  });
});

describe("an idle platform with a roster and a heartbeat", () => {
  test.each(INVARIANTS.map((i) => [i.id, i] as const))("has nothing wrong: %s is green", (_, invariant) => {
    expect(evaluate(invariant, readingsOf())).toMatchObject({ status: "green", reason: null });
  });
});

test("who reads executions has the roster read as well, who can do without a fact has it read too, and no other", () => {
  for (const invariant of INVARIANTS) {
    const { reads, optional = [] } = invariant;
    const all = [...(reads.includes("executions") ? ["roster"] : []), ...reads, ...optional];
    expect([...factsOf([invariant])].sort()).toEqual([...new Set(all)].sort());
  }
});

describe("what rests on a source that is not the platform's", () => {
  const red =
    (...ids: string[]) =>
    (invariant: { readonly id: string }) =>
      ids.includes(invariant.id);
  const verdicts = INVARIANTS.map((i) => evaluate(i, readingsOf()));
  const discredited = (...ids: string[]) =>
    Object.fromEntries(
      withoutDiscredited(verdicts, readingsOf(), INVARIANTS, red(...ids)).map((v) => [
        v.invariant.id,
        v.discreditedBy,
      ]),
    );
  const resting = (facts: readonly FactName[]) =>
    INVARIANTS.filter(({ reads }) => reads.some((fact) => facts.includes(fact))).map(({ id }) => id);

  test.each([
    ["H-01", DATABASE_FACTS],
    ["H-02", DATABASE_FACTS],
    ["H-03", REDIS_FACTS],
  ] as const)("while %s is red is unknown, and names it; the rest stays as it was", (culprit, facts) => {
    const ids = resting(facts).filter((id) => id !== culprit);
    expect(ids.length).toBeGreaterThan(5);
    for (const [i, verdict] of withoutDiscredited(verdicts, readingsOf(), INVARIANTS, red(culprit)).entries())
      if (ids.includes(verdict.invariant.id))
        expect(verdict).toMatchObject({
          status: "unknown",
          reason: `${culprit}: ${INVARIANTS.find(({ id }) => id === culprit)!.discredits!.because}`,
          findings: [],
          discreditedBy: culprit,
        });
      else expect(verdict).toBe(verdicts[i]);
  });

  test("an invariant that only can do without such a fact is judged: H-01 reads slots, and H-03 does not hide it", () => {
    expect(discredited("H-03")["H-01"]).toBeUndefined();
  });

  test("one that is discredited itself discredits no other: the cause is named, not its effects", () => {
    const byFirst = discredited("H-01", "H-02", "H-03");
    expect(byFirst["H-02"]).toBe("H-01");
    expect(byFirst["H-03"]).toBe("H-01");
    expect(byFirst["S-02"]).toBe("H-01");
    // H-03 rests on the executions, and is passed over with the database; H-02 rests on the slots.
    expect(discredited("H-02", "H-03")).toMatchObject({ "H-03": "H-02", "S-03": "H-02" });
    expect(discredited("H-02", "H-03")["H-02"]).toBeUndefined();
    expect(discredited("H-03")["H-02"]).toBe("H-03");
  });

  test("an invariant whose own facts could not be read keeps that reason", () => {
    const readings = { ...readingsOf(), slots: { read: false as const, reason: "redis: no answer" } };
    const unread = INVARIANTS.map((i) => evaluate(i, readings));
    const after = withoutDiscredited(unread, readings, INVARIANTS, red("H-01"));
    expect(after.find((v) => v.invariant.id === "S-02")).toMatchObject({
      status: "unknown",
      reason: "redis: no answer",
      discreditedBy: "H-01",
    });
  });

  test("any other red discredits nothing", () => {
    const others = INVARIANTS.filter((i) => !i.discredits).map(({ id }) => id);
    expect(withoutDiscredited(verdicts, readingsOf(), INVARIANTS, red(...others))).toEqual(verdicts);
  });
});
