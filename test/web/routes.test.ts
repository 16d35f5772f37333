/** What the routes of the API share, and those of cycles. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { createApp } from "../../shared/web/app.ts";
import { CycleBetween, CycleSeries } from "../../shared/wire/schemas/cycles.ts";
import { DAY_MS, MINUTE_MS, type ScriptedCanary, slot, useCanaries } from "../support/cycle.ts";
import { slotsOf } from "../support/facts.ts";

const canaryOf = useCanaries();
const TOKEN = "correct-horse-battery-staple";

async function apiOf(given?: ScriptedCanary) {
  const canary = given ?? (await canaryOf());
  const app = createApp({
    canary: canary.deps,
    runCycle: (request) => runCycle(canary.deps, request),
    adminToken: TOKEN,
    logError: () => {},
  });
  const call = async (path: string, method = "GET") => {
    const response = await app.request(path, { method, headers: { authorization: `Bearer ${TOKEN}` } });
    const text = await response.text();
    // biome-ignore lint/suspicious/noExplicitAny: a test asks for fields that may not be there
    return { status: response.status, body: (text.startsWith("{") ? JSON.parse(text) : text) as any };
  };
  return { canary, call };
}

interface Operation {
  readonly operationId?: string;
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
}
const operationsIn = (paths: Record<string, Record<string, Operation>>) =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation })),
  );

describe("every route of the API, walked", () => {
  test("has a name of its own for generated clients, and the release's version stands over them", async () => {
    const { call } = await apiOf();
    const { body } = await call("http://canary.example.com/openapi.json");
    const operations = operationsIn(body.paths);
    const ids = operations.map(({ operationId }) => operationId);
    expect(operations.filter(({ operationId }) => !operationId)).toEqual([]);
    expect(new Set(ids).size).toBe(ids.length);
    const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
    expect(body.info.version).toBe(manifest.version);
    expect(body.servers).toEqual([{ url: "http://canary.example.com" }]);
  });

  test("refuses a query parameter that it does not have, and names those that it has", async () => {
    const { call } = await apiOf();
    const { body } = await call("/openapi.json");
    for (const { path, method, parameters = [] } of operationsIn(body.paths)) {
      if (path === "/healthz") continue;
      const address = path.replaceAll(/\{\w+\}/g, "20261123000001");
      const refused = await call(`${address}?agnet=ruby`, method.toUpperCase());
      const names = parameters.filter((p) => p.in === "query").map((p) => p.name);
      expect([path, refused.status, refused.body.code]).toEqual([path, 422, "invalid_request"]);
      expect(refused.body.detail).toMatch(/^unknown query parameter: agnet; /);
      for (const name of names) expect(refused.body.detail).toContain(name);
      if (names.length === 0) expect(refused.body.detail).toContain("takes none");
    }
    const both = await call("/api/canary/violations?agent=ruby&invariant=S-01&__proto__=1");
    expect(both.body.detail).toBe(
      "unknown query parameters: agent, invariant, __proto__; there are: cursor, end_time, invariant_id, limit, severity, start_time, subject, tier",
    );
  });

  test("a monitor may add what it likes to /healthz", async () => {
    const { canary, call } = await apiOf();
    await canary.cycle();
    expect((await call("/healthz?nocache=1")).status).toBe(200);
  });
});

describe("violations of one agent", () => {
  test("and of no other, also with an invariant", async () => {
    const { canary, call } = await apiOf();
    canary.set({ slots: slotsOf({ alpha: [slot("e-1")], beta: [slot("e-2")] }) });
    await canary.cycle();
    await canary.cycle();
    const subjects = async (query: string) =>
      (await call(`/api/canary/violations?${query}`)).body.violations.map(
        (v: { subject: string }) => v.subject,
      );
    expect(await subjects("subject=beta")).toEqual(["beta", "beta"]);
    expect(await subjects("subject=beta&invariant_id=S-01&limit=1")).toEqual(["beta"]);
    expect(await subjects("subject=gamma")).toEqual([]);
  });
});

describe("cycles", () => {
  test("one by its time, with the ones before and after it, over midnight and a gap", async () => {
    const { canary, call } = await apiOf();
    const times: string[] = [];
    for (const waitMs of [0, 5 * MINUTE_MS, 14 * 3_600_000, 3 * DAY_MS]) {
      canary.advance(waitMs);
      times.push((await canary.cycle()).snapshot_time);
    }
    for (const [i, time] of times.entries()) {
      const { status, body } = await call(`/api/canary/cycles/${time}`);
      expect(status).toBe(200);
      expect(CycleBetween.parse(body)).toEqual(body);
      expect([body.previous, body.cycle.snapshot_time, body.next]).toEqual([
        times[i - 1] ?? null,
        time,
        times[i + 1] ?? null,
      ]);
    }
    for (const time of ["yesterday", "2026-11-23T00:00:00.000Z"])
      expect((await call(`/api/canary/cycles/${time}`)).status).toBe(404);
  });

  test("as points of a plot: full cycles, with the count of subjects that were red after each", async () => {
    const { canary, call } = await apiOf();
    await canary.cycle();
    canary.set({ slots: slotsOf({ alpha: [slot("e-1"), slot("e-2")], beta: [slot("e-3")] }) });
    await canary.cycle();
    await canary.cycle("R-01");
    canary.set({ slots: slotsOf({ beta: [slot("e-3")] }) });
    await canary.cycle();
    const { body } = await call("/api/canary/cycles/series");
    expect(CycleSeries.parse(body)).toEqual(body);
    expect(body.points.map((p: { red_subjects: number }) => p.red_subjects)).toEqual([0, 2, 1]);
    expect(Object.keys(body.points[0].source_latency_ms).sort()).toEqual([
      "docker",
      "queue_counts",
      "redis",
      "sqlite",
    ]);
    const long = await call("/api/canary/cycles/series?start_time=2026-09-01");
    expect([long.status, long.body.detail]).toEqual([422, "start_time: give at most 31 days"]);
  });
});
