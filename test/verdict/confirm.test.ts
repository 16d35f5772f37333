import { describe, expect, test } from "vitest";
import { type InvariantStates, NEVER_JUDGED, wasRedIn } from "../../shared/alerts/state.ts";
import type { Facts, Reading, Readings } from "../../shared/facts/facts.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import { confirmed, needConfirmation } from "../../shared/verdict/confirm.ts";
import { evaluate } from "../../shared/verdict/evaluate.ts";
import { container, live, runningRow, START_MS, slot, useCanaries } from "../support/cycle.ts";
import { rosterOf, sightingsOf, slotsOf, zombiesOf } from "../support/facts.ts";

const canaryOf = useCanaries();

const LEAKED = { slots: slotsOf({ alpha: [slot("e-1")] }) };

describe("a red that is gone three seconds later", () => {
  test("was a stop in flight: no violation, no transition", async () => {
    const canary = await canaryOf();
    canary.once(LEAKED);
    const report = await canary.cycle();
    expect(report.verdicts["S-01"]).toMatchObject({ status: "green", checked: 2, unseen: [] });
    expect(report.violations).toEqual([]);
    expect(report.transitions).toEqual([]);
    expect(canary.naps).toEqual([3000]);
  });

  test("is read again only where it could be: sources without a suspect are asked once", async () => {
    const canary = await canaryOf();
    canary.once(LEAKED);
    await canary.cycle();
    const asked = (name: string) => canary.reads.filter((r) => r.source === name).length;
    expect(["sqlite", "redis", "queue_counts", "docker"].map(asked)).toEqual([2, 2, 1, 1]);
  });

  test("and was there in the second read too is read once more, at once: a start and a stop of one run are no break", async () => {
    const canary = await canaryOf();
    // The platform's clock runs ten minutes behind, so that a start has no grace.
    canary.set({ executions: live(runningRow("short", "alpha")), sessions: new Set(["short"]) });
    const ends = () => canary.set({ executions: live(), sessions: new Set() });
    let looks = 0;
    canary.when("sqlite", async () => {
      looks += 1;
      if (looks === 3) ends();
    });
    const report = await canary.cycle();
    expect(report.verdicts["S-01"]).toMatchObject({ status: "green", unseen: [] });
    expect(report.violations).toEqual([]);
    expect(looks).toBe(3);
    expect(canary.naps).toEqual([3000]);
  });

  test("was a start by a clock that was set back: it had no session yet, and has one", async () => {
    const canary = await canaryOf();
    canary.set({ slots: slotsOf({ alpha: [slot("e-1")] }), executions: live(runningRow("e-1", "alpha")) });
    canary.set({ sessions: new Set(["e-1"]) });
    canary.once({ sessions: new Set() });
    const report = await canary.cycle();
    expect(report.verdicts["E-05"]).toMatchObject({ status: "green", unseen: [] });
    expect(report.violations).toEqual([]);
  });

  test("a zombie whose parent waits for it a moment later is none", async () => {
    const canary = await canaryOf();
    canary.once({ zombies: zombiesOf([container("alpha", [77]), container("beta")]) });
    const report = await canary.cycle();
    expect(report.verdicts["R-01"]?.status).toBe("green");
  });
});

describe("a red that is found again", () => {
  test("counts, and broke is reported", async () => {
    const canary = await canaryOf();
    canary.set(LEAKED);
    const report = await canary.cycle();
    expect(report.verdicts["S-01"]?.status).toBe("red");
    expect(report.transitions).toMatchObject([{ invariant_id: "S-01", previous_violation_at: null }]);
  });

  test("of the ids that differ, S-01 names those that still do", async () => {
    const canary = await canaryOf();
    canary.set({
      slots: slotsOf({ alpha: [slot("leaked")] }),
      executions: live(runningRow("lost", "alpha")),
      sessions: new Set(["lost", "starting"]),
    });
    canary.once({
      slots: slotsOf({ alpha: [slot("leaked"), slot("stopping")] }),
      executions: live(runningRow("lost", "alpha"), runningRow("starting", "alpha")),
    });
    const report = await canary.cycle("S-01");
    expect(report.violations).toHaveLength(1);
    expect(report.violations[0]?.observed_state).toMatchObject({
      in_redis_only: ["leaked"],
      in_sql_only: ["lost"],
    });
    const { states } = await canary.memory();
    expect(states["S-01"]?.red.alpha?.keys).toEqual(["redis:leaked", "sql:lost"]);
  });

  test("of the pids that were zombies, R-01 counts those that still are", async () => {
    const canary = await canaryOf();
    canary.set({ zombies: zombiesOf([container("alpha", [12])]) });
    canary.once({ zombies: zombiesOf([container("alpha", [11, 12, 13])]) });
    const report = await canary.cycle("R-01");
    expect(report.violations).toHaveLength(1);
    expect(report.violations[0]).toMatchObject({
      observed_state: { zombie_count: 1, zombie_pids: [12] },
      signal_query: expect.stringMatching(/= 1$/),
    });
  });

  test("a different zombie the second time confirms nothing", async () => {
    const canary = await canaryOf();
    canary.once({ zombies: zombiesOf([container("alpha", [11])]) });
    canary.set({ zombies: zombiesOf([container("alpha", [12])]) });
    const report = await canary.cycle("R-01");
    expect(report.verdicts["R-01"]?.status).toBe("green");
  });

  test("the transient subject goes, the real one stays", async () => {
    const canary = await canaryOf();
    canary.set(LEAKED);
    canary.once({ slots: slotsOf({ alpha: [slot("e-1")], beta: [slot("e-2")] }) });
    const report = await canary.cycle("S-01");
    expect(report.violations.map((v) => v.subject)).toEqual(["alpha"]);
    expect(report.verdicts["S-01"]).toMatchObject({ status: "red", unseen: [] });
  });
});

