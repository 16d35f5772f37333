/** The drill on a deployed environment: it touches only agents that it made. */
import { createClient } from "@libsql/client/http";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type DeployedDrillOptions, openDeployed } from "../../../infra/drill/deployed.ts";
import { exitCodeOf, runDrill } from "../../../infra/drill/drill.ts";
import type { DrilledEnvironment } from "../../../infra/drill/environment.ts";
import { type EnvironmentSettings, parseEnvironment } from "../../../infra/environments.ts";
import type { Fault } from "../../../infra/faults/fault.ts";
import { DRILLED } from "../../../infra/faults/index.ts";
import { openCanary } from "../../../shared/canary.ts";
import { runCycle } from "../../../shared/cycle/run-cycle.ts";
import { INVARIANTS } from "../../../shared/invariants/index.ts";
import { createApp } from "../../../shared/web/app.ts";
import { type Dockerd, startDockerd } from "../../support/dockerd.ts";
import { describeLive } from "../../support/live.ts";
import { type LivePlatform, REST_TOKEN, startLivePlatform } from "../../support/live-platform.ts";

const TOKEN = "admin-token-of-the-drill-test";
/** The invariants that an environment runs which turns none on or off. */
const RUN = INVARIANTS.filter(({ isOffByDefault }) => !isOffByDefault).map(({ id }) => id);

