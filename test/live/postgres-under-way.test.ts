/** A read of a real PostgreSQL that is under way: what becomes of it when the server restarts, and what VACUUM has of it. */
import postgres from "postgres";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type LocalDynamo, startDynamo } from "../../infra/local/dynamodb.ts";
import { type PostgresServer, startPostgres } from "../../infra/local/postgres.ts";
import { openPlatformDatabase } from "../../infra/platform/database.ts";
import { createSchema } from "../../infra/platform/schema.ts";
import { openCanary } from "../../shared/canary.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { withDeadline } from "../../shared/deadline.ts";
import { describeError } from "../../shared/errors.ts";
import { parseAddress } from "../../shared/sources/postgres/address.ts";
import { openPostgres } from "../../shared/sources/postgres/database.ts";
import { SQL_FACTS, sqlReader } from "../../shared/sources/sql/reader.ts";
import type { CycleReport } from "../../shared/wire/schemas/cycles.ts";
import { describeLive } from "../support/live.ts";
import { secondsAgo } from "../support/live-platform.ts";
import { idsReading } from "../support/registry.ts";

const HOUR_MS = 3_600_000;
/** A read waits for a lock until the test gives it back. */
const PATIENT = { statementMs: HOUR_MS, lockMs: HOUR_MS };
const DEAD_ROWS = 200;

