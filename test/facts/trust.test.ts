/** Whether a roster without agents is to be believed. H-01's test has what follows from it. */
import { describe, expect, test } from "vitest";
import type { Reading, Readings } from "../../shared/facts/facts.ts";
import { rosterDoubt } from "../../shared/facts/trust.ts";
import { containersOf, readingsOf, rosterOf, runningContainer, slot, slotsOf } from "../support/facts.ts";

const EMPTY = readingsOf({ roster: rosterOf({}), slots: slotsOf({}), containers: containersOf([]) });
const down = (reason: string): Extract<Reading<unknown>, { read: false }> => ({ read: false, reason });
const doubt = (differs: Readings) => rosterDoubt({ ...EMPTY, ...differs });
const RUBY = readingsOf({ containers: containersOf([runningContainer({ agent: "ruby" })]) });

test("a roster with agents is not doubted, whatever is not read beside it", () => {
  const { roster } = readingsOf();
  expect(doubt({ roster: roster!, slots: down("x"), containers: down("y") })).toBeNull();
  expect(rosterDoubt({ roster: roster! })).toBeNull();
});

test("an empty one is doubted by the agents that Docker and Redis name, each once, sorted", () => {
  const { slots } = readingsOf({ slots: slotsOf({ ruby: [slot("e-1")], ada: [slot("e-2")] }) });
  expect(doubt({ containers: RUBY.containers!, slots: slots! })).toEqual({
    reason: "roster_empty_contradicted",
    isContradictedByDocker: true,
    agents: ["ada", "ruby"],
  });
});

describe("where no source names an agent", () => {
  test("and both were read, there is no doubt", () => {
    expect(doubt({})).toBeNull();
  });

  test("and one was read, the other one decides whether that is sure: left out it is, unread it is not", () => {
    const off = { ...down("docker: off"), off: true } as const;
    expect(doubt({ containers: off })).toBeNull();
    expect(doubt({ containers: down("docker: no answer") })).toBe("docker: no answer");
    expect(doubt({ slots: down("redis: no answer") })).toBe("redis: no answer");
  });

  test("and neither was read or asked for, it can't be verified", () => {
    const { containers: _docker, slots: _redis, ...asked } = EMPTY;
    const reason = "roster_empty_unverifiable";
    expect(rosterDoubt(asked)).toMatchObject({ reason, isContradictedByDocker: false, agents: [] });
    expect(doubt({ containers: down("x"), slots: down("y") })).toMatchObject({ reason });
  });
});

test("a roster that was never asked for, or is not configured, can't be doubted", () => {
  const { roster: _left, ...without } = EMPTY;
  expect(rosterDoubt(without)).toBe("roster: not read");
  const unnamed = { ...down("sqlite: not configured"), notConfigured: true } as const;
  expect(doubt({ roster: unnamed, containers: RUBY.containers! })).toBe("sqlite: not configured");
});