describe("what is not new costs no second read", () => {
  test("a green cycle reads once and does not wait", async () => {
    const canary = await canaryOf();
    await canary.cycle();
    expect(canary.naps).toEqual([]);
    expect(canary.reads).toHaveLength(4);
  });

  test("a still-red cycle reads once and does not wait", async () => {
    const canary = await canaryOf();
    canary.set(LEAKED);
    await canary.cycle();
    canary.naps.length = 0;
    canary.reads.length = 0;
    const report = await canary.cycle();
    expect(report.violations).toHaveLength(1);
    expect(canary.naps).toEqual([]);
    expect(canary.reads).toHaveLength(4);
  });

  test("a new id of an agent that is red already is read again, and the known one stays whatever comes", async () => {
    const canary = await canaryOf();
    canary.set(LEAKED);
    await canary.cycle();
    canary.once({ slots: slotsOf({ alpha: [slot("e-1"), slot("stopping")] }) });
    canary.set({ slots: slotsOf({}) });
    canary.naps.length = 0;
    const report = await canary.cycle("S-01");
    expect(canary.naps).toEqual([3000]);
    expect(report.violations[0]?.observed_state).toMatchObject({ in_redis_only: ["e-1"] });
    expect(report.recoveries).toEqual([]);
  });

  test("invariants that need no second look are not given one", async () => {
    const canary = await canaryOf();
    canary.ends({ "e-1": "success" });
    await canary.cycle();
    canary.set({
      executions: live(runningRow("e-1", "alpha")),
      sessions: new Set(["e-1"]),
      slots: slotsOf({ alpha: [slot("e-1")] }),
    });
    const report = await canary.cycle();
    expect(report.verdicts["E-02"]?.status).toBe("red");
    expect(canary.naps).toEqual([]);
  });
});

describe("the second read fails", () => {
  const redisDiesAfterTheFirstRead = async () => {
    const canary = await canaryOf();
    canary.set(LEAKED);
    let asked = 0;
    canary.when("redis", async () => {
      asked += 1;
      if (asked > 1) throw Object.assign(new Error("gone"), { code: "ECONNRESET" });
    });
    return canary;
  };

  test("a new red is neither red nor green, and the cycle says why", async () => {
    const canary = await redisDiesAfterTheFirstRead();
    const report = await canary.cycle();
    expect(report.verdicts["S-01"]).toMatchObject({
      status: "unknown",
      unseen: ["alpha"],
      reason: "a red could not be confirmed: redis: ECONNRESET",
    });
    expect(report.transitions).toEqual([]);
    expect(report.sources_unavailable).toEqual(["redis: ECONNRESET"]);
  });

  test("the cycle after it, when Redis answers again, tells the red", async () => {
    const canary = await redisDiesAfterTheFirstRead();
    await canary.cycle();
    canary.when("redis");
    const report = await canary.cycle();
    expect(report.transitions.map((t) => t.invariant_id)).toEqual(["S-01"]);
  });

  test("a red that was known stays red, with nothing new beside it", async () => {
    const canary = await canaryOf();
    canary.set(LEAKED);
    await canary.cycle();
    canary.set({ slots: slotsOf({ alpha: [slot("e-1"), slot("e-2")], beta: [slot("e-3")] }) });
    let asked = 0;
    canary.when("redis", async () => {
      asked += 1;
      if (asked > 1) throw new Error("gone");
    });
    const report = await canary.cycle("S-01");
    expect(report.verdicts["S-01"]).toMatchObject({ status: "red", unseen: ["beta"] });
    expect(report.violations.map((v) => v.observed_state.in_redis_only)).toEqual([["e-1"]]);
    expect(report.spreads).toEqual([]);
  });

  test("one agent's slots can't be read the second time: that agent is unseen, the others are green", async () => {
    const canary = await canaryOf();
    canary.once(LEAKED);
    canary.set({ slots: slotsOf({}, ["alpha"]) });
    const report = await canary.cycle("S-01");
    expect(report.verdicts["S-01"]).toMatchObject({ status: "green", checked: 1, unseen: ["alpha"] });
  });

  test("the daemon of the suspect container is gone the second time: unknown, its agent unseen", async () => {
    const canary = await canaryOf();
    canary.once({ zombies: zombiesOf([container("alpha", [11]), container("beta")]) });
    canary.set({ zombies: zombiesOf([container("beta")], { unseenDaemons: ["tcp://docker-1:2376"] }) });
    const report = await canary.cycle("R-01");
    expect(report.verdicts["R-01"]).toMatchObject({ status: "unknown", checked: 1, unseen: ["alpha"] });
  });

  test("one daemon is gone the second time, the other still shows its zombie: only that one is red", async () => {
    const canary = await canaryOf();
    canary.once({ zombies: zombiesOf([container("alpha", [11]), container("beta", [12])]) });
    canary.set({ zombies: zombiesOf([container("beta", [12])], { unseenDaemons: ["tcp://docker-1:2376"] }) });
    const report = await canary.cycle("R-01");
    expect(report.verdicts["R-01"]).toMatchObject({ status: "red", unseen: ["alpha"] });
    expect(report.violations.map((v) => v.subject)).toEqual(["beta"]);
  });

  test("the suspect container does not answer the second time, the agent's other one does", async () => {
    const canary = await canaryOf();
    const other = container("alpha", [], { containerId: "c-other" });
    canary.once({ zombies: zombiesOf([container("alpha", [11]), other, container("beta")]) });
    canary.set({
      zombies: zombiesOf([other, container("beta")], {
        unseenContainers: [{ agent: "alpha", containerId: "c-alpha" }],
      }),
    });
    const report = await canary.cycle("R-01");
    expect(report.verdicts["R-01"]).toMatchObject({ status: "green", checked: 1, unseen: ["alpha"] });
  });
});

