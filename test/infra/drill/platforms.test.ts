/**
 * The drill on other platforms than today's on SQLite: that of the first release lacks columns, and its slots are made in
 * three commands; that of a hosted installation keeps its rows in PostgreSQL.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { runDrill } from "../../../infra/drill/drill.ts";
import type { DrilledEnvironment } from "../../../infra/drill/environment.ts";
import { openLocal } from "../../../infra/drill/local.ts";
import { FAULTS } from "../../../infra/faults/index.ts";
import { describeLive } from "../../support/live.ts";

const FAULTS_AT_ONCE = FAULTS.filter(({ holdSeconds }) => holdSeconds === undefined);

describeLive(["redis-server"], "a drill on the release seed", () => drills({ release: "seed" }));
describeLive(["redis-server", "postgres"], "a drill on PostgreSQL", () => drills({ database: "postgres" }));

function drills(options: Pick<Parameters<typeof openLocal>[0], "release" | "database">) {
  let environment: DrilledEnvironment;
  beforeAll(async () => {
    environment = await openLocal({
      ...options,
      dockerHost: "unix:///nowhere/docker.sock",
      confirmAfterMs: 60,
    });
  });
  afterAll(() => environment?.close());

  test("proves every fault that needs no container", async () => {
    const signal = new AbortController().signal;
    const proofs = await runDrill({ ...environment, faults: FAULTS_AT_ONCE, signal, onProof() {} });
    const needsDocker = ({ obstacle }: (typeof FAULTS)[number]) =>
      obstacle?.({ ...environment.target, docker: { absent: "none" } }) === "none";
    expect(proofs.map((p) => [p.invariant_id, p.outcome])).toEqual(
      FAULTS_AT_ONCE.map((fault) => [fault.invariantId, needsDocker(fault) ? "impossible" : "proven"]),
    );
  });
}
