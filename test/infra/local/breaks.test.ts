/** `canary break` and `canary cure` on the environment of `npm start`: every fault that can be had without Docker. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { FAULTS } from "../../../infra/faults/index.ts";
import type { Broken } from "../../../infra/local/breaks.ts";
import { type LocalEnvironment, startEnvironment } from "../../../infra/local/environment.ts";
import { OFF_BY_DEFAULT } from "../../../shared/invariants/index.ts";
import type { CycleReport } from "../../../shared/wire/schemas.ts";

const NO_DOCKER = "unix:///nowhere/docker.sock";
const NEEDS_CONTAINERS = ["no workers", "zombie"];
const HERE = FAULTS.filter(({ name }) => !NEEDS_CONTAINERS.includes(name));

let environment: LocalEnvironment;
const messages: string[] = [];
beforeAll(async () => {
  environment = await startEnvironment({
    port: 0,
    dockerHost: NO_DOCKER,
    variables: { CHECKS_ON: OFF_BY_DEFAULT.join(",") },
    confirmAfterMs: 50,
    isLively: true,
    printMessage: (text) => messages.push(text),
  });
}, 60_000);
afterAll(() => environment?.close());

async function cycle(): Promise<CycleReport> {
  const outcome = await environment.runCycle({ trigger: "http" });
  if (outcome.kind !== "done") throw new Error(`the cycle is ${outcome.kind}`);
  return outcome.report;
}
const redOf = ({ violations }: CycleReport) =>
  [...new Set(violations.map((v) => `${v.invariant_id} ${v.subject}`))].sort();
const itemOf = ({ fault, agent }: Broken) => `${fault.invariantId} ${fault.subject?.(agent) ?? agent.name}`;

test("the fleet is healthy, and green is never for want of something to look at", async () => {
  const { verdicts } = await cycle();
  const seen = Object.entries(verdicts).map(([id, { status, checked }]) => [id, status, checked > 0]);
  const isContainers = (id: unknown) => id === "R-01" || id === "B-08";
  expect(seen.filter(([id]) => !isContainers(id))).toEqual(
    seen.filter(([id]) => !isContainers(id)).map(([id]) => [id, "green", true]),
  );
});

test("every fault that needs no container: broken, red for what was done and nothing else, cured, recovered", async () => {
  const { breaks } = environment;
  expect(breaks.list().flatMap(({ fault, obstacle }) => (obstacle === null ? [fault] : []))).toEqual(HERE);
  for (const fault of HERE) {
    const broken = await breaks.break(fault.invariantId, fault.name);
    const red = redOf(await cycle());
    // What has to last is not red at once; the drill waits for it.
    expect([fault.name, red]).toEqual([fault.name, fault.holdSeconds ? [] : [itemOf(broken)]]);
    expect(await breaks.cure(fault.invariantId)).toMatchObject({ fault });
    const after = await cycle();
    expect([fault.name, redOf(after)]).toEqual([fault.name, []]);
    expect(after.recoveries.map((r) => r.invariant_id)).toEqual(fault.holdSeconds ? [] : [fault.invariantId]);
    expect(after.verdicts[fault.invariantId]!.status).toBe("green");
  }
}, 120_000);
