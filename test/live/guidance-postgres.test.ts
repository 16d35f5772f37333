/** What an operator copies from an alert of a platform on PostgreSQL does what it says, through psql and a shell. */
import { spawnSync } from "node:child_process";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testAgent } from "../../infra/faults/test-agent.ts";
import { type LocalPostgres, startPostgres } from "../../infra/local/postgres.ts";
import { openPlatformDatabase } from "../../infra/platform/database.ts";
import { createSchema } from "../../infra/platform/schema.ts";
import { NOW, renderCommand, sql } from "../../shared/invariants/commands.ts";
import { guidanceOf } from "../../shared/invariants/guidance.ts";
import { findInvariant, INVARIANTS } from "../../shared/invariants/index.ts";
import { describeLive } from "../support/live.ts";
import { CHOICE, MENDED, startOperatorStores } from "../support/operator-stores.ts";

/** Names that a shell, a database or a terminal would trip over. */
const NAMES = [
  `it's "ruby" $(touch pwned)`,
  "back\\slash\\",
  "\\' OR 1 = 1 --",
  ":'HOME' :x %s",
  "a\nb\ttab",
  "\u001b[31mred",
  "zoë 🦀 \u202egnp.exe",
  "",
];

describeLive(["postgres", "psql"], "what is copied from an alert of a platform on PostgreSQL", () => {
  let server: LocalPostgres;
  beforeAll(async () => {
    server = await startPostgres({ engine: "postgres" });
  }, 120_000);
  afterAll(() => server?.close(), 60_000);

  /** Runs the lines for the database as an operator would. */
  function pasted(lines: readonly string[], url: string) {
    const script = lines.filter((line) => line.startsWith("psql ")).join("\n");
    const env = { PATH: process.env.PATH, TRINITY_DATABASE: url };
    return spawnSync("/bin/sh", ["-e"], { input: script, env, encoding: "utf8", timeout: 300_000 });
  }

  // A newer release has all that the seed has.
  test("every command is understood by the release of the seed", async () => {
    const { url } = await server.addDatabase("seed");
    const database = await openPlatformDatabase(url);
    await createSchema(database, "seed");
    database.close();
    const lines = INVARIANTS.flatMap((invariant) => {
      const { verify, fix } = guidanceOf(invariant, null, "postgres");
      // A choice is an operator's to make: its mark is taken away.
      return [...verify, ...fix].map((line) => line.replace(/^# psql /, "psql "));
    });
    const { status, stdout, stderr } = pasted([...new Set(lines)], url);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toContain("UPDATE 0");
  }, 300_000);

  test.each(["on", "off"])(
    "a value is the same value, with standard_conforming_strings %s",
    async (setting) => {
      const client = postgres(server.url, { max: 1, onnotice() {} });
      await client.unsafe(`DROP TABLE IF EXISTS names; CREATE TABLE names (name TEXT, at TEXT)`);
      await client.unsafe(`ALTER DATABASE trinity SET standard_conforming_strings = ${setting}`);
      const added = NAMES.map((name) =>
        renderCommand(sql`INSERT INTO names VALUES (${name}, ${NOW})`, "postgres"),
      );
      expect(pasted(added, server.url)).toMatchObject({ status: 0, stderr: "" });
      const rows = await client<{ name: string; at: string }[]>`SELECT name, at FROM names`;
      await client.end();
      expect(rows.map(({ name }) => name)).toEqual(NAMES);
      // The platform's own shape: UTC, with microseconds.
      for (const { at } of rows) {
        expect(at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
        expect(Math.abs(Date.parse(at) - Date.now())).toBeLessThan(600_000);
      }
    },
    300_000,
  );

  test("what only looks prints its rows and nothing else, and what writes says how many rows it changed", async () => {
    const { url } = await server.addDatabase("ghosts");
    const database = await openPlatformDatabase(url);
    await createSchema(database, "today");
    database.close();
    const guidance = guidanceOf(
      findInvariant("L-03")!,
      { ghost_agent_name: "it's ruby", tables_hit: ["agent_tags"] },
      "postgres",
    );
    const isGone = guidance.verify.slice(0, 2);
    expect(isGone[0]).toBe("# shows no row where the agent is gone");
    expect(pasted(isGone, url).stdout).toMatch(/^ *agent_name *\n-+\n\(0 rows\)\n+$/);
    expect(pasted(guidance.fix, url).stdout).toBe("DELETE 0\n");
  }, 300_000);

  test("what only looks can't write, and a mistake is an error", () => {
    const writes = renderCommand(sql`SELECT setval('here', ${1})`, "postgres");
    pasted([`psql -X -d "$TRINITY_DATABASE" -c 'CREATE SEQUENCE here'`], server.url);
    expect(pasted([writes], server.url)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("read-only transaction"),
    });
    expect(pasted([renderCommand(sql`SELECT 1 FROM no_such_table`, "postgres")], server.url)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("no_such_table"),
    });
  });
});

describeLive(
  ["postgres", "psql", "redis-server", "redis-cli"],
  "everything breaks at once on a platform on PostgreSQL",
  () => {
    test("what is pasted from the alerts ends all of it", async () => {
      const stores = await startOperatorStores("postgres");
      try {
        await stores.redis.set("canary:drain_tick_at", String(Date.now() / 1000));
        // A fault that moves the whole canary, or the sweep, hides the others.
        const faults = MENDED.filter(({ invariantId }) => !/^(H|B)-/.test(invariantId));
        const ids = [...new Set(faults.map(({ invariantId }) => invariantId))];
        const agents = faults.map((_, i) =>
          testAgent(stores.target, {
            name: `it's "ruby" $(touch pwned)\\ ${i}`,
            limits: { maxParallelTasks: 2, executionTimeoutSeconds: 60 },
            runPrefix: `ruby/run-${i}-`,
          }),
        );
        for (const [i, agent] of agents.entries()) {
          await agent.enlist();
          await faults[i]!.prepare?.(agent);
        }
        expect((await stores.cycle(...ids)).violations).toEqual([]);
        for (const [i, agent] of agents.entries()) await faults[i]!.provoke(agent);
        const broken = await stores.cycle(...ids);
        const red = Object.entries(broken.verdicts).filter(([, { status }]) => status === "red");
        expect(red.map(([id]) => id).sort()).toEqual([...ids].sort());
        // The slots of one fault are no concern of another's: S-01 sees those of S-02.
        const foundBy = ({ violations }: typeof broken) =>
          faults.flatMap(({ invariantId, subject }, i) => {
            const name = subject?.(agents[i]!) ?? agents[i]!.name;
            return violations.filter((one) => one.invariant_id === invariantId && one.subject === name);
          });
        expect(foundBy(broken).length).toBeGreaterThanOrEqual(faults.length);
        for (const { invariant_id, observed_state } of foundBy(broken)) {
          const { verify, fix } = guidanceOf(findInvariant(invariant_id)!, observed_state, "postgres");
          stores.pasted([...verify, ...fix.map((line) => line.replace(CHOICE, "$1"))]);
        }
        expect(foundBy(await stores.cycle(...ids))).toEqual([]);
      } finally {
        await stores.close();
      }
    }, 600_000);
  },
);
