/** Which invariants run, and how severe they are: what an operator writes, and what is refused. */
import { describe, expect, test } from "vitest";
import { openAppCanary } from "../../shared/app-canary.ts";
import { CHECKS } from "../../shared/config/checks.ts";
import { ConfigError, type Environment, reader } from "../../shared/config/reader.ts";
import type { Variable } from "../../shared/config/variable.ts";
import { INVARIANT_IDS } from "../../shared/invariants/index.ts";
import { loadConfig } from "../../shared/variables.ts";

const THERE_ARE = `there are ${INVARIANT_IDS.join(", ")}`;

function problemsOf(load: (env: Environment) => unknown, env: Environment): readonly string[] {
  try {
    load(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test("ids and severities are read, with spaces around them, and an id that is named twice once", () => {
  const env = {
    CHECKS_OFF: " S-01, R-01 ,S-01,",
    CHECKS_ON: "B-02",
    SEVERITIES: "E-05 = critical,B-02=minor",
  };
  expect(loadConfig(env).checks).toEqual({
    off: ["S-01", "R-01"],
    on: ["B-02"],
    severities: { "E-05": "critical", "B-02": "minor" },
  });
});

describe("what can't be used is named, with the fix", () => {
  test.for<[string, Environment, string]>([
    [
      "ids that no invariant has",
      { CHECKS_OFF: "S-01,X-99,s-02" },
      `CHECKS_OFF names X-99, s-02, which no invariant has: ${THERE_ARE}`,
    ],
    [
      "an id that is to be on, and is none",
      { CHECKS_ON: "Z-09" },
      `CHECKS_ON names Z-09, which no invariant has: ${THERE_ARE}`,
    ],
    [
      "a severity of an invariant that is not there",
      { SEVERITIES: "X-99=major" },
      `SEVERITIES names X-99, which no invariant has: ${THERE_ARE}`,
    ],
    [
      "an id that is to be off and on",
      { CHECKS_OFF: "R-01,S-01", CHECKS_ON: "B-01,S-01" },
      "CHECKS_ON names S-01, which CHECKS_OFF names too: name each in one of the two",
    ],
    [
      "two severities of one invariant",
      { SEVERITIES: "S-01=major,S-01=minor" },
      "SEVERITIES names S-01 twice: give it one severity",
    ],
    [
      "a severity that is none",
      { SEVERITIES: "S-01=high" },
      'SEVERITIES gives S-01 the severity "high": give one of critical, major, minor',
    ],
    [
      "an id alone",
      { SEVERITIES: "S-01" },
      'SEVERITIES has "S-01": give an id and a severity each, such as S-01=major,B-02=minor',
    ],
    [
      "two severities at once",
      { SEVERITIES: "S-01=major=minor" },
      'SEVERITIES has "S-01=major=minor": give an id and a severity each, such as S-01=major,B-02=minor',
    ],
  ])("%s", ([, env, problem]) => {
    expect(problemsOf(loadConfig, env)).toEqual([problem]);
    // The function that shows the invariants refuses the same.
    expect(problemsOf(openAppCanary, { STATE_TABLE: "t", ...env })).toEqual([problem]);
  });

  test("all of it at once", () => {
    const env = { CHECKS_OFF: "X-01", CHECKS_ON: "X-02", SEVERITIES: "S-01,S-02=high,X-03=minor" };
    expect(problemsOf(loadConfig, env).map((problem) => problem.split(" ")[0])).toEqual([
      "CHECKS_OFF",
      "CHECKS_ON",
      "SEVERITIES",
      "SEVERITIES",
      "SEVERITIES",
    ]);
  });
});

test("what a stack writes is read back", () => {
  const written = {
    off: ["R-01", "B-01"],
    on: ["S-01"],
    severities: { "S-02": "minor", "E-01": "major" },
  } as const;
  for (const key of ["off", "on", "severities"] as const) {
    const variable = CHECKS[key] as Variable<unknown>;
    const text = variable.format(written[key]);
    expect(reader({ [variable.name]: text }).values({ variable }).variable).toEqual(written[key]);
  }
  for (const variable of Object.values(CHECKS) as Variable<unknown>[])
    expect(variable.format(variable.fallback)).toBe(undefined);
});
