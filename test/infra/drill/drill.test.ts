/** The drill on this machine: it proves every alarm, and fails where it has to. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type DrillOptions, exitCodeOf, faultsOf, type Proof, runDrill } from "../../../infra/drill/drill.ts";
import type { DrilledEnvironment } from "../../../infra/drill/environment.ts";
import { openLocal } from "../../../infra/drill/local.ts";
import type { Fault } from "../../../infra/faults/fault.ts";
import { DRILLED, FAULTS } from "../../../infra/faults/index.ts";
import type { TestAgent } from "../../../infra/faults/test-agent.ts";
import { INVARIANTS } from "../../../shared/invariants/index.ts";
import { type Dockerd, startDockerd } from "../../support/dockerd.ts";
import { describeLive } from "../../support/live.ts";

const IDS = INVARIANTS.map(({ id }) => id);
const nothing = async () => {};
const AT_ONCE = FAULTS.filter(({ holdSeconds }) => holdSeconds === undefined);
/** Faults that have to last for a minute. */
const LASTING = FAULTS.filter((fault) => !AT_ONCE.includes(fault));
const lasts = (id: string) => DRILLED.find((f) => f.invariantId === id)!.holdSeconds !== undefined;

/** The faults of a drill, each with its invariant and its name for the test's title. */
const EACH = DRILLED.map((fault) => [fault.invariantId, fault.name, fault] as const);

test("there is a fault to drill for every invariant, in their order, and one for each arm of B-02", () => {
  expect([...new Set(DRILLED.map(({ invariantId }) => invariantId))]).toEqual(IDS);
  expect(faultsOf(DRILLED, ["B-02"]).map(({ name }) => name)).toEqual(["hung sweep", "unclaimed queue"]);
  expect(DRILLED).toHaveLength(IDS.length + 1);
});

test("an invariant that there is not is named, with those that there are", () => {
  expect(() => faultsOf(DRILLED, ["S-02", "X-99"])).toThrow(
    `there is no invariant X-99; there are ${IDS.join(", ")}`,
  );
  expect(faultsOf(DRILLED, ["B-02", "S-02"]).map(({ invariantId }) => invariantId)).toEqual([
    "S-02",
    "B-02",
    "B-02",
  ]);
});

