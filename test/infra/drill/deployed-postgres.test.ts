/** The drill on a deployed environment whose database is PostgreSQL: it writes as another role than its canary reads. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { openDeployed } from "../../../infra/drill/deployed.ts";
import { runDrill } from "../../../infra/drill/drill.ts";
import type { DrilledEnvironment } from "../../../infra/drill/environment.ts";
import { parseEnvironment } from "../../../infra/environments.ts";
import { FAULTS } from "../../../infra/faults/index.ts";
import type { PlatformDatabase } from "../../../infra/platform/database.ts";
import { openCanary } from "../../../shared/canary.ts";
import { runCycle } from "../../../shared/cycle/run-cycle.ts";
import { createApp } from "../../../shared/web/app.ts";
import { describeLive, temporaryFolder } from "../../support/live.ts";
import { type LivePlatform, NEEDS, REST_TOKEN, startLivePlatform } from "../../support/live-platform.ts";
import { postgresTls } from "../../support/postgres-tls.ts";

const TOKEN = "admin-token-of-the-drill-test";

describeLive(NEEDS.postgres, "a drill on a deployed environment with PostgreSQL", () => {
  let platform: LivePlatform;
  let environment: DrilledEnvironment | undefined;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  /** That signed the server's certificate. It takes connections in the clear, too. */
  let ca: string;
  beforeAll(async () => {
    folder = await temporaryFolder();
    const tls = await postgresTls(folder.path);
    ca = tls.ca;
    platform = await startLivePlatform("postgres", tls.settings);
  });
  afterAll(async () => {
    await platform?.close();
    await folder?.remove();
  });
  beforeEach(async () => {
    await platform.reset();
    await platform.addAgent("ruby");
  });
  afterEach(() => environment?.close());

  /** The address in the clear of the canary's role, without its password, and the password. */
  function reader() {
    const url = new URL(platform.env.DATABASE_URL!);
    const { password } = url;
    url.password = "";
    return { url: String(url), password };
  }
  /** The address of a role that may write, at the same place. */
  function writer(database = "trinity") {
    const url = new URL(platform.writerUrl);
    url.port = new URL(reader().url).port;
    url.pathname = database;
    return String(url);
  }

  /** @param database what the environment says of it; left out: it is reached in the clear */
  async function opened(
    shell: Readonly<Record<string, string>>,
    database: { readonly databaseUrl: string; readonly databaseCa?: string } = { databaseUrl: reader().url },
  ): Promise<DrilledEnvironment> {
    const canary = openCanary({ ...platform.env, CONFIRM_AFTER_MS: "60" }, { state: platform.dynamo });
    const app = createApp({
      canary,
      runCycle: (request) => runCycle(canary, request),
      adminToken: TOKEN,
      logError() {},
    });
    return openDeployed({
      environment: "staging",
      settings: parseEnvironment("staging", {
        ...database,
        redisUrl: platform.rest.url,
        dockerHosts: "none",
        queueCountsUrl: "sql",
        network: { vpcId: "vpc-0a1b2c3d", subnetIds: ["subnet-0a1b2c3d"] },
        functionUrl: { auth: "bearer" },
        removal: "delete",
      }),
      call: async (path, { method = "GET", body } = {}) =>
        app.request(path, {
          method,
          ...(body !== undefined && { body }),
          headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
        }),
      variables: { UPSTASH_REDIS_REST_TOKEN: REST_TOKEN, ...shell },
    });
  }
  async function drill(ids: readonly string[], ...place: Parameters<typeof opened>) {
    environment = await opened(...place);
    const faults = FAULTS.filter(({ invariantId }) => ids.includes(invariantId));
    const signal = new AbortController().signal;
    return runDrill({ ...environment, faults, signal, onProof() {} });
  }
  const rosterNames = async () =>
    (await platform.database.execute("SELECT agent_name FROM agent_ownership")).rows.map((r) => r.agent_name);

  test("writes as the role of the shell, fills columns that a newer platform asks for, and leaves nothing", async () => {
    const columns = {
      owner_id: "INTEGER NOT NULL DEFAULT 7",
      created_at: "TEXT NOT NULL DEFAULT 'x'",
      is_public: "BOOLEAN NOT NULL DEFAULT FALSE",
    };
    for (const [name, type] of Object.entries(columns)) {
      await platform.database.execute(`ALTER TABLE agent_ownership ADD COLUMN ${name} ${type}`);
      await platform.database.execute(`ALTER TABLE agent_ownership ALTER COLUMN ${name} DROP DEFAULT`);
    }
    try {
      const proofs = await drill(["S-02", "E-05", "E-06"], { DATABASE_URL: writer() });
      expect(proofs.map((p) => [p.invariant_id, p.outcome, p.reason])).toEqual(
        ["S-02", "E-05", "E-06"].map((id) => [id, "proven", null]),
      );
      expect(await rosterNames()).toEqual(["ruby"]);
    } finally {
      for (const name of Object.keys(columns))
        await platform.database.execute(`ALTER TABLE agent_ownership DROP COLUMN ${name}`);
    }
  });

  test("with the canary's own role it says that this may not write", async () => {
    const [proof] = await drill(["S-01"], { DATABASE_PASSWORD: reader().password });
    expect(proof).toMatchObject({ outcome: "failed" });
    expect(proof!.reason).toContain("permission denied for table agent_ownership");
    expect(await rosterNames()).toEqual(["ruby"]);
  });

  test("a role of another database is refused before anything is written, and its password is not repeated", async () => {
    const refused = drill(["S-01"], { DATABASE_URL: writer("postgres") }).catch(
      (error: Error) => error.message,
    );
    const { host } = new URL(reader().url);
    expect(await refused).toBe(
      `DATABASE_URL names ${host}/postgres, and the database of staging is ${host}/trinity: name the same one, with a role that may write`,
    );
  });

  test.for(["/hunter2", "12/hunter2", "ab/hunter2", "hunter2#"])(
    "an address that the password %j tears is refused, and no part of it is shown",
    async (password) => {
      const { host } = new URL(reader().url);
      const torn = `postgres://drill:${password}@${host}/trinity`;
      const refused = await drill(["S-01"], { DATABASE_URL: torn }).catch((error: Error) => error.message);
      expect(refused).toMatch(/^DATABASE_URL has an @ or a # behind the host/);
      expect(refused).not.toContain("hunter2");
    },
  );

  test("over TLS it verifies whose server it is, with the CA of the environment, before it writes or gives its password", async () => {
    const verified = (url: string) => url.replace("sslmode=disable", "sslmode=verify-full");
    const databaseUrl = verified(reader().url);
    const [proof] = await drill(
      ["S-01"],
      { DATABASE_URL: verified(writer()) },
      { databaseUrl, databaseCa: ca },
    );
    expect(proof).toMatchObject({ outcome: "proven", reason: null });
    // The test itself is there in the clear, as the same role.
    const { rows } = await platform.database.execute(
      "SELECT DISTINCT CAST(ssl AS TEXT) AS ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'trinity'",
    );
    expect(rows).toContainEqual({ ssl: "true" });

    /** Reads there without a drill. */
    const reached = async (
      host: string,
      databaseCa?: string,
      shell: Readonly<Record<string, string>> = {},
    ) => {
      const named = (url: string) => verified(url).replace("127.0.0.1", host);
      const other = await opened(
        { DATABASE_URL: named(writer()), ...shell },
        { databaseUrl: named(reader().url), ...(databaseCa && { databaseCa }) },
      );
      const { database } = other.target as { database: PlatformDatabase };
      return database.read("SELECT 'yes' AS answers").finally(() => other.close());
    };
    await expect(reached("127.0.0.1")).rejects.toThrow(/certificate/);
    await expect(reached("localhost", ca)).rejects.toThrow(/does not match certificate's altnames/);
    // That file is Lambda's: this machine lacks it.
    const lambdas = "/var/runtime/ca-cert.pem";
    await expect(reached("127.0.0.1", lambdas)).rejects.toThrow(/DATABASE_CA/);
    expect(await reached("127.0.0.1", lambdas, { DATABASE_CA: ca })).toEqual([{ answers: "yes" }]);
  });
});
