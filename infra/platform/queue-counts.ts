/** The platform's queue accessor over HTTP. */
import { Hono } from "hono";
import { bearerAuth } from "hono/bearer-auth";
import type { SqlClient } from "./file-client.ts";

/** What `get_queued_count` asks for one agent, for each on the roster. */
const COUNTS = `SELECT o.agent_name AS agent, (SELECT COUNT(*) FROM schedule_executions e
  WHERE e.agent_name = o.agent_name AND e.status = 'queued') AS queued FROM agent_ownership o`;

/**
 * `GET /` → `{"counts": {"<agent>": <n>}}`, or 503 while there is no database.
 * @param database asked for each request
 * @param token the bearer token that is asked for
 * @param cached what a cache in front of the database holds, by agent: the fault that B-01 is there for
 */
export function queueCountsApp(
  database: () => SqlClient | undefined,
  token: string,
  cached: ReadonlyMap<string, number> = new Map(),
): Hono {
  const app = new Hono();
  app.use(bearerAuth({ token }));
  app.get("/", async (c) => {
    const client = database();
    if (!client) return c.json({ error: "the platform is starting" }, 503);
    const { rows } = await client.execute(COUNTS);
    return c.json({
      counts: Object.fromEntries(
        rows.map(({ agent, queued }) => [String(agent), cached.get(String(agent)) ?? Number(queued)]),
      ),
    });
  });
  return app;
}