describeLive(["postgres"], "a PostgreSQL, in the middle of a read", () => {
  let server: PostgresServer;
  let owner: postgres.Sql;
  let dynamo: LocalDynamo;
  /** What VACUUM has said. */
  let notices: string[] = [];
  beforeAll(async () => {
    dynamo = await startDynamo();
    // With a larger wal_level the lock of a test would hold back VACUUM by itself.
    const settings = { autovacuum: "off", wal_level: "minimal", max_wal_senders: "0" };
    server = await startPostgres({ engine: "postgres", settings });
    const client = await openPlatformDatabase(server.url);
    await createSchema(client);
    client.close();
    owner = postgres(server.url, {
      max: 1,
      fetch_types: false,
      onnotice: ({ message }) => void notices.push(message ?? ""),
    });
    await owner`INSERT INTO agent_ownership (agent_name) VALUES ('ruby')`;
    await owner`INSERT INTO schedule_executions (id, schedule_id, agent_name, status, started_at, message, triggered_by)
VALUES ('no-session', 's', 'ruby', 'running', ${secondsAgo(100)}, 'm', 'schedule')`;
  }, 240_000);
  afterAll(async () => {
    await owner?.end({ timeout: 0 });
    await server?.close();
    await dynamo?.close();
  });

  beforeEach(async () => {
    await owner`SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'canary'`;
  });

  /** Locks a table that is read late. @returns what gives the lock back */
  async function lock(): Promise<() => Promise<void>> {
    const holder = postgres(server.url, { max: 1, fetch_types: false, onnotice() {} });
    await holder.unsafe("BEGIN; LOCK TABLE agent_tags IN ACCESS EXCLUSIVE MODE");
    return () => holder.end({ timeout: 0 });
  }
  const sessions = () =>
    owner`SELECT pid, backend_xmin FROM pg_stat_activity WHERE usename = 'canary'` as Promise<
      readonly { pid: number; backend_xmin: string | null }[]
    >;
  const waiting = async () => (await owner`SELECT FROM pg_locks WHERE NOT granted`).length;
  /** Waits until the read has come to the lock. */
  const isHeld = () => expect.poll(waiting, { interval: 5, timeout: 240_000 }).toBe(1);
  const openReader = () => {
    const read = sqlReader("postgres", openPostgres(parseAddress(server.readerUrl, null, null), PATIENT));
    const context = { now: Date.now, wanted: new Set(SQL_FACTS), since: { ended: null } };
    /** Gives what could not be read, or the error. @param cut stands in for the deadline of a cycle */
    return (cut?: AbortSignal): Promise<string> =>
      withDeadline(HOUR_MS, (signal) => read({ ...context, signal }), cut).then(
        ({ unavailable }) => unavailable.join(),
        describeError,
      );
  };

  /** A process that is warm after its first cycle, with nothing to read but the database. */
  function openWarmCanary(): () => Promise<CycleReport> {
    const env = {
      DATABASE_URL: server.readerUrl,
      UPSTASH_REDIS_REST_URL: "none",
      DOCKER_HOSTS: "none",
      CONFIRM_AFTER_MS: "20",
      SOURCE_DEADLINE_MS: "60000",
    };
    const canary = openCanary(env, { state: dynamo });
    const read = sqlReader("postgres", openPostgres(parseAddress(server.readerUrl, null, null), PATIENT));
    const sources = canary.sources.map((source) =>
      source.name === "postgres" ? { ...source, read } : source,
    );
    return async () => {
      const outcome = await runCycle({ ...canary, sources }, { trigger: "test" });
      if (outcome.kind !== "done") throw new Error(`the cycle did not happen: ${outcome.kind}`);
      return outcome.report;
    };
  }
  const unchanged = { transitions: [], spreads: [], recoveries: [] };

  test("that is stopped there: a cycle that says so and moves nothing, and the next one is whole", async () => {
    const cycle = openWarmCanary();
    const first = await cycle();
    expect(first.transitions.map((t) => t.invariant_id)).toEqual(["E-05"]);
    const run = Object.keys(first.verdicts);
    const place = `127\\.0\\.0\\.1:${new URL(server.readerUrl).port}: DATABASE_URL`;
    const expectWhole = async () => {
      const next = await cycle();
      expect(next).toMatchObject({ ...unchanged, sources_unavailable: [] });
      expect(next.violations.map((v) => v.invariant_id)).toEqual(["E-05"]);
    };
    for (const how of ["fast", "immediate"] as const) {
      const unlock = await lock();
      const during = cycle();
      await isHeld();
      await server.stop(how);
      const cut = await during;
      await unlock();
      // A server that is still on its way down refuses the second try in its own words.
      expect(cut.sources_unavailable).toEqual([
        expect.stringMatching(
          new RegExp(
            `^postgres: (no server listens there \\(ECONNREFUSED\\): check host and port, and whether it runs, ${place}|not ready \\(.*\\) at ${place}|the server ended the connection.*, ${place})$`,
          ),
        ),
      ]);
      expect(cut).toMatchObject({ ...unchanged, violations: [] });
      const unknown = run.filter((id) => cut.verdicts[id]!.status === "unknown");
      expect(unknown).toEqual(run.filter((id) => id === "H-01" || idsReading("postgres").includes(id)));
      await server.start();
      await expectWhole();
    }
    // Between two cycles: the connection that was kept is gone, and that costs a new one.
    await server.stop("fast");
    await server.start();
    await expectWhole();
  });

  test("whose process for it is killed: the others end too, and it is whole at the second try or says so", async () => {
    const read = openReader();
    const unlock = await lock();
    const reading = read();
    await isHeld();
    const [session] = await sessions();
    process.kill(session!.pid, "SIGKILL");
    expect(await reading).toMatch(
      /^$|^(not ready \(.*\) at|the server ended the connection.*,) 127\.0\.0\.1:\d+: DATABASE_URL$/,
    );
    await unlock();
    await expect.poll(() => read(), { timeout: 240_000 }).toBe("");
  });

  /** Leaves rows that nobody but a transaction from before can see. */
  async function leaveDeadRows() {
    await owner`INSERT INTO agent_reports (id, agent_name) SELECT g::text, 'ruby' FROM generate_series(1, ${DEAD_ROWS}) g`;
    await owner`DELETE FROM agent_reports`;
  }
  async function vacuum() {
    notices = [];
    await owner`VACUUM (VERBOSE, INDEX_CLEANUP ON) agent_reports`;
    const said = /tuples: (\d+) removed, .*?(\d+) are dead but not yet removable/.exec(notices.join("\n"))!;
    return { removed: Number(said[1]), kept: Number(said[2]) };
  }

  test("keeps VACUUM from rows for as long as the read lasts, and no longer, also where a deadline cut it", async () => {
    const read = openReader();
    expect(await read()).toBe("");
    for (const end of ["read", "cut"] as const) {
      const unlock = await lock();
      const deadline = new AbortController();
      const reading = read(deadline.signal);
      await isHeld();
      const [session, ...others] = await sessions();
      expect(others).toEqual([]);
      expect(session!.backend_xmin).not.toBeNull();
      const locks = await owner`SELECT DISTINCT mode FROM pg_locks
WHERE pid = ${session!.pid} AND locktype <> 'virtualxid'`;
      expect(locks.map(({ mode }) => mode)).toEqual(["AccessShareLock"]);
      await leaveDeadRows();
      // VACUUM does not wait for it.
      expect(await vacuum()).toEqual({ removed: 0, kept: DEAD_ROWS });

      if (end === "read") await unlock();
      else deadline.abort();
      expect(await reading).toMatch(end === "read" ? /^$/ : /^no answer within/);
      const left = async () => (await sessions()).map(({ backend_xmin }) => backend_xmin);
      await expect.poll(left, { timeout: 240_000 }).toEqual(end === "read" ? [null] : []);
      expect(await vacuum()).toEqual({ removed: DEAD_ROWS, kept: 0 });
      await unlock();
    }
  });
});
