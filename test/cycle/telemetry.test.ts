/** The metric that an alarm is made of: an operator is notified once of one cause. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { cycleTelemetry } from "../../shared/telemetry.ts";
import { alertsOf, type ScriptedCanary, taken, useCanaries } from "../support/cycle.ts";
import { rosterOf } from "../support/facts.ts";
import { idsReading } from "../support/registry.ts";

const canaryOf = useCanaries();

let printed: string[] = [];
beforeEach(() => {
  printed = [];
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, "write").mockImplementation((chunk) => {
      printed.push(...String(chunk).split("\n"));
      return true;
    });
});
afterEach(() => vi.restoreAllMocks());

/** A canary that counts its cycles as the deployed one does. */
async function counting(): Promise<ScriptedCanary> {
  const canary = await canaryOf();
  Object.assign(canary.deps, { observe: cycleTelemetry("test") });
  return canary;
}

/** The lines that were printed since the last call: of the log, and the number of unknown invariants that was counted. */
function linesOf() {
  const lines = printed.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  printed = [];
  return {
    log: lines.find((line) => "checks_run" in line),
    counted: lines.find((line) => "UnknownInvariants" in line)?.UnknownInvariants,
  };
}

test("what is unknown since H-01 is red is not counted beside it, nor while H-01 is in doubt", async () => {
  const canary = await counting();
  const sent = alertsOf(canary);
  await canary.cycle();
  expect(linesOf().counted).toBe(0);
  canary.set({ roster: rosterOf({}) });
  await canary.cycle();
  expect(linesOf().counted).toBe(0);
  for (let cycle = 0; cycle < 4; cycle += 1) {
    const { verdicts } = await canary.cycle();
    expect(verdicts["S-01"]?.status).toBe("unknown");
    const { log, counted } = linesOf();
    expect(counted).toBe(0);
    expect(log.unknown).toContain("S-01");
  }
  expect(taken(sent)).toEqual(["broke H-01 critical"]);
});

test("so it is with a state that can't be written", async () => {
  const canary = await counting();
  canary.set({ roster: rosterOf({}) });
  await canary.cycle();
  await canary.cycle();
  linesOf();
  canary.stateFails("lease.commit");
  await canary.statelessCycle();
  expect(linesOf()).toMatchObject({ counted: 0, log: { unknown: expect.arrayContaining(["S-01"]) } });
});

test("what can't be judged because a source can't be read is counted", async () => {
  const canary = await counting();
  canary.when("docker", async () => {
    throw new Error("no answer");
  });
  await canary.cycle();
  expect(linesOf().counted).toBe(idsReading("docker").length);
});