describe("which findings are suspects", () => {
  const at = { fromMs: START_MS, toMs: START_MS };
  const read = <T>(value: T): Reading<T> => ({ read: true, value, time: at });
  const readings = (zombies: Facts["zombies"]): Readings => ({
    roster: read(rosterOf(Object.fromEntries(zombies.containers.map(({ agent }) => [agent, {}])))),
    zombies: read(zombies),
    zombieSightings: read(sightingsOf({})),
  });
  const r01 = INVARIANTS.find((i) => i.id === "R-01")!;
  const red = (subject: string, keys: string[], more = false): InvariantStates => ({
    "R-01": {
      ...NEVER_JUDGED,
      status: "red",
      sinceMs: 0,
      lastRedAtMs: 0,
      red: Object.fromEntries([[subject, { sinceMs: 0, keys, ...(more && { more }) }]]),
    },
  });

  test("a known key is none, an unknown one of the same agent is", () => {
    const verdict = evaluate(r01, readings(zombiesOf([container("alpha", [11, 12])])));
    expect(needConfirmation([verdict], wasRedIn(red("alpha", ["c-alpha/11", "c-alpha/12"])))).toEqual([]);
    expect(needConfirmation([verdict], wasRedIn(red("alpha", ["c-alpha/11"])))).toEqual([verdict]);
    expect(needConfirmation([verdict], wasRedIn({}))).toEqual([verdict]);
  });

  test("where the keys of a red subject were cut off, every key counts as known", () => {
    const verdict = evaluate(r01, readings(zombiesOf([container("alpha", [11])])));
    expect(needConfirmation([verdict], wasRedIn(red("alpha", [], true)))).toEqual([]);
  });

  test.each(["__proto__", "constructor"])("an agent named %s is not known by its name alone", (name) => {
    const verdict = evaluate(r01, readings(zombiesOf([container(name, [11])])));
    expect(needConfirmation([verdict], wasRedIn(red("alpha", ["k"])))).toEqual([verdict]);
  });

  test("a red of one key that could not be confirmed leaves nothing but an unseen agent", () => {
    const first = evaluate(r01, readings(zombiesOf([container("alpha", [11])])));
    const second: Readings = {
      ...readings(zombiesOf([])),
      zombies: { read: false, reason: "docker: ETIMEDOUT" },
    };
    expect(confirmed(first, second, wasRedIn({}))).toMatchObject({
      status: "unknown",
      reason: "a red could not be confirmed: docker: ETIMEDOUT",
      findings: [],
      coverage: { unseen: [{ subject: "alpha" }] },
    });
  });

  test("where not all could be listed at first, a red that vanished leaves unknown, not green", () => {
    const partly = { unseenDaemons: ["tcp://docker-2:2376"] };
    const first = evaluate(r01, readings(zombiesOf([container("alpha", [11])], partly)));
    expect(confirmed(first, readings(zombiesOf([container("alpha")])), wasRedIn({}))).toMatchObject({
      status: "unknown",
      findings: [],
    });
  });
});