describeLive(["redis-server", "sqld", "dockerd"], "a drill on a deployed environment", () => {
  let platform: LivePlatform;
  let dockerd: Dockerd;
  let environment: DrilledEnvironment | undefined;
  beforeAll(async () => {
    [platform, dockerd] = await Promise.all([startLivePlatform(), startDockerd(["procps"])]);
    await dockerd.runAgent("ruby", "procps", "sleep 600");
  });
  afterAll(async () => {
    await platform?.close();
    await dockerd?.close();
  });

  beforeEach(async () => {
    await platform.reset();
    await platform.addAgent("ruby");
    await platform.addExecution({ id: "own-run", agent: "ruby", ageSeconds: 20 });
    await platform.addSlot("ruby", "own-run", { ageSeconds: 20 });
    await platform.addExecution({ id: "over", agent: "ruby", status: "success" });
  });
  afterEach(async () => {
    await environment?.close();
    environment = undefined;
  });

  const settings = (more: Partial<EnvironmentSettings> = {}): EnvironmentSettings => ({
    ...parseEnvironment("staging", {
      libsqlUrl: platform.sql.url,
      redisUrl: platform.rest.url,
      dockerHosts: [dockerd.env.DOCKER_HOSTS],
      queueCountsUrl: "sql",
      network: { vpcId: "vpc-0a1b2c3d", subnetIds: ["subnet-0a1b2c3d"] },
      functionUrl: { auth: "bearer" },
      removal: "delete",
      zombieDwellSeconds: 0,
    }),
    ...more,
  });
  const VARIABLES = () => ({
    UPSTASH_REDIS_REST_TOKEN: REST_TOKEN,
    DOCKER_TLS_CA: dockerd.env.DOCKER_TLS_CA,
    DOCKER_TLS_CERT: dockerd.env.DOCKER_TLS_CERT,
    DOCKER_TLS_KEY: dockerd.env.DOCKER_TLS_KEY,
  });

  /** The API of the canary that watches the environment. */
  function deployedCanary(more: Record<string, string> = {}): DeployedDrillOptions["call"] {
    const { dynamo, env } = platform;
    const variables = { ...env, ...dockerd.env, CONFIRM_AFTER_MS: "60", ...more };
    const canary = openCanary(variables, { state: dynamo });
    const app = createApp({
      canary,
      runCycle: (request) => runCycle(canary, request),
      adminToken: TOKEN,
      logError() {},
    });
    return async (path, { method = "GET", body } = {}) =>
      app.request(path, {
        method,
        ...(body !== undefined && { body }),
        headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
      });
  }
  async function open(options: Partial<DeployedDrillOptions> = {}): Promise<DrilledEnvironment> {
    environment = await openDeployed({
      environment: "staging",
      settings: settings(),
      call: deployedCanary(),
      variables: VARIABLES(),
      ...options,
    });
    return environment;
  }
  async function drill(
    ids: readonly string[],
    at: DrilledEnvironment,
    signal = new AbortController().signal,
  ) {
    const faults = DRILLED.filter(({ invariantId }) => ids.includes(invariantId));
    return runDrill({ ...at, faults, signal, onProof() {} });
  }

  /** The rows and slots of all agents other than a drill's. */
  async function everything() {
    const { rows } = await platform.database.execute("SELECT * FROM schedule_executions ORDER BY id");
    const roster = await platform.database.execute("SELECT * FROM agent_ownership ORDER BY agent_name");
    const keys = (await platform.redis.keys("*")).sort();
    const schedules = await platform.database.execute("SELECT * FROM agent_schedules ORDER BY id");
    const containers = await dockerd.docker("ps", "-a", "--format", "{{.ID}} {{.Names}} {{.Status}}");
    return {
      rows: rows.map((row) => ({ ...row })),
      roster: roster.rows.map((row) => ({ ...row })),
      schedules: schedules.rows.map((row) => ({ ...row })),
      values: await Promise.all(keys.map(async (key) => [key, await platform.redis.dump(key)])),
      containers: containers.replaceAll(/Up .*/g, "Up"),
    };
  }
  const outcomes = (proofs: Awaited<ReturnType<typeof drill>>) =>
    Object.fromEntries(proofs.map((p) => [p.invariant_id, p.outcome]));

  test("proves what can be provoked there, says what can't, and leaves everything as it was", async () => {
    const before = await everything();
    const at = await open({ image: "procps" });
    const proofs = await drill(RUN, at);
    expect(outcomes(proofs)).toEqual({
      ...Object.fromEntries(RUN.map((id) => [id, "proven"])),
      "H-01": "impossible",
      "H-02": "impossible",
      "H-03": "impossible",
      "B-01": "impossible",
      "B-02": "impossible",
    });
    expect(proofs.filter((p) => p.outcome === "impossible").map((p) => p.reason)).toEqual([
      ...Array(3).fill(
        "where the canary reads is its configuration: a drill does not touch what others use; provoke it with a drill on this machine",
      ),
      "the accessor is the platform's own code: a drill does not touch what others use; provoke it with a drill on this machine",
      "the heartbeat is the whole platform's: a drill does not touch what others use; provoke it with a drill on this machine",
      "sweeps would drain the row: a drill does not touch what others use; provoke it with a drill on this machine",
    ]);
    expect(exitCodeOf(proofs, proofs.length)).toBe(2);
    expect(await everything()).toEqual(before);
  });

  test("what is red already of others is not its business: it joins as a spread, and is seen to recover", async () => {
    for (const id of ["a", "b", "c"]) {
      await platform.addExecution({ id, agent: "ruby", ageSeconds: 20 });
      await platform.addSlot("ruby", id, { ageSeconds: 20 });
    }
    const call = deployedCanary();
    await call("/api/canary/run-cycle", { method: "POST", body: "{}" });
    const [proof] = await drill(["S-02"], await open({ call }));
    expect(proof).toMatchObject({ outcome: "proven", observed_state: { slot_count: 3 } });
  });

  test("columns that a newer platform asks for are filled as another agent has them", async () => {
    const columns = ["owner_id INTEGER NOT NULL DEFAULT 7", "created_at TEXT NOT NULL DEFAULT 'x'"];
    for (const column of columns)
      await platform.database.execute(`ALTER TABLE agent_ownership ADD COLUMN ${column}`);
    const sql = "SELECT sql FROM sqlite_master WHERE name = 'agent_ownership'";
    const made = String((await platform.database.execute(sql)).rows[0]!.sql).replaceAll(
      / DEFAULT (7|'x')/g,
      "",
    );
    await platform.database.batch(
      [
        "ALTER TABLE agent_ownership RENAME TO old_ownership",
        made.replaceAll("old_ownership", "agent_ownership"),
        "INSERT INTO agent_ownership SELECT * FROM old_ownership",
        "DROP TABLE old_ownership",
      ],
      "write",
    );
    const strict = createClient({ url: platform.sql.url });
    await expect(
      strict.execute("INSERT INTO agent_ownership (agent_name) VALUES ('without-owner')"),
    ).rejects.toThrow(/NOT NULL/);
    strict.close();
    expect(await drill(["S-01"], await open())).toMatchObject([{ outcome: "proven" }]);
    await platform.database.batch(
      [
        "ALTER TABLE agent_ownership DROP COLUMN owner_id",
        "ALTER TABLE agent_ownership DROP COLUMN created_at",
      ],
      "write",
    );
  });

  test("Ctrl-C while R-01's zombie is there: the container goes, and everything is as it was", async () => {
    const before = await everything();
    const controller = new AbortController();
    const at = await open({ image: "procps" });
    const zombie = DRILLED.find(({ invariantId }) => invariantId === "R-01")!;
    const interrupted: Fault = {
      ...zombie,
      async provoke(agent) {
        await zombie.provoke(agent);
        expect(await dockerd.docker("ps", "--format", "{{.Names}}")).toContain(agent.name);
        controller.abort();
      },
    };
    const proofs = await runDrill({ ...at, faults: [interrupted], signal: controller.signal, onProof() {} });
    expect(proofs).toMatchObject([{ outcome: "failed", reason: "interrupted" }]);
    expect(await everything()).toEqual(before);
  });

  test("without a name for the image, the container is made as an agent's that runs there", async () => {
    const { docker } = (await open()).target;
    if ("absent" in docker) throw new Error(docker.absent);
    await docker.containers.create("canary-drill-like-ruby");
    expect(await dockerd.docker("inspect", "-f", "{{.Config.Image}}", "agent-canary-drill-like-ruby")).toBe(
      "procps",
    );
    await docker.containers.remove("canary-drill-like-ruby");
  });

  test.each<[string, Partial<EnvironmentSettings>, string, string]>([
    [
      "a mounted database",
      { libsqlUrl: "file:/mnt/trinity/trinity.db" },
      "S-02",
      "its database is a mounted file, which can't be reached from here",
    ],
    ["no Redis", { redisUrl: "none" }, "E-05", "its environment names no redisUrl"],
    [
      "an invariant that its environment turns off",
      { checks: { off: ["S-02"], on: [], severities: {} } },
      "S-02",
      "its environment does not run S-02: off by CHECKS_OFF",
    ],
    ["no Docker", { dockerHosts: "none" }, "R-01", "its environment names no dockerHosts"],
    [
      "a dwell, the default",
      { zombieDwellSeconds: 600 },
      "R-01",
      "its canary counts a zombie after 600 s, and a drill does not wait: deploy it with zombieDwellSeconds 0, and drill R-01 then",
    ],
    [
      "a daemon that is down",
      { dockerHosts: ["tcp://127.0.0.1:1"] },
      "R-01",
      "the first Docker daemon does not answer: connect ECONNREFUSED 127.0.0.1:1",
    ],
  ])(
    "%s: what can't be provoked is said, with the reason, and it is no success",
    async (_, more, id, reason) => {
      const proofs = await drill([id], await open({ settings: settings(more) }));
      expect(proofs).toMatchObject([{ outcome: "impossible", reason }]);
      expect(exitCodeOf(proofs, 1)).toBe(2);
    },
  );

  test("a check that is off in the deployed canary can't be proven", async () => {
    const call = deployedCanary({ UPSTASH_REDIS_REST_URL: "none", UPSTASH_REDIS_REST_TOKEN: "" });
    expect(await drill(["S-02"], await open({ call }))).toMatchObject([
      { outcome: "impossible", reason: "S-02 is off: its canary does not run it" },
    ]);
  });

  test("a canary that watches something else proves nothing, and nothing stays behind", async () => {
    const before = await everything();
    const blind: DeployedDrillOptions["call"] = async (path) =>
      path.includes("run-cycle")
        ? Response.json({ detail: "no such thing", code: "not_found" }, { status: 404 })
        : Response.json({ cycles: [], next_cursor: null });
    const [proof] = await drill(["S-02"], await open({ call: blind }));
    expect(proof!.reason).toBe("the canary answered HTTP 404: no such thing");
    expect(await everything()).toEqual(before);
  });

  test("a token that may not write is named, and nothing stays behind", async () => {
    const variables = { ...VARIABLES(), UPSTASH_REDIS_REST_TOKEN: "may-not" };
    const [proof] = await drill(["S-01"], await open({ variables }));
    expect(proof).toMatchObject({ outcome: "failed" });
    expect(proof!.reason).toContain("Unauthorized");
    const left = "SELECT 1 FROM schedule_executions WHERE agent_name LIKE 'canary-drill-%'";
    expect((await platform.database.execute(left)).rows).toEqual([]);
  });

  test("an environment with the addresses of the examples is refused before anything is written", async () => {
    await expect(open({ settings: settings({ redisUrl: "https://redis.example.com" }) })).rejects.toThrow(
      "staging.redisUrl still names an address of the examples: correct it",
    );
  });
});
