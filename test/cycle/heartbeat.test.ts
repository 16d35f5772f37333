/** The watcher outside of the account: it is asked after each full cycle, and never keeps one from its work. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { failAddress } from "../../shared/cycle/heartbeat.ts";
import type { CycleOutcome } from "../../shared/cycle/outcome.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { loadConfig } from "../../shared/variables.ts";
import { type ScriptedCanary, useCanaries } from "../support/cycle.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";

const canaryWith = useCanaries();
let watcher: Receiver;
beforeEach(async () => {
  watcher = await startReceiver();
  watcher.answer = 200;
});
afterEach(() => watcher.close());

/** A canary whose watcher is at `/ping/secret-uuid`. */
async function watched(): Promise<ScriptedCanary> {
  const canary = await canaryWith();
  const { alerts } = canary.deps;
  const heartbeatUrl = `${watcher.address}/ping/secret-uuid?a=1`;
  Object.assign(canary.deps, { alerts: { ...alerts, heartbeatUrl } });
  return canary;
}
const asked = () => watcher.received.map(({ path }) => path);
const linesOf = (outcome: CycleOutcome) =>
  outcome.kind === "busy"
    ? []
    : outcome.report.sources_unavailable.filter((line) => line.startsWith("heartbeat"));

describe("the watcher", () => {
  test("is asked once after each full cycle, and not after a cycle of some invariants", async () => {
    const canary = await watched();
    await canary.cycle();
    await canary.cycle("S-01");
    await canary.cycle();
    expect(asked()).toEqual(["/ping/secret-uuid?a=1", "/ping/secret-uuid?a=1"]);
  });

  test("hears of a cycle whose state can't be read or written", async () => {
    const canary = await watched();
    canary.stateFails("lease.acquire");
    await canary.statelessCycle();
    canary.stateRecovers();
    canary.stateFails("lease.commit");
    await canary.statelessCycle();
    expect(asked()).toEqual(["/ping/secret-uuid/fail?a=1", "/ping/secret-uuid/fail?a=1"]);
  });

  test("does not hold the lease of a cycle that did not count", async () => {
    const canary = await watched();
    const { lease } = canary.deps.store;
    const askedAtRelease: number[] = [];
    const release = lease.release.bind(lease);
    const watching = {
      ...lease,
      acquire: lease.acquire.bind(lease),
      commit: () => Promise.reject(new Error("no")),
      release: (owner: string) => {
        askedAtRelease.push(asked().length);
        return release(owner);
      },
    };
    Object.assign(canary.deps, { store: { ...canary.deps.store, lease: watching } });
    await runCycle(canary.deps, { trigger: "schedule" });
    expect([askedAtRelease, asked().length]).toEqual([[0], 1]);
  });

  test("hears of a cycle that judged nothing", async () => {
    const canary = await watched();
    for (const source of ["sqlite", "redis", "docker"] as const)
      canary.when(source, () => Promise.reject(new Error("down")));
    await canary.cycle();
    expect(asked()).toEqual(["/ping/secret-uuid/fail?a=1"]);
  });

  test("is asked once more where it fails, and then it is one line without the address", async () => {
    const canary = await watched();
    watcher.answer = 503;
    const outcome = await canary.run();
    expect(outcome.kind).toBe("done");
    expect(asked()).toHaveLength(2);
    expect(linesOf(outcome)).toEqual(["heartbeat: HTTP 503"]);
    watcher.answer = "resets";
    expect(linesOf(await canary.run())).toEqual([expect.stringMatching(/^heartbeat: \w+$/)]);
    // It is no source: nothing is blind by it.
    expect((await canary.memory()).blindSources).toEqual({});
  });

  test("that never answers costs some seconds, and no more than the caller has", async () => {
    const canary = await watched();
    watcher.answer = "hangs";
    const outcome = await runCycle(canary.deps, { trigger: "schedule", timeLeftMs: () => 2_500 });
    expect(linesOf(outcome)).toEqual([expect.stringMatching(/^heartbeat: no answer within \d+ ms$/)]);
    expect(asked()).toHaveLength(1);
  });

  test.each(["https://host:99999/", "https://<your-host>/x"])(
    "at %s fails no cycle",
    async (heartbeatUrl) => {
      const canary = await canaryWith();
      Object.assign(canary.deps, { alerts: { ...canary.deps.alerts, heartbeatUrl } });
      canary.stateFails("lease.acquire");
      expect(linesOf(await runCycle(canary.deps, { trigger: "schedule" }))).toEqual([
        "heartbeat: ERR_INVALID_URL",
      ]);
    },
  );

  test("has an address that is a secret", () => {
    const address = "https://hc-ping.com/secret-uuid";
    const { secrets, alerts } = loadConfig({ HEARTBEAT_URL: address });
    expect(alerts.heartbeatUrl).toBe(address);
    expect(secrets).toContain(address);
    expect(() => loadConfig({ HEARTBEAT_URL: "hc-ping.com/secret-uuid" })).not.toThrow("secret-uuid");
    expect(failAddress(`${address}/`)).toBe(`${address}/fail`);
  });
});
