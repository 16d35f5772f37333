/** A statement to type is for the database that the canary reads: in alerts, on pages, over the API, in tools and in a shell. */
import { expect, test } from "vitest";
import type { Alert } from "../../shared/alerts/alert.ts";
import { backendOf } from "../../shared/cycle/memory.ts";
import type { Backend } from "../../shared/invariants/commands.ts";
import { oneByOne } from "../support/alert.ts";
import { runHere } from "../support/cli.ts";
import { live, memoryAt, runningRow, START_MS, useCanaries } from "../support/cycle.ts";
import { rosterOf } from "../support/facts.ts";
import { pageBrowsers, TOKEN } from "../support/page-browser.ts";
import { useServedCanaries } from "../support/served-canary.ts";

const canaryOf = useCanaries();
const served = useServedCanaries();
const { signedIn } = pageBrowsers(canaryOf);
const AUTH = { authorization: `Bearer ${TOKEN}` };
const ENDLESS = {
  roster: rosterOf({ alpha: { executionTimeoutSeconds: 3600 } }),
  executions: live(runningRow("e-1", "alpha", { startedAtMs: START_MS - 3 * 3_600_000 })),
};

/** A canary whose variables name that database, with the app in front of it. */
async function canaryOn(backend: Backend | null) {
  const canary = await canaryOf();
  const alerts: Alert[] = [];
  const senders = { slack: oneByOne(async (alert) => void alerts.push(alert)) };
  Object.assign(canary.deps, { backend, alerts: { ...canary.deps.alerts, senders } });
  const { app, ask } = await signedIn({ canary });
  const page = async (path: string) => (await ask(path, { headers: AUTH })).text;
  const get = async (path: string) => JSON.parse(await page(path));
  const explain = async (input: object): Promise<string> => {
    const headers = {
      ...AUTH,
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
    };
    const params = { name: "explain", arguments: { invariant_id: "E-01", ...input } };
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params });
    return (await app.request("/mcp", { method: "POST", headers, body })).text();
  };
  return { canary, alerts, page, get, explain };
}

const programsIn = (text: string) =>
  new Set([...text.matchAll(/\b(sqlite3 -cmd|psql -X)/g)].map(([, name]) => name));

test.each([
  ["sqlite", "sqlite3 -cmd"],
  ["postgres", "psql -X"],
] as const)("a run that does not end, on %s", async (backend, program) => {
  const { canary, alerts, page, get, explain } = await canaryOn(backend);
  canary.set(ENDLESS);
  await canary.cycle();
  const alert = alerts.find(({ invariantId }) => invariantId === "E-01")!;
  const agent = await get("/api/canary/agents/alpha");
  const texts = {
    alert: [...alert.verify, ...alert.fix].join("\n"),
    agent: JSON.stringify(agent),
    "page of the agent": await page("/agents/alpha"),
    "page of the invariant": await page("/invariants/E-01"),
    "page of an invariant that is green": await page("/invariants/L-03"),
    "tool, with a name": await explain({ subject: "alpha" }),
    "tool, without": await explain({}),
  };
  for (const [place, text] of Object.entries(texts))
    expect([place, programsIn(text)]).toEqual([place, new Set([program])]);
  expect((await get("/api/canary/status")).database).toBe(backend);

  // It is over, and the operator asks what it was.
  canary.set({ executions: live() });
  await canary.cycle();
  const env = await served({ ...canary.deps, now: Date.now });
  const { out } = await runHere(env, ["explain", "E-01", "--subject", "alpha"]);
  expect(out).toContain("alpha is not red now; it was");
  expect(programsIn(out)).toEqual(new Set([program]));
});

test("where nobody has asked a canary, a statement is there for both, and says which is which", async () => {
  const { out } = await runHere({}, ["explain", "E-01"]);
  expect(out).toMatch(/# on SQLite\n +sqlite3 -cmd[^#]*# on PostgreSQL\n +psql -X/);
  const { page, explain } = await canaryOn("postgres");
  for (const text of [await page("/invariants/E-01"), await explain({})])
    expect(programsIn(text).size).toBe(2);
});

test("a canary of an older version has read SQLite, and says nothing of it", () => {
  const { database: _, ...lastFullCycle } = memoryAt(START_MS).lastFullCycle!;
  expect(backendOf({ lastFullCycle })).toBe("sqlite");
  expect(backendOf({ lastFullCycle: { ...lastFullCycle, database: null } })).toBeNull();
  expect(backendOf({ lastFullCycle: null })).toBeNull();
});