describeLive(["redis-server", "dockerd"], "a drill on this machine", () => {
  let dockerd: Dockerd;
  let environment: DrilledEnvironment;
  let quiet: DrilledEnvironment;
  let lasting: Promise<Proof[]>;
  beforeAll(async () => {
    quiet = await openLocal({ dockerHost: "unix:///nowhere/docker.sock", confirmAfterMs: 60 });
    // It waits by this machine's clock, as an operator's drill does, while the other tests run.
    const signal = new AbortController().signal;
    lasting = runDrill({ ...quiet, faults: LASTING, signal, onProof() {} });
    lasting.catch(() => {});
    dockerd = await startDockerd([]);
    environment = await openLocal({ dockerHost: dockerd.socket, confirmAfterMs: 60 });
  });
  afterAll(async () => {
    await lasting?.catch(() => {});
    await quiet?.close();
    await environment?.close();
    await dockerd?.close();
  });

  async function drill(faults: readonly Fault[], options: Partial<DrillOptions> = {}): Promise<Proof[]> {
    const signal = new AbortController().signal;
    return runDrill({ ...environment, faults, signal, pass: nothing, onProof() {}, ...options });
  }
  const find = (id: string) => DRILLED.find(({ invariantId }) => invariantId === id)!;

  /** Asserts that a drill left nothing, whatever its result. */
  async function expectNothingLeft() {
    const { database, redis } = environment.target;
    if ("absent" in database || "absent" in redis) throw new Error("the platform is not there");
    for (const table of ["agent_ownership", "schedule_executions", "agent_schedules"])
      expect(await database.read(`SELECT * FROM ${table} WHERE agent_name LIKE 'canary-drill-%'`)).toEqual(
        [],
      );
    expect(await redis.keys("agent:slot*canary-drill-*")).toEqual([]);
    expect(await dockerd.docker("ps", "-a", "--format", "{{.Names}}")).not.toContain("canary-drill");
  }

  test("an invariant that the canary does not run can't be proven: that is no failure, and no success", async () => {
    const withoutE06: DrilledEnvironment["api"] = {
      ...environment.api,
      async cycle(signal) {
        const answer = await environment.api.cycle(signal);
        const { "E-06": _, ...verdicts } = answer.verdicts;
        return { ...answer, verdicts };
      },
    };
    const proofs = await drill([find("E-06")], { api: withoutE06 });
    expect(proofs).toMatchObject([
      { outcome: "impossible", reason: "E-06 is off: its canary does not run it", took_hold: null },
    ]);
    expect(exitCodeOf(proofs, 1)).toBe(2);
    await expectNothingLeft();
  });

  test.each(EACH)(
    "%s, %s: a fault that is left out is not seen; where nobody looks, the canary's green fails the drill",
    async (_id, _name, fault) => {
      const seen: (string | null)[] = [];
      const unlooked: Fault = {
        ...fault,
        provoke: nothing,
        async seen(agent) {
          seen.push(await fault.seen(agent));
          return "nobody looked";
        },
      };
      const [proof] = await drill([unlooked]);
      expect(seen).toEqual([null]);
      expect(proof).toMatchObject({
        outcome: "failed",
        reason: expect.stringMatching(/^expected red: (\S+) of \S+; red is nothing$/),
      });
      expect(exitCodeOf([proof!], 1)).toBe(1);
      await expectNothingLeft();
    },
  );

  test.each(IDS.filter((id) => id !== "B-02" && !lasts(id)))(
    "%s: a cure that is left out fails the drill",
    async (id) => {
      const [proof] = await drill([{ ...find(id), cure: nothing }]);
      expect(proof!.outcome).toBe("failed");
      expect(proof!.reason).toMatch(/^after the cure, still red: /);
      await expectNothingLeft();
      // The fault was removed with its agent. After all of these, the next test proves each of them.
      const { verdicts, violations } = await environment.api.cycle(new AbortController().signal);
      expect(violations).toEqual([]);
      expect(verdicts[id]!.status).not.toBe("red");
    },
  );

  test("every fault is proven: red once with what was done, red again without an alert, recovered", async () => {
    const proofs = await drill(AT_ONCE);
    expect(proofs.map((p) => [p.invariant_id, p.fault, p.outcome, p.reason])).toEqual(
      AT_ONCE.map(({ invariantId, title }) => [invariantId, title, "proven", null]),
    );
    for (const [i, { agent, observed_state, signal_query, took_hold, cycle_ms }] of proofs.entries()) {
      expect(JSON.stringify(observed_state)).toContain(agent);
      // What is wrong with a source is no agent's.
      if (!AT_ONCE[i]!.subject) expect(signal_query).toContain(agent);
      expect(took_hold).not.toBeNull();
      expect(Object.values(cycle_ms)).not.toContain(null);
    }
    expect(exitCodeOf(proofs, AT_ONCE.length)).toBe(0);
    await expectNothingLeft();
  });

  test("a fault that breaks more than its invariant is not exact, and fails", async () => {
    const leaky: Fault = {
      ...find("S-02"),
      async provoke(agent) {
        for (const n of [1, 2, 3]) await agent.addSlot(agent.id(n));
      },
    };
    const [proof] = await drill([leaky]);
    const { agent } = proof!;
    expect(proof!.reason).toBe(`expected red: S-02 of ${agent}; red is S-01 of ${agent}, S-02 of ${agent}`);
  });

  test("without a container of its workers a queue that nobody claims is no more than major, and that is checked", async () => {
    const unclaimed = DRILLED.find(({ name }) => name === "unclaimed queue")!;
    const { docker: _, ...target } = environment.target;
    const absent = { ...target, docker: { absent: "no daemon" } };
    // One drill at a time: each points the canary back to the platform when it ends.
    await lasting;
    const [without] = await drill([unclaimed], { ...quiet, target: { ...quiet.target } });
    expect(without).toMatchObject({
      outcome: "proven",
      observed_state: {
        mode: "pull",
        kind: "queued_not_claimed",
        container_pull_mode: null,
        idle_workers: 2,
      },
    });
    // A canary that reads Docker finds no container: its operator stopped it.
    const [stopped] = await drill([unclaimed], { target: absent });
    expect(stopped!.reason).toBe('observed_state: kind is "pilot_stopped"');
    const [wrong] = await drill([{ ...unclaimed, severity: () => "minor" }]);
    expect(wrong!.reason).toBe("severity is critical, not minor");
    await expectNothingLeft();
  });

  test("a queue beside idle workers of a container in pull mode is critical, and says whose pool it is", async () => {
    const [proof] = await drill([DRILLED.find(({ name }) => name === "unclaimed queue")!]);
    expect(proof).toMatchObject({
      outcome: "proven",
      took_hold: expect.stringContaining("a container in pull mode"),
      observed_state: {
        kind: "queued_not_claimed",
        container_pull_mode: true,
        pool_size: 3,
        busy_workers: 0,
        idle_workers: 3,
      },
    });
  });

  test("another observed_state than was expected fails, naming the field", async () => {
    const [proof] = await drill([{ ...find("S-02"), expected: () => ({ overbooked_by: 2, slot_count: 3 }) }]);
    expect(proof).toMatchObject({ outcome: "failed", reason: "observed_state: overbooked_by is 1" });
  });

  test("a canary that tells a red twice, or never, fails", async () => {
    const reporting = (times: number): DrilledEnvironment["api"] => ({
      ...environment.api,
      async cyclesSince(instant) {
        const cycles = await environment.api.cyclesSince(instant);
        return cycles.map((c) => ({ ...c, transitions: c.transitions.flatMap((t) => Array(times).fill(t)) }));
      },
    });
    for (const times of [0, 2]) {
      const [proof] = await drill([find("S-02")], { api: reporting(times) });
      expect(proof!.reason).toBe(`there were ${times} transitions to red`);
    }
  });

  test("a canary that is blind, or busy with something red already, proves nothing", async () => {
    const blind: DrilledEnvironment["api"] = {
      ...environment.api,
      async cycle(signal) {
        const answer = await environment.api.cycle(signal);
        const verdict = { ...answer.verdicts["S-02"]!, status: "unknown" as const, reason: "redis: 500" };
        return { ...answer, verdicts: { ...answer.verdicts, "S-02": verdict } };
      },
    };
    expect(await drill([find("S-02")], { api: blind })).toMatchObject([
      { outcome: "failed", reason: "S-02 is unknown: redis: 500", took_hold: null },
    ]);
    const early: Fault = { ...find("S-02"), prepare: (agent) => find("S-02").provoke(agent) };
    const [proof] = await drill([early]);
    expect(proof!.reason).toBe(`before the fault, red already: S-02 of ${proof!.agent}`);
    await expectNothingLeft();
  });

  test("Ctrl-C in the middle: what was broken is cured, the rest is left out, and it is no success", async () => {
    const controller = new AbortController();
    const cured: string[] = [];
    const faults = ["S-02", "B-02", "R-01"].map((id): Fault => {
      const fault = find(id);
      return {
        ...fault,
        async seen(agent) {
          const seen = await fault.seen(agent);
          if (id === "B-02") controller.abort();
          return seen;
        },
        async cure(agent) {
          await fault.cure(agent);
          cured.push(id);
        },
      };
    });
    const proofs = await drill(faults, { signal: controller.signal });
    expect(proofs.map((p) => [p.invariant_id, p.outcome, p.reason])).toEqual([
      ["S-02", "proven", null],
      ["B-02", "failed", "interrupted"],
    ]);
    expect(cured).toEqual(["S-02", "B-02"]);
    expect(exitCodeOf(proofs, faults.length)).toBe(1);
    await expectNothingLeft();
    expect(await drill([find("B-02")])).toMatchObject([{ outcome: "proven" }]);
  });

  test.each<[string, string, (agent: TestAgent) => Promise<void>]>([
    ["E-01", "a run that is young", (agent) => agent.addRun(agent.id(1))],
    [
      "E-03",
      "a failed run that says when it ended",
      (agent) => agent.addRun(agent.id(1), { status: "failed" }),
    ],
    [
      "E-04",
      "a queued run with its task",
      (agent) => agent.addRun(agent.id(3), { status: "queued", session: null }),
    ],
    ["E-05", "a run that has its session", (agent) => agent.addRun(agent.id(1), { ageSeconds: 180 })],
    ["E-06", "a schedule that is on time", (agent) => agent.addSchedule(agent.id(1), -60)],
    ["G-03", "a run that ended after its start", (agent) => agent.addRun(agent.id(1), { status: "success" })],
    [
      "L-03",
      "an agent without runs",
      async (agent) => {
        await agent.settle();
        await agent.delist();
      },
    ],
    [
      "B-02",
      "sweeps that go on",
      async (agent) => {
        await agent.addRun(agent.id(1), { status: "queued", session: null });
        await agent.setDrainTick(600);
      },
    ],
  ])("%s: half a fault (%s) has not taken hold", async (id, _, provoke) => {
    const [proof] = await drill([{ ...find(id), provoke }]);
    expect(proof).toMatchObject({ outcome: "failed", reason: "the fault did not take hold" });
    await expectNothingLeft();
  });

  test("what is silenced is reported to nobody, and fails", async () => {
    const silenced: DrilledEnvironment["api"] = {
      ...environment.api,
      async cyclesSince(instant) {
        const cycles = await environment.api.cyclesSince(instant);
        return cycles.map((c) => ({
          ...c,
          transitions: c.transitions.map((t) => ({ ...t, silenced: true })),
        }));
      },
    };
    expect(await drill([find("S-02")], { api: silenced })).toMatchObject([
      { outcome: "failed", reason: "S-02 is silenced: nobody is notified" },
    ]);
  });

  test("a cure that fails once is tried again", async () => {
    let tries = 0;
    const shaky: Fault = {
      ...find("S-02"),
      async cure(agent) {
        tries += 1;
        if (tries === 1) throw new Error("the network was down");
        await find("S-02").cure(agent);
      },
    };
    expect(await drill([shaky])).toMatchObject([{ outcome: "proven" }]);
  });

  test("what could not be undone is said, beside what went wrong first", async () => {
    const [proof] = await drill([
      {
        ...find("S-02"),
        async seen() {
          throw new Error("the reading back broke");
        },
        async cure(agent) {
          await find("S-02").cure(agent);
          throw new Error("the cure broke");
        },
      },
    ]);
    expect(proof).toMatchObject({
      outcome: "failed",
      reason: "the reading back broke; the cure failed: the cure broke",
    });
    await expectNothingLeft();
  });

  test("a fault that has to last: no red at first, red after its minute, and recovered", async () => {
    const proofs = await lasting;
    expect(proofs.map((p) => [p.invariant_id, p.outcome, p.reason])).toEqual([["H-01", "proven", null]]);
    expect(proofs[0]!.observed_state).toMatchObject({
      known_agent_count: 0,
      evidence_sample: expect.arrayContaining([proofs[0]!.agent]),
    });
  });
});
