/** Each source is down, slow, or answers garbage: the canary says so, and nothing turns green or red or is lost. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { INVARIANT_IDS } from "../../shared/invariants/index.ts";
import type { Fault, FaultProxy } from "../support/fault-proxy.ts";
import { describeLive } from "../support/live.ts";
import { type LivePlatform, NEEDS, startLivePlatform } from "../support/live-platform.ts";
import { idsReading, idsRunWithout } from "../support/registry.ts";

/** Docker is left out here. */
const RUN = idsRunWithout("docker");
/** H-01 doubts a roster that can't be read. */
const SQL_CHECKS = RUN.filter((id) => id === "H-01" || idsReading("sqlite").includes(id));
const REDIS_CHECKS = RUN.filter((id) => idsReading("redis").includes(id));
/** A short deadline only where the source hangs: a source that answers may be slow on a loaded machine. */
const WELL = { SOURCE_DEADLINE_MS: "60000", DOCKER_HOSTS: "none" };
const HANG_DEADLINE_MS = 3_000;
const under = (fault: Fault) =>
  fault === "hangs" ? { ...WELL, SOURCE_DEADLINE_MS: String(HANG_DEADLINE_MS) } : WELL;
const FAULTS: Exclude<Fault, "none">[] = ["hangs", "resets", "html", "wrong json", "http 500", "http 401"];
/** The text of each fault in `sources_unavailable`. */
const PLACE = /127\.0\.0\.1:\d+: (LIBSQL_URL|UPSTASH_REDIS_REST_URL)/.source;
const REASONS: Record<Exclude<Fault, "none">, RegExp> = {
  hangs: new RegExp(`no answer within ${HANG_DEADLINE_MS} ms ${PLACE}$`),
  resets: new RegExp(`ECONNRESET ${PLACE}$`),
  html: /not JSON$|not that of the Upstash REST protocol/,
  "wrong json": /HRANA_PROTO_ERROR|not that of the Upstash REST protocol/,
  "http 500": new RegExp(`HTTP 500 ${PLACE}$|not that of the Upstash REST protocol`),
  "http 401": /check (LIBSQL_AUTH_TOKEN|UPSTASH_REDIS_REST_TOKEN)$/,
};

/** Makes one invariant of each source red. Under a fault it must neither recover nor break again. */
async function breakOne(platform: LivePlatform): Promise<void> {
  await platform.reset();
  await platform.addAgent("ruby");
  await platform.addAgent("broken");
  await platform.addExecution({ id: "run", agent: "ruby", ageSeconds: 20 });
  await platform.addSlot("ruby", "run", { ageSeconds: 20 });
  await platform.addSlot("broken", "leaked", { ageSeconds: 60 });
  await platform.addExecution({ id: "no-session", agent: "broken", ageSeconds: 100, session: null });
  const report = await platform.cycle({ env: WELL });
  expect(report.transitions.map((t) => t.invariant_id)).toEqual(["S-01", "E-05"]);
}

/** Runs a cycle under the fault and one after it. @param blind the invariants that are unknown under it */
async function expectNothingMoves(
  platform: LivePlatform,
  proxy: FaultProxy,
  fault: Fault,
  { blind, unavailable }: { readonly blind: readonly string[]; readonly unavailable: RegExp },
): Promise<void> {
  proxy.fault = fault;
  const during = await platform.cycle({ env: under(fault) });
  expect(Object.keys(during.verdicts).filter((id) => during.verdicts[id]!.status === "unknown")).toEqual(
    blind,
  );
  expect(during.sources_unavailable).toEqual([expect.stringMatching(unavailable)]);
  expect(during).toMatchObject({ transitions: [], spreads: [], recoveries: [] });
  for (const violation of during.violations) expect(violation.subject).toBe("broken");

  proxy.fault = "none";
  const after = await platform.cycle({ env: WELL });
  expect(after).toMatchObject({ transitions: [], spreads: [], recoveries: [], sources_unavailable: [] });
  expect(after.verdicts["S-01"]!.status).toBe("red");
  await platform.redis.del("agent:slots:broken");
  await platform.database.execute("DELETE FROM schedule_executions WHERE id = 'no-session'");
  const cured = await platform.cycle({ env: WELL });
  expect(cured.recoveries.map((r) => r.invariant_id)).toEqual(["S-01", "E-05"]);
}

describeLive(NEEDS.postgres, "a PostgreSQL that fails", () => {
  let platform: LivePlatform;
  beforeAll(async () => {
    platform = await startLivePlatform("postgres");
  });
  afterAll(() => platform?.close());
  beforeEach(() => breakOne(platform));

  const PLACE = /127\.0\.0\.1:\d+: DATABASE_URL$/.source;
  test.for([
    ["hangs", `no answer within ${HANG_DEADLINE_MS} ms ${PLACE}`],
    ["resets", `the server ended the connection, ${PLACE}`],
  ] as const)("%s", ([fault, reason]) =>
    expectNothingMoves(platform, platform.sql, fault, {
      blind: SQL_CHECKS,
      unavailable: new RegExp(`^postgres: .*${reason}`),
    }),
  );
});

