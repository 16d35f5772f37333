import { describe, expect, test } from "vitest";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import { createApp } from "../../shared/web/app.ts";
import { CycleNotRun } from "../../shared/web/cycles.ts";
import { CycleResponse } from "../../shared/wire/schemas/cycles.ts";
import {
  container,
  DAY_MS,
  HOUR_MS,
  live,
  MINUTE_MS,
  runningRow,
  type ScriptedCanary,
  type StateCall,
  slot,
  useCanaries,
} from "../support/cycle.ts";
import { slotsOf, zombiesOf } from "../support/facts.ts";
import { idsOffWithout } from "../support/registry.ts";

const canaryOf = useCanaries();
const TOKEN = "correct-horse-battery-staple";
const RUN = "/api/canary/run-cycle";
const VIOLATIONS = "/api/canary/violations";
const LEAKED = { slots: slotsOf({ alpha: [slot("e-1")] }) };

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: a test asks for fields that may not be there
  readonly body: any;
}

/** An API over a scripted canary. */
async function apiOf(canary?: ScriptedCanary) {
  const scripted = canary ?? (await canaryOf());
  const logged: string[] = [];
  const app = createApp({
    canary: scripted.deps,
    runCycle: (request) => runCycle(scripted.deps, request),
    adminToken: TOKEN,
    logError: (line) => logged.push(line),
  });
  const call = async (path: string, init: RequestInit = {}): Promise<Answer> => {
    const headers = { authorization: `Bearer ${TOKEN}`, ...init.headers };
    const response = await app.request(path, { ...init, headers });
    return { status: response.status, headers: response.headers, body: await response.json() };
  };
  const get = (path: string, query: Record<string, string> = {}) =>
    call(Object.keys(query).length > 0 ? `${path}?${new URLSearchParams(query)}` : path);
  const post = (body?: unknown) =>
    call(RUN, { method: "POST", ...(body !== undefined && { body: JSON.stringify(body) }) });
  return { app, canary: scripted, logged, call, get, post };
}

/** The exact shape of every error. */
function expectError({ status, body, headers }: Answer, expected: number, code: string, detail: RegExp) {
  expect(status).toBe(expected);
  expect(body).toEqual({
    detail: expect.stringMatching(detail),
    code,
    request_id: headers.get("x-request-id"),
  });
  expect(body.request_id).toMatch(/\S{8,}/);
}

/** Without pages, which redirect unknown viewers to the sign-in: test/web/page.test.ts covers them. */
const isOfApi = ({ method, path }: { method: string; path: string }) =>
  method !== "ALL" && /^\/(api\/|openapi\.json$|healthz$|metrics$)/.test(path);

