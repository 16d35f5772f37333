/** The scenarios of the first live verification: provoke, see red, revert, see green. */

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Backend } from "../../infra/platform/file-client.ts";
import { UNREADABLE } from "../../shared/sources/sql/rows.ts";
import { describeLive } from "../support/live.ts";
import { type LivePlatform, NEEDS, secondsAgo, startLivePlatform } from "../support/live-platform.ts";
import { idsRunWithout } from "../support/registry.ts";

const AGENT = "canary-test-882";
/** All invariants without those that need Docker, which have their own tests. */
const WITHOUT_DOCKER = idsRunWithout("docker");

describeLive(NEEDS.sqlite, "a platform on real servers, its database SQLite", () => stories("sqlite"));
describeLive(NEEDS.postgres, "a platform on real servers, its database PostgreSQL", () =>
  stories("postgres"),
);

function stories(backend: Backend) {
  /** PostgreSQL keeps such values out of its columns. */
  const testOfLaxTypes = backend === "sqlite" ? test : () => {};
  let platform: LivePlatform;
  beforeAll(async () => {
    platform = await startLivePlatform(backend);
  });
  afterAll(() => platform?.close());
  let startedMs: number;
  beforeEach(async () => {
    startedMs = Date.now();
    await platform.reset();
    await platform.addAgent(AGENT);
  });

  /** Asserts an age that was `seconds` when the test wrote it: it grows for as long as the test has run. */
  function expectAge(age: unknown, seconds: number) {
    expect(age).toBeGreaterThanOrEqual(seconds - 1);
    expect(age).toBeLessThanOrEqual(seconds + Math.ceil((Date.now() - startedMs) / 1000));
  }
  const cycle = (env?: Record<string, string>) =>
    platform.cycle({ invariants: WITHOUT_DOCKER, ...(env && { env }) });
  const statuses = (report: Awaited<ReturnType<typeof cycle>>) =>
    Object.fromEntries(Object.entries(report.verdicts).map(([id, { status }]) => [id, status]));
  const green = Object.fromEntries(WITHOUT_DOCKER.map((id) => [id, "green"]));

  /** Asserts red with one transition for each, then red without one, and after the cure green without one. */
  async function expectStory(ids: string[], cure: () => Promise<unknown>, env?: Record<string, string>) {
    const red = await cycle(env);
    expect(statuses(red)).toEqual({ ...green, ...Object.fromEntries(ids.map((id) => [id, "red"])) });
    expect(red.transitions.map((t) => t.invariant_id)).toEqual(ids);
    expect(red.sources_unavailable).toEqual([]);
    const again = await cycle(env);
    expect(again.transitions).toEqual([]);
    expect(statuses(again)).toEqual(statuses(red));
    await cure();
    const cured = await cycle(env);
    expect(statuses(cured)).toEqual(green);
    expect(cured.violations).toEqual([]);
    expect(cured.transitions).toEqual([]);
    expect(cured.recoveries.map((r) => r.invariant_id)).toEqual(ids);
    return red.violations;
  }

  test("a clean platform with runs, a queue and slots: every check runs, nothing is found", async () => {
    await platform.addExecution({ id: "run-1", agent: AGENT, ageSeconds: 20 });
    await platform.addSlot(AGENT, "run-1", { ageSeconds: 20 });
    await platform.addExecution({ id: "queued-1", agent: AGENT, status: "queued", session: null });
    const report = await cycle();
    expect(report.checks_run).toEqual(WITHOUT_DOCKER);
    expect(statuses(report)).toEqual(green);
    expect(report).toMatchObject({
      sources_unavailable: [],
      violations: [],
      transitions: [],
      checks_off: [],
    });
  });

  test("three slots for a cap of two: S-02, and S-01 since no row stands behind them", async () => {
    const key = `agent:slots:${AGENT}`;
    for (const id of ["fake-eid-3", "fake-eid-1", "fake-eid-2"])
      await platform.addSlot(AGENT, id, { ageSeconds: 30 });
    const violations = await expectStory(["S-01", "S-02"], () => platform.redis.del(key));
    expect(violations.find((v) => v.invariant_id === "S-02")).toMatchObject({
      tier: "A",
      severity: "critical",
      subject: AGENT,
      signal_query: `ZCARD(${key}) - drain sentinels = 3 > max_parallel_tasks = 2`,
      observed_state: {
        agent_name: AGENT,
        slot_count: 3,
        max_parallel_tasks: 2,
        overbooked_by: 1,
        slot_ids: ["fake-eid-1", "fake-eid-2", "fake-eid-3"],
        snapshot_time: expect.stringMatching(/^\d{4}-.*Z$/),
      },
    });
    expect(violations.find((v) => v.invariant_id === "S-01")!.observed_state).toMatchObject({
      redis_slot_count: 3,
      sql_running_count: 0,
      in_redis_only: ["fake-eid-1", "fake-eid-2", "fake-eid-3"],
      in_sql_only: [],
    });
  });

  test("a run that started two hours ago with a timeout of 60 s: E-01", async () => {
    await platform.addExecution({ id: "old-run", agent: AGENT, ageSeconds: 7436 });
    await platform.addSlot(AGENT, "old-run");
    const violations = await expectStory(["E-01"], async () => {
      await platform.database.execute("DELETE FROM schedule_executions");
      await platform.redis.del(`agent:slots:${AGENT}`);
    });
    const [violation] = violations;
    expect(violation).toMatchObject({
      tier: "B",
      severity: "critical",
      observed_state: {
        execution_id: "old-run",
        execution_timeout_seconds: 60,
        slot_ttl_buffer_seconds: 300,
        effective_timeout_seconds: 60,
      },
    });
    const age = violation!.observed_state.age_seconds;
    expectAge(age, 7436);
    expect(violation!.signal_query).toBe(
      `schedule_executions row old-run (agent=${AGENT}) status='running' age=${age}s > timeout+buffer=360s`,
    );
  });

  test("a row that has been running for three minutes without a session: E-05, major", async () => {
    await platform.addExecution({ id: "lost", agent: AGENT, ageSeconds: 180, session: null });
    await platform.addSlot(AGENT, "lost", { ageSeconds: 180 });
    const [violation] = await expectStory(["E-05"], () =>
      platform.database.execute("UPDATE schedule_executions SET claude_session_id = 'here'"),
    );
    expect(violation).toMatchObject({
      tier: "B",
      severity: "major",
      observed_state: { execution_id: "lost", grace_seconds: 60 },
    });
    expectAge(violation!.observed_state.age_seconds, 180);
  });

  test("an accessor that counts one too few: B-01", async () => {
    await platform.addExecution({ id: "waiting", agent: AGENT, status: "queued", session: null });
    let lost = 1;
    const accessor = createServer((_, answer) =>
      answer.end(JSON.stringify({ counts: { [AGENT]: 1 - lost } })),
    );
    accessor.listen(0, "127.0.0.1");
    await once(accessor, "listening");
    const env = { QUEUE_COUNTS_URL: `http://127.0.0.1:${(accessor.address() as AddressInfo).port}/counts` };
    try {
      const [violation] = await expectStory(
        ["B-01"],
        async () => {
          lost = 0;
        },
        env,
      );
      expect(violation).toMatchObject({
        severity: "critical",
        observed_state: { service_count: 0, snapshot_count: 1, snapshot_queued_ids: ["waiting"] },
        signal_query: `db.get_queued_count('${AGENT}') = 0 != |queued ids in snapshot| = 1`,
      });
    } finally {
      accessor.close();
    }
  });

  test("a slot that was given 300 s where the floor is 360: S-03 below_floor", async () => {
    await platform.addExecution({ id: "s03-eid", agent: AGENT });
    const hash = `agent:slot:${AGENT}:s03-eid`;
    await platform.redis.zadd(`agent:slots:${AGENT}`, Date.now() / 1000, "s03-eid");
    await platform.redis.hset(hash, { started_at: "now" });
    await platform.redis.expire(hash, 300);
    const [violation] = await expectStory(["S-03"], () => platform.redis.expire(hash, 500));
    expect(violation).toMatchObject({
      severity: "critical",
      observed_state: {
        redis_ttl_seconds: expect.any(Number),
        floor_seconds: 360,
        kind: "below_floor",
        floor_source: "agent",
      },
    });
    const ttl = violation!.observed_state.redis_ttl_seconds as number;
    // A TTL falls by as much as an age grows.
    expectAge(600 - ttl, 300);
    expect(violation!.signal_query).toBe(`TTL(${hash}) = ${ttl} (below_floor); floor = 360s`);
  });

  test("a slot whose hash is gone: S-03 missing", async () => {
    await platform.addExecution({ id: "s03-eid", agent: AGENT, ageSeconds: 10 });
    await platform.addSlot(AGENT, "s03-eid", { ageSeconds: 10 });
    await platform.redis.del(`agent:slot:${AGENT}:s03-eid`);
    const [violation] = await expectStory(["S-03"], () =>
      platform.addSlot(AGENT, "s03-eid", { ageSeconds: 10 }),
    );
    expect(violation!.observed_state).toMatchObject({
      redis_ttl_seconds: -2,
      kind: "missing",
      floor_seconds: 360,
    });
  });

  test("a queue beside two free slots, and no sweep for ten minutes: B-02", async () => {
    await platform.addExecution({ id: "waiting", agent: AGENT, status: "queued", session: null });
    await platform.redis.set("canary:drain_tick_at", String(Date.now() / 1000 - 600));
    const [violation] = await expectStory(["B-02"], () =>
      platform.redis.set("canary:drain_tick_at", String(Date.now() / 1000)),
    );
    const age = violation!.observed_state.drain_tick_age_seconds;
    expectAge(age, 600);
    expect(violation).toMatchObject({
      tier: "B",
      observed_state: {
        queued_count: 1,
        slot_count: 0,
        max_parallel_tasks: 2,
        free_slots: 2,
        drain_tick_grace_seconds: 60,
      },
      signal_query: `agent ${AGENT}: queued=1, slots=0/2 (free=2), drain_tick_age=${age}s > 60s`,
    });
  });

  test("a finished run that is running again: E-02, with its real previous status", async () => {
    await platform.addExecution({
      id: "phoenix",
      agent: AGENT,
      status: "success",
      completedAt: secondsAgo(60),
      ageSeconds: 3 * 86_400,
    });
    expect(statuses(await cycle())).toEqual(green);
    await platform.database.execute(
      `UPDATE schedule_executions SET status = 'running', started_at = '${secondsAgo(1)}' WHERE id = 'phoenix'`,
    );
    await platform.addSlot(AGENT, "phoenix");
    const [violation] = await expectStory(["E-02"], async () => {
      await platform.database.execute(
        `UPDATE schedule_executions SET status = 'success', completed_at = '${secondsAgo(0)}' WHERE id = 'phoenix'`,
      );
      await platform.redis.del(`agent:slots:${AGENT}`);
    });
    expect(violation).toMatchObject({
      observed_state: { execution_id: "phoenix", previous_status: "success", current_status: "running" },
      signal_query: "execution_id phoenix was success in previous cycle; now running",
    });
  });

  test("a skipped row that comes to life: E-02", async () => {
    await platform.addExecution({
      id: "skipped-1",
      agent: AGENT,
      status: "skipped",
      completedAt: secondsAgo(0),
    });
    await cycle();
    await platform.database.execute(
      `UPDATE schedule_executions SET status = 'queued', queued_at = '${secondsAgo(0)}', backlog_metadata = '{}' WHERE id = 'skipped-1'`,
    );
    const report = await cycle();
    expect(report.violations.map((v) => v.observed_state)).toMatchObject([
      { execution_id: "skipped-1", previous_status: "skipped", current_status: "queued" },
    ]);
  });

  test("a failed run that does not say when it ended: E-03, major; a skipped one and an old one need not", async () => {
    const untimed = { agent: AGENT, status: "failed", completedAt: null };
    await platform.addExecution({ ...untimed, id: "skipped", status: "skipped" });
    await platform.addExecution({ ...untimed, id: "old", ageSeconds: 90 * 86_400 });
    await platform.addExecution({ ...untimed, id: "lost", ageSeconds: 30 });
    const violations = await expectStory(["E-03"], () =>
      platform.database.execute(
        `UPDATE schedule_executions SET completed_at = '${secondsAgo(0)}' WHERE id = 'lost'`,
      ),
    );
    expect(violations).toMatchObject([
      {
        tier: "A",
        severity: "major",
        subject: AGENT,
        observed_state: { execution_id: "lost", status: "failed", completed_at: null },
        signal_query: `schedule_executions row lost (agent=${AGENT}) status='failed' has completed_at IS NULL`,
      },
    ]);
  });

  test("queued rows without a time, a task, or with half a task: E-04, and the task is not shown", async () => {
    const waiting = { agent: AGENT, status: "queued", session: null };
    await platform.addExecution({ ...waiting, id: "a", queuedAt: null });
    await platform.addExecution({ ...waiting, id: "b", backlog: null });
    await platform.addExecution({ ...waiting, id: "c", backlog: '{"message": "a secr' });
    await platform.addExecution({ ...waiting, id: "fine" });
    const violations = await expectStory(["E-04"], () =>
      platform.database.execute(
        `UPDATE schedule_executions SET queued_at = '${secondsAgo(0)}', backlog_metadata = '{}'`,
      ),
    );
    expect(violations.map(({ observed_state: o }) => [o.execution_id, o.reason])).toEqual([
      ["a", "queued_at_null"],
      ["b", "backlog_metadata_null"],
      ["c", "backlog_metadata_invalid_json"],
    ]);
    expect(violations[0]).toMatchObject({
      severity: "major",
      signal_query: `schedule_executions queued row a (agent=${AGENT}): queued_at_null`,
    });
    expect(JSON.stringify(violations)).not.toContain("secr");
  });

  test("a schedule that was due two hours ago: E-06; those of deleted agents and deleted ones are none", async () => {
    await platform.addAgent("soft-deleted");
    await platform.database.execute(
      `UPDATE agent_ownership SET deleted_at = '${secondsAgo(60)}' WHERE agent_name = 'soft-deleted'`,
    );
    const due = secondsAgo(7_200);
    await platform.database.execute(
      `INSERT INTO agent_schedules (id, agent_name, enabled, next_run_at, deleted_at) VALUES
       ('nightly', '${AGENT}', 1, '${due}', NULL), ('soon', '${AGENT}', 1, '${secondsAgo(-60)}', NULL),
       ('naive', '${AGENT}', 1, '${secondsAgo(60).slice(0, -1)}', NULL), ('off', '${AGENT}', 0, '${due}', NULL),
       ('deleted', '${AGENT}', 1, '${due}', '${secondsAgo(60)}'), ('theirs', 'soft-deleted', 1, '${due}', NULL)`,
    );
    const [violation, ...others] = await expectStory(["E-06"], () =>
      platform.database.execute("UPDATE agent_schedules SET enabled = 0 WHERE id = 'nightly'"),
    );
    expect(others).toEqual([]);
    const overdue = violation!.observed_state.overdue_seconds as number;
    expect(overdue).toBeGreaterThanOrEqual(7_200);
    expect(violation).toMatchObject({
      tier: "B",
      severity: "major",
      subject: AGENT,
      observed_state: { schedule_id: "nightly", next_run_at: due, misfire_grace_seconds: 3_600 },
      signal_query: `agent_schedules row nightly (agent=${AGENT}) enabled with next_run_at=${due} overdue ${overdue}s > grace 3600s`,
    });
  });

  test("a run that ended before it started: G-03, minor; times of another shape are the same times", async () => {
    const end = secondsAgo(60);
    await platform.addExecution({
      id: "naive",
      agent: AGENT,
      status: "success",
      ageSeconds: 90,
      completedAt: end.slice(0, -1),
    });
    const california = new Date(Date.parse(end) - 8 * 3_600_000).toISOString().replace("Z", "-08:00");
    await platform.addExecution({
      id: "there",
      agent: AGENT,
      status: "success",
      ageSeconds: 90,
      completedAt: california,
    });
    await platform.addExecution({
      id: "back",
      agent: AGENT,
      status: "success",
      ageSeconds: 10,
      completedAt: end,
    });
    const violations = await expectStory(["G-03"], () =>
      platform.database.execute(
        `UPDATE schedule_executions SET completed_at = '${secondsAgo(0)}' WHERE id = 'back'`,
      ),
    );
    expect(violations).toMatchObject([
      {
        tier: "A",
        severity: "minor",
        observed_state: { execution_id: "back", status: "success", completed_at: end },
      },
    ]);
    expectAge(violations[0]!.observed_state.skew_seconds, 50);
  });

  test("a token in a queued task: G-04, and nothing of the token leaves the database; an image is none", async () => {
    const waiting = { agent: AGENT, status: "queued", session: null };
    const image = JSON.stringify({ message: "task-1", images: [{ data: "AAAA/AIzaAAAA+sk-abc" }] });
    await platform.addExecution({ ...waiting, id: "image", backlog: image });
    await platform.addExecution({
      ...waiting,
      id: "leaky",
      backlog: JSON.stringify({ message: "push with ghp_q1w2e3r4t5" }),
    });
    const violations = await expectStory(["G-04"], () =>
      platform.database.execute("UPDATE schedule_executions SET backlog_metadata = '{}'"),
    );
    expect(violations).toMatchObject([
      {
        tier: "A",
        severity: "critical",
        subject: AGENT,
        observed_state: { execution_id: "leaky", matched_pattern: "ghp" },
        signal_query: `schedule_executions queued row leaky (agent=${AGENT}) backlog_metadata matched credential pattern 'ghp'`,
      },
    ]);
    expect(JSON.stringify(violations)).not.toContain("q1w2e3r4t5");
  });

  test("rows in every table and a slot of an agent that was deleted: L-03 for that one ghost", async () => {
    const ghost = "ghost-agent";
    for (const table of [
      "agent_schedules",
      "chat_sessions",
      "agent_shared_files",
      "agent_public_links",
      "agent_reports",
      "operator_queue",
      "access_requests",
    ])
      await platform.database.execute(
        `INSERT INTO ${table} (id, agent_name) VALUES ('id-of-${table}', '${ghost}')`,
      );
    for (const table of ["agent_sharing", "agent_skills"])
      await platform.database.execute(`INSERT INTO ${table} (agent_name) VALUES ('${ghost}')`);
    await platform.database.execute(`INSERT INTO agent_tags VALUES ('${ghost}', 'a tag')`);
    await platform.database.execute(
      `INSERT INTO mcp_api_keys VALUES ('key', '${ghost}', 'agent'), ('user-key', '${ghost}', 'user'), ('none', NULL, 'agent')`,
    );
    await platform.addExecution({ id: "live", agent: ghost, status: "pending_retry" });
    await platform.database.execute(
      "UPDATE schedule_executions SET retry_scheduled_at = '2026-11-23T10:00:00Z' WHERE id = 'live'",
    );
    // Its retry was made: it is finished, and a purge keeps it.
    await platform.addExecution({ id: "retried", agent: ghost, status: "pending_retry" });
    await platform.database.execute(
      "INSERT INTO operator_queue (id, agent_name) VALUES ('an-alarm', '_retention-guard')",
    );
    await platform.addExecution({ id: "over", agent: ghost, status: "success" });
    await platform.addSlot(ghost, "slot", { ageSeconds: 10 });
    const [violation] = await expectStory(["L-03"], async () => {
      for (const table of [
        "agent_schedules",
        "chat_sessions",
        "agent_shared_files",
        "agent_public_links",
        "agent_reports",
        "operator_queue",
        "access_requests",
        "agent_sharing",
        "agent_skills",
        "agent_tags",
        "mcp_api_keys",
        "schedule_executions",
      ])
        await platform.database.execute(`DELETE FROM ${table} WHERE agent_name = '${ghost}'`);
      await platform.redis.del(`agent:slots:${ghost}`);
    });
    expect(violation).toMatchObject({
      severity: "critical",
      subject: ghost,
      signal_query: `agent_name '${ghost}' referenced by 12 SQL row(s) and 1 Redis slot(s) but absent from agent_ownership`,
      observed_state: {
        ghost_agent_name: ghost,
        orphan_count: 12,
        redis_slot_count: 1,
        tables_hit: [
          "access_requests",
          "agent_public_links",
          "agent_reports",
          "agent_schedules",
          "agent_shared_files",
          "agent_sharing",
          "agent_skills",
          "agent_tags",
          "chat_sessions",
          "mcp_api_keys",
          "operator_queue",
          "redis:agent:slots",
          "schedule_executions",
        ],
      },
    });
    const samples = violation!.observed_state.sample_refs as { table: string; row_id: string }[];
    expect(samples).toHaveLength(10);
    expect(samples).toContainEqual({
      table: "agent_tags",
      column: "agent_name",
      row_id: `agent_name=${ghost}, tag=a tag`,
    });
  });

  test("ids that look like numbers, JSON, or markup are text everywhere", async () => {
    const ids = [
      "123",
      "1e5",
      "null",
      "{}",
      "true",
      '"quoted"',
      "a:b:c",
      "🚀🧨",
      "OK",
      " spaced ",
      "x".repeat(500),
    ];
    await platform.database.execute(`UPDATE agent_ownership SET max_parallel_tasks = 50`);
    for (const id of ids) {
      await platform.addExecution({ id, agent: AGENT, ageSeconds: 10 });
      await platform.addSlot(AGENT, id, { ageSeconds: 10 });
    }
    expect(statuses(await cycle())).toEqual(green);
    await platform.database.execute("DELETE FROM schedule_executions");
    const report = await cycle();
    expect(report.violations[0]!.observed_state.in_redis_only).toEqual([...ids].sort());
  });

  testOfLaxTypes("values that don't fit their column spoil their own row, never the snapshot", async () => {
    await platform.addAgent("spoiled");
    await platform.database.execute(
      `UPDATE agent_ownership SET max_parallel_tasks = 'many', execution_timeout_seconds = x'ff00' WHERE agent_name = 'spoiled'`,
    );
    await platform.database.execute(
      `INSERT INTO agent_ownership (agent_name) VALUES (CAST(x'ff80' AS TEXT))`,
    );
    await platform.addExecution({ id: "fine", agent: AGENT, ageSeconds: 10 });
    await platform.addSlot(AGENT, "fine", { ageSeconds: 10 });
    await platform.addExecution({ id: "no-start", agent: AGENT, ageSeconds: 10, session: null });
    await platform.database.execute(
      `UPDATE schedule_executions SET started_at = 'garbage', duration_ms = 'x' WHERE id = 'no-start'`,
    );
    await platform.addSlot(AGENT, "no-start", { ageSeconds: 10 });
    await platform.database.execute(
      `INSERT INTO schedule_executions (id, schedule_id, agent_name, status, started_at, message, triggered_by) VALUES (CAST(x'ff81' AS TEXT), 's', 'spoiled', 'running', '2020-01-01', 'm', 't')`,
    );
    const report = await cycle();
    expect(report.violations).toEqual([]);
    expect([...report.sources_unavailable].sort()).toEqual([
      `sqlite.executions[spoiled]: a live row's id ${UNREADABLE}`,
      `sqlite.roster: a row's agent_name ${UNREADABLE}`,
      "sqlite.roster[spoiled]: execution_timeout_seconds can't be read",
      "sqlite.roster[spoiled]: max_parallel_tasks can't be read",
    ]);
    expect(report.verdicts["S-02"]).toMatchObject({ status: "green", checked: 1, unseen: ["spoiled"] });
    expect(report.verdicts["E-05"]).toMatchObject({
      unseen: [`${AGENT}/no-start`, "spoiled/(unreadable id)"],
    });
  });

  testOfLaxTypes(
    "a run stuck for two hours beside a row whose id can't be read: E-01 is red, and the row is unseen",
    async () => {
      await platform.database.execute("UPDATE agent_ownership SET execution_timeout_seconds = 60");
      for (const id of ["stuck", "other"]) {
        await platform.addExecution({ id, agent: AGENT, ageSeconds: 7200 });
        await platform.addSlot(AGENT, id, { ageSeconds: 10 });
      }
      await platform.database.execute(
        "UPDATE schedule_executions SET id = CAST(x'ff' AS TEXT) WHERE id = 'other'",
      );
      const report = await cycle();
      expect(report.violations.map((v) => [v.invariant_id, v.observed_state.execution_id])).toEqual([
        ["E-01", "stuck"],
      ]);
      expect(report.verdicts["E-01"]!.unseen).toEqual([`${AGENT}/(unreadable id)`]);
      // The slot may be that of the row.
      expect(report.verdicts["S-01"]!.unseen).toEqual([
        `${AGENT}/redis:other`,
        `${AGENT}/sql:(unreadable id)`,
      ]);
      expect(report.sources_unavailable).toEqual([
        `sqlite.executions[${AGENT}]: a live row's id ${UNREADABLE}`,
      ]);
    },
  );

  testOfLaxTypes(
    "rows of a deleted agent whose name can't be read are an unseen part of L-03, with a line each",
    async () => {
      await platform.database.execute(
        "INSERT INTO agent_tags (agent_name, tag) VALUES (CAST(x'ff80' AS TEXT), 't')",
      );
      await platform.addExecution({ id: "lost", agent: AGENT, ageSeconds: 10 });
      await platform.database.execute("UPDATE schedule_executions SET agent_name = CAST(x'ff80' AS TEXT)");
      const report = await cycle();
      expect(report.violations).toEqual([]);
      expect(report.verdicts["L-03"]!.unseen).toEqual([
        "(unreadable name)/agent_tags",
        "(unreadable name)/schedule_executions",
      ]);
      expect([...report.sources_unavailable].sort()).toEqual([
        `sqlite.executions: a live row's agent_name ${UNREADABLE}`,
        `sqlite.orphans[agent_tags]: a row's agent_name ${UNREADABLE}`,
        `sqlite.orphans[schedule_executions]: a row's agent_name ${UNREADABLE}`,
      ]);
    },
  );

  test("a status that the contract does not know is reported, and taken for neither live nor terminal", async () => {
    await platform.addExecution({ id: "odd", agent: AGENT, status: "hibernating" });
    const report = await cycle();
    expect(report.violations).toEqual([]);
    expect(report.sources_unavailable).toEqual([
      `${backend}.executions: unknown status "hibernating", taken for neither live nor terminal`,
    ]);
  });

  test("a key of another type under agent:slots is one unreadable key, not a blind fleet", async () => {
    await platform.redis.set("agent:slots:odd", "a string");
    const report = await cycle();
    expect(statuses(report)).toEqual(green);
    expect(report.verdicts["L-03"]!.unseen).toEqual(["odd"]);
    expect(report.sources_unavailable).toEqual([expect.stringMatching(/^redis\.slots\[odd\]: WRONGTYPE/)]);
  });

  test("a slot that leaked stays red beside a member that can't be read, which counts against the cap", async () => {
    const key = `agent:slots:${AGENT}`;
    for (const id of ["leak", "run"]) await platform.addSlot(AGENT, id, { ageSeconds: 30 });
    await platform.addExecution({ id: "run", agent: AGENT, ageSeconds: 30 });
    expect(statuses(await cycle())).toEqual({ ...green, "S-01": "red" });
    await platform.redis.zadd(key, 1, Buffer.from([0xff]));
    const report = await cycle();
    expect(statuses(report)).toMatchObject({ "S-01": "red", "S-02": "red" });
    expect(report.violations).toMatchObject([
      {
        invariant_id: "S-01",
        observed_state: { in_redis_only: ["leak"], in_sql_only: [], redis_slot_count: 3 },
      },
      {
        invariant_id: "S-02",
        observed_state: { slot_count: 3, unread_slot_count: 1, slot_ids: ["leak", "run"] },
      },
    ]);
    expect(report.recoveries).toEqual([]);
    expect(report.sources_unavailable).toEqual([
      expect.stringMatching(`^redis\\.slots\\[${AGENT}\\]: 1 member`),
    ]);
  });

  test("a set of slots whose name is no UTF-8 is an unseen part of what judges slots, with a line", async () => {
    await platform.redis.zadd(Buffer.from("agent:slots:od\xff", "latin1"), 1, "run");
    const report = await cycle();
    expect(statuses(report)).toEqual(green);
    for (const id of ["S-01", "S-02", "S-03", "L-03"])
      expect([id, report.verdicts[id]!.unseen]).toEqual([id, ["od\ufffd"]]);
    expect(report.sources_unavailable).toEqual([expect.stringMatching(/^redis\.slots\[od\ufffd\]: /)]);
  });

  test("a heartbeat and a score of any size lose no violation, of theirs or of others", async () => {
    await platform.addExecution({ id: "waiting", agent: AGENT, status: "queued", session: null });
    await platform.addAgent("broken");
    await platform.addSlot("broken", "leak", { ageSeconds: 30 });
    await platform.redis.zadd("agent:slots:broken", "-inf", "older", "1e300", "newer");
    await platform.redis.set("canary:drain_tick_at", "-1e300");
    const report = await cycle();
    expect(statuses(report)).toMatchObject({ "S-01": "red", "B-02": "red", "E-05": "green" });
    expect(report.transitions.map((t) => t.invariant_id)).toEqual(expect.arrayContaining(["S-01", "B-02"]));
    expect(report.violations.find((v) => v.invariant_id === "B-02")!.observed_state).toMatchObject({
      drain_tick_at: "-1e+300",
      drain_tick_age_seconds: "1e+300",
    });
  });

  test("a heartbeat that is no time makes B-02 unknown and touches nothing else", async () => {
    for (const value of ["nan", "inf", "1e400", "soon", "", String(Date.now() / 1000 + 3600)]) {
      await platform.redis.set("canary:drain_tick_at", value);
      const report = await cycle();
      expect(statuses(report)).toEqual({ ...green, "B-02": "unknown" });
      expect(report.sources_unavailable).toEqual([expect.stringMatching(/^redis\.drain_tick: /)]);
    }
  });

  test("an old installation, without the newer columns, tables and indexes", async () => {
    await platform.database.batch(
      [
        "DROP INDEX idx_executions_status",
        "DROP INDEX idx_executions_queued",
        "DROP INDEX idx_executions_retry",
        "DROP INDEX idx_executions_completed_terminal",
        ...[
          "claude_session_id",
          "queued_at",
          "backlog_metadata",
          "lease_expires_at",
          "retry_scheduled_at",
        ].map((column) => `ALTER TABLE schedule_executions RENAME COLUMN ${column} TO old_${column}`),
        "ALTER TABLE operator_queue RENAME TO old_operator_queue",
      ],
      "write",
    );
    try {
      await platform.database.execute(
        `INSERT INTO schedule_executions (id, schedule_id, agent_name, status, started_at, message, triggered_by) VALUES ('run', 's', '${AGENT}', 'running', '${secondsAgo(10)}', 'm', 't')`,
      );
      await platform.addSlot(AGENT, "run", { ageSeconds: 10 });
      const report = await cycle();
      const { "E-04": _, "G-04": __, ...others } = green;
      expect(statuses(report)).toEqual({ ...others, "E-05": "unknown" });
      expect(report.checks_off).toEqual(["E-04", "G-04"]);
      expect(report.sources_unavailable).toEqual([
        `${backend}.sessions: column claude_session_id is missing`,
      ]);
    } finally {
      await platform.close();
      platform = await startLivePlatform(backend);
    }
  });
}
