/** Faults that have to last before they count. They wait on this machine's clock, as an operator's drill does. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { runDrill } from "../../../infra/drill/drill.ts";
import type { DrilledEnvironment } from "../../../infra/drill/environment.ts";
import { openLocal } from "../../../infra/drill/local.ts";
import { FAULTS } from "../../../infra/faults/index.ts";
import { describeLive } from "../../support/live.ts";

const LASTING = FAULTS.filter(({ holdSeconds }) => holdSeconds !== undefined);

describeLive(["redis-server"], "a drill on this machine", () => {
  let environment: DrilledEnvironment;
  beforeAll(async () => {
    environment = await openLocal({ dockerHost: "unix:///nowhere/docker.sock", confirmAfterMs: 60 });
  }, 60_000);
  afterAll(() => environment?.close());

  test("proves a fault that has to last: no red at first, red after it, and recovered", async () => {
    const signal = new AbortController().signal;
    const proofs = await runDrill({ ...environment, faults: LASTING, signal, onProof() {} });
    expect(proofs.map((p) => [p.invariant_id, p.outcome, p.reason])).toEqual([["H-01", "proven", null]]);
    expect(proofs[0]!.observed_state).toMatchObject({
      known_agent_count: 0,
      evidence_sample: [proofs[0]!.agent],
    });
  }, 300_000);
});
