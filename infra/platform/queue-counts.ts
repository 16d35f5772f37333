/** The platform's queue accessor over HTTP. */
import { Hono } from "hono";
import { bearerAuth } from "hono/bearer-auth";
import type { SqlClient } from "./file-client.ts";

/** The query of `get_queued_count`, for every agent on the roster. */
const COUNTS = `SELECT o.agent_name AS agent, (SELECT COUNT(*) FROM schedule_executions e
  WHERE e.agent_name = o.agent_name AND e.status = 'queued') AS queued FROM agent_ownership o`;

/**
 * `GET /` → `{"counts": {"<agent>": <n>}}`, or 503 while there is no database.
 * @param database called for each request
 * @param token the bearer token that a request needs
 * @param cached counts of a stale cache in front of the database, by agent: the fault that B-01 finds
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
