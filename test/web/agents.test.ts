/** The routes of episodes and agents. */
import { describe, expect, test } from "vitest";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { createApp } from "../../shared/web/app.ts";
import { AgentSchema, AgentsPage } from "../../shared/wire/schemas/agents.ts";
import { EpisodeSchema, EpisodesPage } from "../../shared/wire/schemas/episodes.ts";
import { live, runningRow, type ScriptedCanary, slot, useCanaries } from "../support/cycle.ts";
import { rosterOf, slotsOf } from "../support/facts.ts";

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
  const get = async (path: string) => {
    const response = await app.request(path, { headers: { authorization: `Bearer ${TOKEN}` } });
    // biome-ignore lint/suspicious/noExplicitAny: a test asks for fields that may not be there
    return { status: response.status, body: (await response.json()) as any };
  };
  return { canary, get };
}

const agents = (...names: string[]) => ({
  roster: rosterOf(
    Object.fromEntries(names.map((n) => [n, { executionTimeoutSeconds: 7 * 86_400, maxParallelTasks: 3 }])),
  ),
});
const leakOf = (...names: string[]) => ({
  slots: slotsOf(Object.fromEntries(names.map((name) => [name, [slot(`slot of ${name}`)]]))),
});

/** Names that mean something to JavaScript, to an address or to a shell. */
const HOSTILE = [
  "constructor",
  "__proto__",
  "a/b",
  "100%",
  "%2F",
  "ruby?x=1#y",
  "$(rm -rf /)",
  'it\'s "quoted"',
  "line\nbreak",
  "ünï 🦊",
  "x".repeat(1_000),
];

describe("episodes over HTTP", () => {
  test("by invariant, by agent, open only, one by its id, page by page", async () => {
    const { canary, get } = await apiOf();
    canary.set(leakOf("alpha", "beta"));
    await canary.cycle();
    canary.set(leakOf("beta"));
    await canary.cycle();
    const all = await get("/api/canary/episodes");
    expect(all.status).toBe(200);
    expect(EpisodesPage.parse(all.body)).toEqual(all.body);
    expect(all.body.episodes).toHaveLength(2);
    const only = async (query: string) => (await get(`/api/canary/episodes?${query}`)).body.episodes;
    expect((await only("open=true")).map((e: { subject: string }) => e.subject)).toEqual(["beta"]);
    const [alpha] = await only("subject=alpha");
    expect(alpha).toMatchObject({ subject: "alpha", ended: "recovered", cycles: 1 });
    expect(await only("subject=alpha&invariant_id=S-02")).toEqual([]);
    expect(await only("subject=alpha&invariant_id=S-01")).toEqual([alpha]);
    expect(await only("invariant_id=E-05")).toEqual([]);
    const one = await get(`/api/canary/episodes/${alpha.id}`);
    expect(EpisodeSchema.parse(one.body)).toEqual(alpha);
    const first = (await get("/api/canary/episodes?limit=1")).body;
    const second = (await get(`/api/canary/episodes?limit=1&cursor=${first.next_cursor}`)).body;
    expect([...first.episodes, ...second.episodes]).toEqual(all.body.episodes);
    expect(second.next_cursor).toBeNull();
  });

  test("bad requests: 422 and 404 that say what to give", async () => {
    const { get } = await apiOf();
    for (const query of [
      "open=yes",
      "subject=",
      "invariant_id=S-99",
      "limit=0",
      "cursor=x",
      "start_time=now",
    ])
      expect([query, (await get(`/api/canary/episodes?${query}`)).status]).toEqual([query, 422]);
    for (const id of [
      "x",
      "S-02-20261123T103000123Z-0f1e2d3c4b5a6978",
      "S-02-20269923T103000123Z-0f1e2d3c4b5a6978",
    ])
      expect((await get(`/api/canary/episodes/${id}`)).status).toBe(404);
  });
});

describe("agents over HTTP", () => {
  test("the roster as last seen, what is red first", async () => {
    const { canary, get } = await apiOf();
    expect((await get("/api/canary/agents")).body).toEqual({
      seen_at: null,
      unread: [],
      agents: [],
      left_out: 0,
    });
    canary.set({
      ...agents("alpha", "beta"),
      slots: slotsOf({ beta: [slot("leaked"), slot("e-1")] }),
      executions: live(runningRow("e-1", "beta"), runningRow("q-1", "beta", { status: "queued" })),
      sessions: new Set(["e-1"]),
    });
    const report = await canary.cycle();
    const { body } = await get("/api/canary/agents");
    expect(AgentsPage.parse(body)).toEqual(body);
    expect(body.seen_at).toBe(report.snapshot_time);
    expect(body.agents.map((a: { name: string }) => a.name)).toEqual(["beta", "alpha"]);
    const [beta] = body.agents;
    expect(beta).toMatchObject({
      on_roster: true,
      max_parallel_tasks: 3,
      slots_used: 2,
      running: 1,
      queued: 1,
      red: expect.arrayContaining([expect.objectContaining({ invariant_id: "S-01", cycles: 1 })]),
    });
    const one = (await get("/api/canary/agents/beta")).body;
    expect(AgentSchema.parse(one)).toEqual(one);
    expect(one.slots.map((s: { id: string }) => s.id).sort()).toEqual(["e-1", "leaked"]);
    expect(one.rows.map((r: { id: string }) => r.id)).toEqual(["e-1", "q-1"]);
    const red = one.red.find((r: { invariant_id: string }) => r.invariant_id === "S-01");
    expect(red.state.in_redis_only).toEqual(["leaked"]);
    expect(red.words).toContain("leaked");
    expect((await get(`/api/canary/episodes/${red.episode_id}`)).body.subject).toBe("beta");
    expect((await get("/api/canary/agents/gamma")).status).toBe(404);
  });

  test("an agent that is gone is found by its episodes", async () => {
    const { canary, get } = await apiOf();
    canary.set({ ...agents("alpha", "beta"), ...leakOf("beta") });
    await canary.cycle();
    canary.set({ ...agents("alpha"), ...leakOf() });
    await canary.cycle();
    expect((await get("/api/canary/agents/beta")).body).toMatchObject({ on_roster: false, red: [] });
    expect((await get("/api/canary/episodes?subject=beta&invariant_id=S-01")).body.episodes[0].ended).toBe(
      "gone",
    );
  });

  test("hostile names are names like any other, in every route", async () => {
    const { canary, get } = await apiOf();
    canary.set({ ...agents(...HOSTILE), ...leakOf(...HOSTILE) });
    await canary.cycle();
    for (const name of HOSTILE) {
      const one = await get(`/api/canary/agents/${encodeURIComponent(name)}`);
      expect([name, one.status, one.body.name, one.body.slots?.length]).toEqual([name, 200, name, 1]);
      expect(one.body.red[0].state.in_redis_only).toEqual([`slot of ${name}`]);
      const { body } = await get(`/api/canary/episodes?${new URLSearchParams({ subject: name })}`);
      expect(body.episodes.map((e: { subject: string }) => e.subject)).toEqual([name]);
      expect((await get(`/api/canary/episodes/${body.episodes[0].id}`)).body).toEqual(body.episodes[0]);
    }
    for (const name of ["toString", "hasOwnProperty", "x".repeat(1_001)])
      expect((await get(`/api/canary/agents/${name}`)).status).toBe(404);
  });
});