describeLive(NEEDS.sqlite, "sources that fail", () => {
  let platform: LivePlatform;
  beforeAll(async () => {
    platform = await startLivePlatform();
  });
  afterAll(() => platform?.close());
  beforeEach(() => breakOne(platform));

  for (const [source, proxyOf, blind, name] of [
    ["SQLite", () => platform.sql, SQL_CHECKS, "sqlite"],
    ["Redis", () => platform.rest, REDIS_CHECKS, "redis"],
  ] as const)
    describe(source, () => {
      test.for(FAULTS)("%s", (fault) =>
        expectNothingMoves(platform, proxyOf(), fault, {
          blind,
          unavailable: new RegExp(`^${name}: .*(${REASONS[fault].source})`),
        }),
      );

      test("nothing listens there", async () => {
        const variable = source === "SQLite" ? "LIBSQL_URL" : "UPSTASH_REDIS_REST_URL";
        const closed = createServer().listen(0, "127.0.0.1");
        await once(closed, "listening");
        const { port } = closed.address() as AddressInfo;
        closed.close();
        const report = await platform.cycle({ env: { ...WELL, [variable]: `http://127.0.0.1:${port}` } });
        expect(report.sources_unavailable).toEqual([`${name}: ECONNREFUSED 127.0.0.1:${port}: ${variable}`]);
        expect(report).toMatchObject({ transitions: [], recoveries: [] });
      });
    });

  test.for(FAULTS)("the queue accessor over HTTP: %s", async (fault) => {
    const env = { ...under(fault), QUEUE_COUNTS_URL: `${platform.rest.url}/counts` };
    // Redis is off here, so that its proxy can act as the accessor.
    platform.rest.fault = fault;
    const report = await platform.cycle({
      env: { ...env, UPSTASH_REDIS_REST_URL: "none" },
      invariants: ["E-05", "B-01"],
    });
    expect(report.verdicts["B-01"]!.status).toBe("unknown");
    expect(report.verdicts["E-05"]!.status).toBe("red");
    expect(report.sources_unavailable).toEqual([expect.stringMatching(/^queue_counts: /)]);
  });

  test.for(FAULTS)("the state, %s: verdicts, but nothing opens or closes", async (fault) => {
    await platform.redis.del("agent:slots:broken");
    platform.dynamoProxy.fault = fault;
    const during = await platform.cycle({ env: under(fault) });
    expect(during.verdicts).toMatchObject({
      "S-01": { status: "red" },
      "E-05": { status: "red" },
      "E-02": { status: "unknown" },
    });
    expect(during).toMatchObject({ transitions: [], spreads: [], recoveries: [] });
    expect(during.sources_unavailable).toEqual([expect.stringMatching(/^state: /)]);
    platform.dynamoProxy.fault = "none";
    const after = await platform.cycle({ env: WELL });
    expect(after).toMatchObject({ transitions: [], sources_unavailable: [] });
  });

  test("a source that is not named is unread; one that is none is left out, with its checks", async () => {
    const unset = await platform.cycle({
      env: { ...WELL, UPSTASH_REDIS_REST_URL: undefined, DOCKER_HOSTS: undefined },
    });
    expect(unset.sources_unavailable).toEqual(["redis: not configured", "docker: not configured"]);
    expect(unset.checks_off).toEqual([]);
    expect(unset.verdicts["R-01"]).toMatchObject({ status: "unknown", reason: "docker: not configured" });
    const off = await platform.cycle({ env: { ...WELL, UPSTASH_REDIS_REST_URL: "none" } });
    const isOff = (id: string) => !RUN.includes(id) || REDIS_CHECKS.includes(id);
    expect(off.checks_off).toEqual(INVARIANT_IDS.filter(isOff));
    expect(off.checks_run).toEqual(INVARIANT_IDS.filter((id) => !isOff(id)));
    expect(off.sources_unavailable).toEqual([]);
  });

  test("what a source answers never shows its token or the password of its address", async () => {
    platform.rest.fault = "http 401";
    const env = {
      ...WELL,
      LIBSQL_URL: `${platform.rest.url}?authToken=hunter22`,
      LIBSQL_AUTH_TOKEN: "libsql-secret",
      QUEUE_COUNTS_URL: `http://127.0.0.1:1/counts?key=abc`,
    };
    const text = JSON.stringify(await platform.cycle({ env }));
    for (const secret of ["hunter22", "libsql-secret", "rest-token-of-the-test", "key=abc"])
      expect(text).not.toContain(secret);
  });
});