test("a cycle of another function whose outcome is not known: the reason, and when to try again", async () => {
  const { deps } = await canaryOf();
  const logged: string[] = [];
  const fails: CycleNotRun[] = [
    new CycleNotRun(503, "cycle_throttled", "no cycle was started; try again", 10),
    new CycleNotRun(504, "cycle_unanswered", "the cycle function did not answer in time"),
  ];
  const app = createApp({
    canary: deps,
    runCycle: () => Promise.reject(fails.shift()),
    adminToken: TOKEN,
    logError: (line) => logged.push(line),
  });
  const post = async () => {
    const response = await app.request(RUN, {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    return { status: response.status, headers: response.headers, body: await response.json() };
  };
  const throttled = await post();
  expectError(throttled, 503, "cycle_throttled", /no cycle was started/);
  expect(throttled.headers.get("retry-after")).toBe("10");
  const late = await post();
  expectError(late, 504, "cycle_unanswered", /did not answer in time/);
  expect(late.headers.get("retry-after")).toBeNull();
  expect(logged).toHaveLength(2);
});

describe("nothing is open but /healthz", () => {
  const routesOf = async () => {
    const { app, call } = await apiOf();
    const routes = app.routes
      .filter(isOfApi)
      .map(({ method, path }) => ({ method, path: path.replace(/:\w+/g, "20261123000001") }));
    return { routes, call };
  };

  test("every route, walked: 401 without a token, with a wrong one, with an empty one", async () => {
    const { routes, call } = await routesOf();
    expect(routes.length).toBeGreaterThanOrEqual(11);
    const attempts: Record<string, string>[] = [
      { authorization: "" },
      { authorization: "Bearer" },
      { authorization: "Bearer " },
      { authorization: "Bearer wrong" },
      { authorization: `Bearer ${TOKEN}x` },
      { authorization: `Bearer ${TOKEN.slice(0, -1)}` },
      { authorization: `Bearer ${TOKEN} ${TOKEN}` },
      { authorization: `Basic ${TOKEN}` },
      { authorization: TOKEN },
      { authorization: "Bearer undefined" },
    ];
    for (const { method, path } of routes.filter((r) => r.path !== "/healthz"))
      for (const headers of attempts) {
        const answer = await call(path, { method, headers });
        expect([method, path, headers.authorization, answer.status]).toEqual([
          method,
          path,
          headers.authorization,
          401,
        ]);
        expectError(answer, 401, "unauthorized", /Authorization: Bearer/);
        expect(answer.headers.get("www-authenticate")).toBe("Bearer");
      }
  });

  test("a stranger learns nothing of which paths there are", async () => {
    const { call } = await apiOf();
    expect((await call("/api/nothing", { headers: { authorization: "" } })).status).toBe(401);
    expect((await call("/healthz/x", { headers: { authorization: "" } })).status).toBe(401);
    expect((await call("//healthz", { headers: { authorization: "" } })).status).toBe(401);
  });

  test("/healthz answers without a token", async () => {
    const { call } = await apiOf();
    expect((await call("/healthz", { headers: { authorization: "" } })).status).toBe(503);
  });

  test("the token is taken whatever the case of the scheme", async () => {
    const { call } = await apiOf();
    expect((await call("/api/canary/status", { headers: { authorization: `bearer ${TOKEN}` } })).status).toBe(
      200,
    );
  });

  test("a stranger starts no cycle", async () => {
    const { call, canary } = await apiOf();
    await call(RUN, { method: "POST", headers: { authorization: "Bearer wrong" } });
    expect(canary.reads).toEqual([]);
  });

  test.each(["", "a", "x".repeat(23)])("an API with the token %j can't be made", async (adminToken) => {
    const { deps } = await canaryOf();
    expect(() =>
      createApp({
        canary: deps,
        runCycle: (request) => runCycle(deps, request),
        adminToken,
        logError: () => {},
      }),
    ).toThrow(/at least 24 char/);
  });
});

describe("POST run-cycle", () => {
  test.each(["", "  \n", "{}"])(
    "body %j: all invariants, with exactly the documented fields",
    async (body) => {
      const { call, canary } = await apiOf();
      canary.set(LEAKED);
      const answer = await call(RUN, { method: "POST", body });
      expect(answer.status).toBe(200);
      expect(Object.keys(answer.body).sort()).toEqual(
        [
          "snapshot_time",
          "cycle_duration_ms",
          "checks_run",
          "checks_off",
          "checks_off_reasons",
          "sources_unavailable",
          "violations",
          "violations_total",
          "transitions",
          "spreads",
          "recoveries",
          "verdicts",
        ].sort(),
      );
      expect(answer.body.checks_run).toEqual(INVARIANTS.map((i) => i.id));
      expect(Object.keys(answer.body.violations[0]).sort()).toEqual(
        [
          "id",
          "invariant_id",
          "tier",
          "severity",
          "subject",
          "snapshot_time",
          "observed_state",
          "signal_query",
        ].sort(),
      );
      expect(answer.body.transitions).toEqual([
        {
          invariant_id: "S-01",
          severity: "critical",
          violations_in_cycle: 1,
          previous_violation_at: null,
          silenced: false,
        },
      ]);
      expect(answer.body.verdicts["S-02"]).toEqual({ status: "green", checked: 2, unseen: [], reason: null });
      expect(() => CycleResponse.strict().parse(answer.body)).not.toThrow();
    },
  );

  test("spreads and recoveries have the fields of the schema", async () => {
    const { post, canary } = await apiOf();
    canary.set(LEAKED);
    await post();
    canary.set({ slots: slotsOf({ alpha: [slot("e-1")], beta: [slot("e-2")] }) });
    canary.advance(5 * MINUTE_MS);
    const spread = await post();
    expect(spread.body.spreads).toEqual([
      {
        invariant_id: "S-01",
        severity: "critical",
        violations_in_cycle: 2,
        previous_violation_at: "2026-11-23T10:00:00.000Z",
        subjects: ["beta"],
        silenced: false,
      },
    ]);
    canary.set({ slots: slotsOf({}) });
    canary.advance(5 * MINUTE_MS);
    const recovered = await post();
    expect(recovered.body.recoveries).toEqual([
      {
        invariant_id: "S-01",
        severity: "critical",
        subjects: ["alpha", "beta"],
        red_since: "2026-11-23T10:00:00.000Z",
        silenced: false,
      },
    ]);
  });

  test("some invariants, in the registry's order", async () => {
    const { post } = await apiOf();
    const { status, body } = await post({ invariants: ["R-01", "S-01", "R-01"] });
    expect([status, body.checks_run]).toEqual([200, ["S-01", "R-01"]]);
  });

  test("the run is on record as one that came over HTTP", async () => {
    const { post, get } = await apiOf();
    await post();
    expect((await get("/api/canary/cycles")).body.cycles).toMatchObject([{ trigger: "http" }]);
  });

  test.each(["{", "invariants=S-01", "[1,", "S-01"])(
    "a body that is not JSON (%j): 400 with the fix",
    async (body) => {
      const { call, canary } = await apiOf();
      expectError(await call(RUN, { method: "POST", body }), 400, "invalid_json", /not JSON.*"invariants"/);
      expect(canary.reads).toEqual([]);
    },
  );

  test("ids that there are not: 422 names them, and those that there are", async () => {
    const { post, canary } = await apiOf();
    const answer = await post({ invariants: ["S-01", "X-99", "s-02"] });
    expectError(answer, 422, "unknown_invariant", /X-99, s-02; there are H-01, .*R-01/);
    for (const { id } of INVARIANTS) expect(answer.body.detail).toContain(id);
    expect(canary.reads).toEqual([]);
  });

  test.each([
    ["an empty list", { invariants: [] }, /invariants: .*leave it out/],
    ["a field that there is not", { invariant: ["S-01"] }, /invariant"?/],
    ["a text in place of a list", { invariants: "S-01" }, /invariants: /],
    ["numbers in the list", { invariants: [1] }, /invariants\.0: /],
    ["null", null, /./],
    ["a list", ["S-01"], /./],
    ["a prototype", JSON.parse('{"__proto__": {"x": 1}}'), /./],
  ])("%s: 422", async (_, body, detail) => {
    const { post, canary } = await apiOf();
    expectError(await post(body), 422, "invalid_request", detail);
    expect(canary.reads).toEqual([]);
  });

  test("a body of 100 kB: 413", async () => {
    const { post } = await apiOf();
    expectError(await post({ invariants: Array(20_000).fill("S-01") }), 413, "too_large", /65536 bytes/);
  });

  test("another cycle is in progress: 409, and when to come back", async () => {
    const { post, canary } = await apiOf();
    await canary.store.lease.acquire("another", canary.now(), 60_000);
    const answer = await post();
    expectError(answer, 409, "cycle_in_progress", /^cycle in progress$/);
    expect(answer.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
  });

  test.each(["lease.acquire", "lease.commit"] as const)(
    "the state is down (%s): 503, with the verdicts all the same",
    async (call) => {
      const { post, canary } = await apiOf();
      canary.set(LEAKED);
      canary.stateFails(call);
      const { status, body, headers } = await post();
      expect(status).toBe(503);
      expect(body).toMatchObject({
        code: "state_unavailable",
        detail: "state: ECONNREFUSED",
        request_id: headers.get("x-request-id"),
        transitions: [],
        recoveries: [],
        violations: [{ id: null, invariant_id: "S-01" }],
        verdicts: { "S-01": { status: "red" }, "R-01": { status: "green" } },
      });
    },
  );

  test("only POST starts a cycle", async () => {
    const { call, canary } = await apiOf();
    expect((await call(RUN)).status).toBe(404);
    expect(canary.reads).toEqual([]);
  });
});

describe("GET violations", () => {
  /** Two days. Each cycle finds S-01 for both agents, R-01 and E-05. */
  const withHistory = async () => {
    const api = await apiOf();
    api.canary.set({
      slots: slotsOf({ alpha: [slot("e-1"), slot("e-9")], beta: [slot("e-2")] }),
      zombies: zombiesOf([container("beta", [7])]),
      executions: live(runningRow("e-9", "alpha")),
    });
    await api.canary.cycle();
    api.canary.advance(DAY_MS);
    await api.canary.cycle();
    api.canary.advance(MINUTE_MS);
    return api;
  };
  const idsOf = ({ body }: Answer): number[] => body.violations.map((v: { id: number }) => v.id);

  test("newest first, each as its cycle reported it", async () => {
    const { get } = await withHistory();
    const answer = await get(VIOLATIONS);
    expect(answer.status).toBe(200);
    expect(Object.keys(answer.body).sort()).toEqual(["next_cursor", "violations"]);
    expect(idsOf(answer)).toEqual(
      [4, 3, 2, 1].flatMap((n) => [20261124000000 + n]).concat([4, 3, 2, 1].map((n) => 20261123000000 + n)),
    );
    expect(answer.body.next_cursor).toBeNull();
  });

  test.each([
    ["invariant_id", { invariant_id: "S-01" }, 4],
    ["severity", { severity: "major" }, 2],
    ["tier", { tier: "B" }, 2],
    ["tier and severity", { tier: "A", severity: "major" }, 0],
    ["start_time", { start_time: "2026-11-24T00:00:00Z" }, 4],
    ["start_time as a day", { start_time: "2026-11-24" }, 4],
    ["end_time", { end_time: "2026-11-24T00:00:00Z" }, 4],
    [
      "both, with an offset",
      { start_time: "2026-11-23T12:05:00+02:00", end_time: "2026-11-23T12:05:00+02:00" },
      4,
    ],
    ["a time before all", { start_time: "2026-10-01", end_time: "2026-10-02" }, 0],
    ["a time without a zone, which is UTC", { end_time: "2026-11-23T10:04:59.999" }, 0],
  ])("by %s", async (_, query, count) => {
    const { get } = await withHistory();
    const { status, body } = await get(VIOLATIONS, query);
    expect([status, body.violations.length]).toEqual([200, count]);
  });

  test("page after page by the cursor, each once", async () => {
    const { get } = await withHistory();
    const all = idsOf(await get(VIOLATIONS));
    const seen: number[] = [];
    let cursor: string | null = null;
    do {
      const answer: Answer = await get(VIOLATIONS, { limit: "3", ...(cursor !== null && { cursor }) });
      expect(answer.status).toBe(200);
      seen.push(...idsOf(answer));
      cursor = answer.body.next_cursor;
    } while (cursor !== null);
    expect(seen).toEqual(all);
  });

  test.each(["1", "9", "10", "999", "1000"])("limit %s is allowed", async (limit) => {
    const { get } = await apiOf();
    expect((await get(VIOLATIONS, { limit })).status).toBe(200);
  });

  test.each<[name: string, value: string, detail: RegExp]>([
    ...["0", "1001", "-5", "2.5", "ten", "", "007", "+5", "1e2", "0x10", " 5", "5 ", "١٢", "10000000"].map(
      (limit): [string, string, RegExp] => ["limit", limit, /limit: give a whole number from 1 to 1000/],
    ),
    ["invariant_id", "X-99", /invariant_id: .*S-01.*R-01/],
    ["invariant_id", "", /invariant_id: /],
    ["severity", "urgent", /severity: /],
    ["tier", "C", /tier: /],
    ["start_time", "yesterday", /start_time: .*ISO 8601/],
    ["start_time", "", /start_time: .*ISO 8601/],
    ["start_time", "0026-11-23", /start_time: .*ISO 8601/],
    ["end_time", "2026-02-31", /end_time: .*ISO 8601/],
    ["end_time", "2026-11-23T10:00:00 02:00", /end_time: .*ISO 8601/],
    ["cursor", "garbage", /cursor .*leave it out/],
    ["cursor", "", /cursor: /],
  ])("%s=%j: 422 names it, and the fix", async (name, value, detail) => {
    const { get } = await apiOf();
    expectError(await get(VIOLATIONS, { [name]: value }), 422, "invalid_request", detail);
  });

  test("one by its id", async () => {
    const { get } = await withHistory();
    const [newest] = (await get(VIOLATIONS)).body.violations;
    expect(await get(`${VIOLATIONS}/${newest.id}`)).toMatchObject({ status: 200, body: newest });
  });

  test.each([
    "20261123999999",
    "20261122000001",
    "1",
    "abc",
    "0",
    "-1",
    "99999999999999999999",
    "2026112300000a",
    "%00",
  ])("%s: 404", async (id) => {
    const { get } = await withHistory();
    expectError(await get(`${VIOLATIONS}/${id}`), 404, "not_found", /there is no violation/);
  });

  test("one that is older than 90 days: 404, and not in the list", async () => {
    const { get, canary } = await withHistory();
    canary.advance(90 * DAY_MS);
    expect((await get(`${VIOLATIONS}/20261123000001`)).status).toBe(404);
    expect(idsOf(await get(VIOLATIONS, { start_time: "2026-01-01" }))).toEqual([]);
  });

  test("the counters, and how they add up", async () => {
    const { get } = await withHistory();
    const { status, body } = await get(`${VIOLATIONS}/stats`);
    expect(status).toBe(200);
    expect(body).toEqual({
      start_day: "2026-08-26",
      end_day: "2026-11-24",
      total: 8,
      by_invariant: { "S-01": 4, "E-05": 2, "R-01": 2 },
      by_severity: { critical: 6, major: 2 },
      by_day: { "2026-11-23": 4, "2026-11-24": 4 },
    });
    const oneDay = await get(`${VIOLATIONS}/stats`, { start_time: "2026-11-24" });
    expect(oneDay.body).toMatchObject({ start_day: "2026-11-24", total: 4 });
    expectError(await get(`${VIOLATIONS}/stats`, { end_time: "x" }), 422, "invalid_request", /end_time: /);
  });
});

describe("times that nothing can be kept of", () => {
  /** One violation and one cycle on each of two days, and nothing on the current day. */
  const withHistory = async () => {
    const api = await apiOf();
    api.canary.set(LEAKED);
    await api.canary.cycle();
    api.canary.advance(DAY_MS);
    await api.canary.cycle();
    api.canary.advance(DAY_MS);
    return api;
  };
  const nowhere: [string, Record<string, string>][] = [
    [
      "swapped by a millisecond",
      { start_time: "2026-11-24T10:10:00.001Z", end_time: "2026-11-24T10:10:00Z" },
    ],
    ["swapped by hours", { start_time: "2026-11-24T23:00Z", end_time: "2026-11-24T01:00Z" }],
    ["swapped by days", { start_time: "2026-11-25", end_time: "2026-11-22" }],
    ["swapped by centuries", { start_time: "9999-12-31", end_time: "1000-01-01" }],
    ["ancient", { start_time: "1000-01-01", end_time: "1999-12-31T23:59:59Z" }],
    ["ancient, an end alone", { end_time: "1969-12-31T23:59:59Z" }],
    ["a day that is older than what is kept", { start_time: "2026-07-01", end_time: "2026-07-02" }],
  ];
  const notYet: [string, Record<string, string>][] = [
    ["tomorrow", { start_time: "2026-11-26T12:00Z" }],
    ["the year 9999", { start_time: "9999-12-31T23:59:59-23:59" }],
    ["the year 9999, both ends", { start_time: "9999-01-01", end_time: "9999-12-31" }],
  ];

  test.each([...nowhere, ...notYet])("%s: 200, no violation and no cycle", async (_, query) => {
    const { get } = await withHistory();
    expect(await get(VIOLATIONS, query)).toMatchObject({
      status: 200,
      body: { violations: [], next_cursor: null },
    });
    expect(await get("/api/canary/cycles", query)).toMatchObject({
      status: 200,
      body: { cycles: [], next_cursor: null },
    });
  });

  test.each([...nowhere, ...notYet])("%s: 200, nothing counted", async (_, query) => {
    const { get } = await withHistory();
    const { status, body } = await get(`${VIOLATIONS}/stats`, query);
    expect([status, body]).toEqual([
      200,
      expect.objectContaining({ total: 0, by_invariant: {}, by_severity: {}, by_day: {} }),
    ]);
  });

  test("from the beginning of time to its end is all there is", async () => {
    const { get } = await withHistory();
    const ever = { start_time: "1000-01-01", end_time: "9999-12-31T23:59:59.999-23:59" };
    expect((await get(VIOLATIONS, ever)).body.violations).toHaveLength(2);
    expect((await get("/api/canary/cycles", ever)).body.cycles).toHaveLength(2);
    expect((await get(`${VIOLATIONS}/stats`, ever)).body).toMatchObject({
      start_day: "2026-08-27",
      end_day: "2026-11-25",
      total: 2,
    });
  });

  test("what is older than 90 days is in no list and no count, though it is still in the table", async () => {
    const { get, canary } = await withHistory();
    canary.advance(88 * DAY_MS);
    const ever = { start_time: "1000-01-01" };
    expect((await get(VIOLATIONS, ever)).body.violations).toHaveLength(1);
    expect((await get("/api/canary/cycles", ever)).body.cycles).toHaveLength(1);
    expect((await get(`${VIOLATIONS}/stats`, ever)).body.total).toBe(1);
    canary.advance(DAY_MS);
    expect((await get(VIOLATIONS, ever)).body.violations).toEqual([]);
    expect((await get("/api/canary/cycles", ever)).body.cycles).toEqual([]);
    expect((await get(`${VIOLATIONS}/stats`, ever)).body.total).toBe(0);
  });
});

describe("GET cycles", () => {
  test("newest first, of the last day, in pages", async () => {
    const { get, canary } = await apiOf();
    for (let i = 0; i < 5; i += 1) await canary.cycle();
    const first = await get("/api/canary/cycles", { limit: "3" });
    expect(first.body.cycles.map((c: { snapshot_time: string }) => c.snapshot_time.slice(11, 16))).toEqual([
      "10:25",
      "10:20",
      "10:15",
    ]);
    const second = await get("/api/canary/cycles", { limit: "3", cursor: first.body.next_cursor });
    expect(second.body.cycles).toHaveLength(2);
    expect(second.body.next_cursor).toBeNull();
    canary.advance(2 * DAY_MS);
    expect((await get("/api/canary/cycles")).body.cycles).toEqual([]);
    expect((await get("/api/canary/cycles", { start_time: "2026-11-23" })).body.cycles).toHaveLength(5);
  });

  test.each([
    ["limit", "0"],
    ["limit", "1001"],
    ["start_time", "x"],
    ["cursor", "garbage"],
  ])("%s=%s: 422", async (name, value) => {
    const { get } = await apiOf();
    expectError(await get("/api/canary/cycles", { [name]: value }), 422, "invalid_request", new RegExp(name));
  });
});

describe("GET status", () => {
  const statusOf = async (get: (path: string) => Promise<Answer>, id: string) =>
    (await get("/api/canary/status")).body.invariants.find((i: { id: string }) => i.id === id);

  test("before the first cycle everything is unknown", async () => {
    const { get } = await apiOf();
    const { body } = await get("/api/canary/status");
    expect(body).toMatchObject({
      checked_at: null,
      cycle_duration_ms: null,
      sources_unavailable: [],
      source_latency_ms: {},
    });
    expect(body).not.toHaveProperty("last_full_cycle_at");
    expect(body.invariants.map((i: { id: string; status: string }) => [i.id, i.status])).toEqual(
      INVARIANTS.map((i) => [i.id, "unknown"]),
    );
  });

  test("red subjects by name, and since when", async () => {
    const { get, canary } = await apiOf();
    canary.set(LEAKED);
    await canary.cycle();
    await canary.cycle();
    expect(await statusOf(get, "S-01")).toMatchObject({
      status: "red",
      since: "2026-11-23T10:05:00.000Z",
      last_red_at: "2026-11-23T10:10:03.000Z",
      red_subjects: ["alpha"],
      blind_since: null,
    });
    expect(await statusOf(get, "S-02")).toMatchObject({
      status: "green",
      red_subjects: [],
      last_red_at: null,
    });
  });

  test("a green that can't be seen is unknown, a red that can't be seen stays red, and both say why", async () => {
    const { get, canary } = await apiOf();
    canary.set(LEAKED);
    await canary.cycle();
    canary.leaveOut("redis", "not configured");
    await canary.cycle();
    const blind = { blind_reason: "redis: not configured", blind_since: expect.any(String) };
    expect(await statusOf(get, "S-01")).toMatchObject({ status: "red", red_subjects: ["alpha"], ...blind });
    const s02 = await statusOf(get, "S-02");
    expect(s02).toMatchObject({ status: "unknown", ...blind });
    expect(s02.since).toBe(s02.blind_since);
    expect((await get("/api/canary/status")).body.sources_unavailable).toEqual(["redis: not configured"]);
  });

  test("how many subjects each looked at, in the last cycle that ran it", async () => {
    const { get, canary } = await apiOf();
    expect((await statusOf(get, "S-02")).checked).toBeNull();
    await canary.cycle();
    expect((await statusOf(get, "S-02")).checked).toBe(2);
    expect((await statusOf(get, "E-05")).checked).toBe(0);
    canary.set({ slots: slotsOf({}, ["alpha"]) });
    await canary.cycle("S-02");
    expect((await statusOf(get, "S-02")).checked).toBe(1);
    expect((await statusOf(get, "S-01")).checked).toBe(2);
    canary.unread("slots", "redis: ETIMEDOUT");
    await canary.cycle("S-02");
    expect((await statusOf(get, "S-02")).checked).toBe(0);
  });

  test("an invariant whose source is left out is off", async () => {
    const { get, canary } = await apiOf();
    canary.leaveOut("docker", "off");
    await canary.cycle();
    expect((await statusOf(get, "R-01")).status).toBe("off");
    expect((await get("/api/canary/status")).body.checks_off_reasons).toEqual(
      Object.fromEntries(idsOffWithout("docker").map((id) => [id, "docker: off"])),
    );
  });

  test("what the environment turns off is off before the first cycle, with the reason; so is its own severity", async () => {
    const checks = { off: ["R-01"], severities: { "S-01": "minor" } } as const;
    const { get, canary } = await apiOf(await canaryOf({ checks }));
    canary.leaveOut("queue_counts", "off");
    for (const reasons of [{}, { "B-01": "queue_counts: off" }]) {
      expect((await get("/api/canary/status")).body.checks_off_reasons).toEqual({
        "R-01": "off by CHECKS_OFF",
        ...reasons,
      });
      expect(await statusOf(get, "R-01")).toMatchObject({ status: "off", severity: "critical" });
      expect(await statusOf(get, "S-01")).toMatchObject({ severity: "minor" });
      await canary.cycle();
    }
  });

  test("what is turned off while it is red is red of nobody, at once", async () => {
    const { canary } = await apiOf();
    canary.set(LEAKED);
    await canary.cycle();
    // The next deployment, before its first cycle.
    canary.deploy({ off: ["S-01"] });
    const { get } = await apiOf(canary);
    expect(await statusOf(get, "S-01")).toMatchObject({ status: "off", since: null, red_subjects: [] });
  });

  test("a run of some invariants moves theirs, and leaves what stands of the last full cycle", async () => {
    const { get, canary } = await apiOf();
    canary.leaveOut("docker", "off");
    canary.unread("drainTick", "redis: the heartbeat is not a number");
    canary.when("redis", async () => canary.advance(7));
    await canary.cycle();
    const before = (await get("/api/canary/status")).body;
    expect(before).toMatchObject({
      checked_at: "2026-11-23T10:05:00.000Z",
      cycle_duration_ms: 7,
      source_latency_ms: { redis: expect.any(Number) },
    });
    canary.when("redis");
    canary.unread("slots", "redis: ETIMEDOUT");
    canary.set({ executions: live(runningRow("e-1", "alpha")) });
    await canary.cycle("E-05", "S-02");
    const after = (await get("/api/canary/status")).body;
    // What can't be judged is counted anew.
    expect(after.blind).toContain("2 of");
    expect({ ...after, invariants: [], blind: null }).toEqual({ ...before, invariants: [], blind: null });
    const changed = INVARIANTS.filter((_, i) => after.invariants[i].status !== before.invariants[i].status);
    expect(changed.map((i) => i.id)).toEqual(["S-02", "E-05"]);
    expect((await statusOf(get, "R-01")).status).toBe("off");
  });
});

describe("GET /healthz", () => {
  test("never ran: 503", async () => {
    const { get } = await apiOf();
    expect(await get("/healthz")).toMatchObject({
      status: 503,
      body: { status: "stale", checked_at: null },
    });
  });

  test("200 while the last cycle is fresh, 503 from a quarter of an hour on", async () => {
    const { get, canary } = await apiOf();
    await canary.cycle();
    const checked_at = "2026-11-23T10:05:00.000Z";
    expect(await get("/healthz")).toMatchObject({
      status: 200,
      body: { status: "fresh", checked_at },
    });
    canary.advance(15 * MINUTE_MS - 1);
    expect((await get("/healthz")).status).toBe(200);
    canary.advance(1);
    expect(await get("/healthz")).toMatchObject({
      status: 503,
      body: { status: "stale", checked_at },
    });
  });

  test("a run of some invariants does not make it fresh", async () => {
    const { get, canary } = await apiOf();
    await canary.cycle("S-01");
    expect((await get("/healthz")).status).toBe(503);
  });

  test("a cycle of a clock that is ahead does not make it fresh", async () => {
    const { get, canary } = await apiOf();
    canary.advance(HOUR_MS);
    await canary.cycle();
    canary.advance(-HOUR_MS);
    expect(await get("/healthz")).toMatchObject({ status: 503, body: { status: "stale" } });
    // It would be fresh by its age alone.
    canary.advance(50 * MINUTE_MS);
    expect((await get("/healthz")).status).toBe(503);
  });

  test("reads one small item, and not the memory", async () => {
    const { get, canary } = await apiOf();
    await canary.cycle();
    canary.stateFails("lease.read");
    expect((await get("/healthz")).status).toBe(200);
  });

  test("a red platform is no reason to be unwell", async () => {
    const { get, canary } = await apiOf();
    canary.set(LEAKED);
    await canary.cycle();
    expect((await get("/healthz")).status).toBe(200);
  });

  test("the state is down: 503, and no word of why", async () => {
    const { get, canary } = await apiOf();
    canary.stateFails("freshness.lastFullCycleAtMs");
    expect(await get("/healthz")).toMatchObject({ status: 503 });
    expect((await get("/healthz")).body).toEqual({ status: "unknown", checked_at: null });
  });
});

describe("what goes wrong inside stays inside", () => {
  const reads: [string, StateCall][] = [
    [VIOLATIONS, "history.listViolations"],
    [`${VIOLATIONS}/stats`, "history.stats"],
    [`${VIOLATIONS}/20261123000001`, "history.getViolation"],
    ["/api/canary/status", "lease.read"],
    ["/api/canary/cycles", "history.listCycles"],
  ];

  test.each(reads)("%s: 503 where the state is down, with nothing of its address", async (path, call) => {
    const { get, canary, logged } = await apiOf();
    canary.stateFails(call);
    const answer = await get(path);
    expectError(answer, 503, "state_unavailable", /^[^:/]*$/);
    expect(logged).toEqual([`${answer.body.request_id} state: ECONNREFUSED`]);
  });

  test.each(reads)("%s: 500 for an internal fault, which only the log describes", async (path, call) => {
    const { get, canary, logged } = await apiOf();
    const fault = () => Promise.reject(new TypeError("cannot read 'secretField' of hunter2"));
    canary.stateCalls(call, fault);
    const answer = await get(path);
    expectError(answer, 500, "internal", /request id/);
    expect(JSON.stringify(answer.body)).not.toMatch(/secretField|hunter2|TypeError|at /);
    expect(logged).toHaveLength(1);
    expect(logged[0]).toContain(answer.body.request_id);
    expect(logged[0]).toContain("secretField");
    expect(logged[0]).not.toContain("hunter2");
  });

  test("a path that is not there: 404", async () => {
    const { get } = await apiOf();
    expectError(await get("/api/canary/nothing"), 404, "not_found", /\/api\/canary\/nothing/);
  });

  test("the answers of an admin's API are not for frames, nor for guessing types", async () => {
    const { get } = await apiOf();
    const { headers } = await get("/api/canary/status");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("x-frame-options")).toBeTruthy();
  });
});

describe("GET /openapi.json", () => {
  const METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

  test("lists every route of the app", async () => {
    const { app, get } = await apiOf();
    const { body } = await get("/openapi.json");
    const listed = Object.entries(body.paths).flatMap(([path, item]) =>
      Object.keys(item as object).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const served = app.routes
      .filter((route) => isOfApi(route) && route.path !== "/openapi.json")
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`);
    expect(listed.sort()).toEqual([...new Set(served)].sort());
  });

  test("says of /healthz alone that it needs no token", async () => {
    const { get } = await apiOf();
    const { body } = await get("/openapi.json");
    expect(body.security).not.toEqual([]);
    const open = Object.entries<Record<string, { security?: unknown[] }>>(body.paths).flatMap(
      ([path, item]) =>
        Object.values(item).some((operation) => operation.security?.length === 0) ? [path] : [],
    );
    expect(open).toEqual(["/healthz"]);
  });

  test("documents the bounds of limit, and every answer that a run of a cycle can give", async () => {
    const { get } = await apiOf();
    const { paths } = (await get("/openapi.json")).body;
    const limits = [VIOLATIONS, "/api/canary/cycles"].map(
      (path) => paths[path].get.parameters.find((p: { name: string }) => p.name === "limit").schema,
    );
    expect(limits).toEqual(
      [100, 50].map((fallback) => ({ type: "integer", minimum: 1, maximum: 1000, default: fallback })),
    );
    expect(Object.keys(paths[RUN].post.responses).sort()).toEqual(
      expect.arrayContaining(["200", "400", "401", "409", "413", "422", "503"]),
    );
  });

  test("has the shape of OpenAPI 3.1: operations, responses, and references that lead somewhere", async () => {
    const { get } = await apiOf();
    const { status, body } = await get("/openapi.json");
    expect(status).toBe(200);
    expect(body.openapi).toMatch(/^3\.1\.\d+$/);
    expect(body.info).toEqual({ title: expect.any(String), version: expect.any(String) });
    for (const [path, item] of Object.entries<Record<string, never>>(body.paths)) {
      expect(path).toMatch(/^\//);
      for (const [method, operation] of Object.entries<{
        responses: Record<string, { description: string }>;
        parameters?: { name: string; in: string; required?: boolean; schema: object }[];
      }>(item)) {
        expect(METHODS).toContain(method);
        expect(Object.keys(operation.responses).length).toBeGreaterThan(0);
        for (const [code, response] of Object.entries(operation.responses)) {
          expect(code).toMatch(/^[1-5]\d\d$/);
          expect(response.description).toEqual(expect.any(String));
        }
        for (const parameter of operation.parameters ?? []) {
          expect(parameter).toMatchObject({ name: expect.any(String), schema: expect.any(Object) });
          expect(["query", "path", "header", "cookie"]).toContain(parameter.in);
          if (parameter.in === "path") expect(parameter.required).toBe(true);
        }
        for (const [, name] of path.matchAll(/\{(\w+)\}/g))
          expect(operation.parameters?.map((p) => [p.in, p.name])).toContainEqual(["path", name]);
      }
    }
    const references = [...JSON.stringify(body).matchAll(/"\$ref":"#\/components\/([^"/]+)\/([^"]+)"/g)];
    expect(references.length).toBeGreaterThan(0);
    for (const [, kind, name] of references) expect(body.components[kind!]).toHaveProperty([name!]);
    for (const scheme of body.security.flatMap(Object.keys))
      expect(body.components.securitySchemes).toHaveProperty(scheme);
  });
});
