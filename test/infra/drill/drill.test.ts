/** The drill on this machine: every alarm proven, and a drill that fails where it has to. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type DrillOptions, exitCodeOf, faultsOf, type Proof, runDrill } from "../../../infra/drill/drill.ts";
import { openLocal } from "../../../infra/drill/local.ts";
import type { Place } from "../../../infra/drill/place.ts";
import { present, type Scene } from "../../../infra/drill/scene.ts";
import type { Fault } from "../../../infra/faults/fault.ts";
import { FAULTS } from "../../../infra/faults/index.ts";
import { INVARIANTS } from "../../../shared/invariants/index.ts";
import { type Dockerd, startDockerd } from "../../support/dockerd.ts";
import { describeLive } from "../../support/live.ts";

const IDS = INVARIANTS.map(({ id }) => id);
const nothing = async () => {};

test("there is a fault for every invariant, in their order", () => {
  expect(FAULTS.map(({ invariantId }) => invariantId)).toEqual(IDS);
});

test("an invariant that there is not is named, with those that there are", () => {
  expect(() => faultsOf(FAULTS, ["S-02", "X-99"])).toThrow(
    `there is no invariant X-99; there are ${IDS.join(", ")}`,
  );
  expect(faultsOf(FAULTS, ["B-02", "S-02"]).map(({ invariantId }) => invariantId)).toEqual(["S-02", "B-02"]);
});

describeLive(["redis-server", "dockerd"], "a drill on this machine", () => {
  let dockerd: Dockerd;
  let place: Place;
  beforeAll(async () => {
    dockerd = await startDockerd();
    place = await openLocal({ dockerHost: dockerd.socket, confirmAfterMs: 60 });
  }, 120_000);
  afterAll(async () => {
    await place?.close();
    await dockerd?.close();
  }, 60_000);

  async function drill(faults: readonly Fault[], options: Partial<DrillOptions> = {}): Promise<Proof[]> {
    const signal = new AbortController().signal;
    return runDrill({ ...place, faults, signal, onProof() {}, ...options });
  }
  const find = (id: string) => FAULTS.find(({ invariantId }) => invariantId === id)!;

  /** Whatever became of a drill, nothing of it is left. */
  async function expectNothingLeft() {
    const { database, redis } = place.ground;
    if ("absent" in database || "absent" in redis) throw new Error("the platform is not there");
    for (const table of ["agent_ownership", "schedule_executions"])
      expect(await database.read(`SELECT * FROM ${table} WHERE agent_name LIKE 'canary-drill-%'`)).toEqual(
        [],
      );
    expect(await redis.keys("agent:slot*canary-drill-*")).toEqual([]);
    expect(await dockerd.docker("ps", "-a", "--format", "{{.Names}}")).not.toContain("canary-drill");
  }

  test("ten of ten are proven: red once with what was done, red again untold, recovered", async () => {
    const proofs = await drill(FAULTS);
    expect(proofs.map((p) => [p.invariant_id, p.outcome, p.reason])).toEqual(
      IDS.map((id) => [id, "proven", null]),
    );
    for (const { agent, observed_state, signal_query, took_hold, cycle_ms } of proofs) {
      expect(JSON.stringify(observed_state)).toContain(agent);
      expect(signal_query).toContain(agent);
      expect(took_hold).not.toBeNull();
      expect(Object.values(cycle_ms)).not.toContain(null);
    }
    expect(exitCodeOf(proofs, FAULTS.length)).toBe(0);
    await expectNothingLeft();
  }, 60_000);

  test.each(IDS)(
    "%s: a fault that is left out fails the drill",
    async (id) => {
      const [proof] = await drill([{ ...find(id), provoke: nothing }]);
      expect(proof).toMatchObject({ outcome: "failed", reason: "the fault did not take hold" });
      expect(exitCodeOf([proof!], 1)).toBe(1);
      await expectNothingLeft();
    },
    20_000,
  );

  test.each(IDS)(
    "%s: where nobody looks whether it took hold, the canary's green fails the drill",
    async (id) => {
      const [proof] = await drill([{ ...find(id), provoke: nothing, seen: async () => "nobody looked" }]);
      expect(proof).toMatchObject({
        outcome: "failed",
        reason: `expected red: ${id} of ${proof!.agent}; red is nothing`,
      });
    },
  );

  test.each(IDS.filter((id) => id !== "B-02"))(
    "%s: a cure that is left out fails the drill",
    async (id) => {
      const [proof] = await drill([{ ...find(id), cure: nothing }]);
      expect(proof!.outcome).toBe("failed");
      expect(proof!.reason).toMatch(/^after the cure, still red: /);
      await expectNothingLeft();
      const { levers } = place.ground;
      if ("absent" in levers) throw new Error(levers.absent);
      if (id === "B-02") await levers.resumeSweeps();
      // It was removed with its agent: the next drill finds a green canary.
      expect(await drill([find(id)])).toMatchObject([{ outcome: "proven" }]);
    },
    20_000,
  );

  test("a fault that breaks more than its invariant is not exact, and fails", async () => {
    const leaky: Fault = {
      ...find("S-02"),
      async provoke(scene) {
        for (const n of [1, 2, 3]) await scene.addSlot(scene.id(n));
      },
    };
    const [proof] = await drill([leaky]);
    const { agent } = proof!;
    expect(proof!.reason).toBe(`expected red: S-02 of ${agent}; red is S-01 of ${agent}, S-02 of ${agent}`);
  });

  test("another observed_state than was expected fails, naming the field", async () => {
    const [proof] = await drill([{ ...find("S-02"), expected: () => ({ overbooked_by: 2, slot_count: 3 }) }]);
    expect(proof).toMatchObject({ outcome: "failed", reason: "observed_state: overbooked_by is 1" });
  });

  test("a canary that tells a red twice, or never, fails", async () => {
    const told = (times: number): Place["api"] => ({
      ...place.api,
      async cyclesSince(instant) {
        const cycles = await place.api.cyclesSince(instant);
        return cycles.map((c) => ({ ...c, transitions: c.transitions.flatMap((t) => Array(times).fill(t)) }));
      },
    });
    for (const times of [0, 2]) {
      const [proof] = await drill([find("S-02")], { api: told(times) });
      expect(proof!.reason).toBe(`there were ${times} transitions to red`);
    }
  });

  test("a canary that is blind, or busy with something red already, proves nothing", async () => {
    const blind: Place["api"] = {
      ...place.api,
      async cycle(signal) {
        const answer = await place.api.cycle(signal);
        const verdict = { ...answer.verdicts["S-02"]!, status: "unknown" as const, reason: "redis: 500" };
        return { ...answer, verdicts: { ...answer.verdicts, "S-02": verdict } };
      },
    };
    expect(await drill([find("S-02")], { api: blind })).toMatchObject([
      { outcome: "failed", reason: "S-02 is unknown: redis: 500", took_hold: null },
    ]);
    const early: Fault = { ...find("S-02"), prepare: (scene) => find("S-02").provoke(scene) };
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
        async seen(scene) {
          const seen = await fault.seen(scene);
          if (id === "B-02") controller.abort();
          return seen;
        },
        async cure(scene) {
          await fault.cure(scene);
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

  test.each<[string, string, (scene: Scene) => Promise<void>]>([
    ["E-01", "a run that is young", (scene) => scene.addRun({ id: scene.id(1) })],
    ["E-05", "a run that has its session", (scene) => scene.addRun({ id: scene.id(1), ageSeconds: 180 })],
    [
      "L-03",
      "an agent without rows",
      async (scene) => {
        await scene.removeRun(scene.id(1));
        await scene.delist();
      },
    ],
    [
      "B-02",
      "sweeps that go on",
      async (scene) => {
        await scene.addRun({ id: scene.id(1), status: "queued", session: null });
        await present(scene.ground.redis).set("canary:drain_tick_at", String(Date.now() / 1000 - 600));
      },
    ],
  ])("%s: half a fault (%s) has not taken hold", async (id, _, provoke) => {
    const [proof] = await drill([{ ...find(id), provoke }]);
    expect(proof).toMatchObject({ outcome: "failed", reason: "the fault did not take hold" });
    await expectNothingLeft();
  });

  test("what is silenced is told to nobody, and fails", async () => {
    const silenced: Place["api"] = {
      ...place.api,
      async cyclesSince(instant) {
        const cycles = await place.api.cyclesSince(instant);
        return cycles.map((c) => ({
          ...c,
          transitions: c.transitions.map((t) => ({ ...t, silenced: true })),
        }));
      },
    };
    expect(await drill([find("S-02")], { api: silenced })).toMatchObject([
      { outcome: "failed", reason: "S-02 is silenced: nobody is told" },
    ]);
  });

  test("a cure that fails once is tried again", async () => {
    let tries = 0;
    const shaky: Fault = {
      ...find("S-02"),
      async cure(scene) {
        tries += 1;
        if (tries === 1) throw new Error("the network was down");
        await find("S-02").cure(scene);
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
        async cure(scene) {
          await find("S-02").cure(scene);
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
});
