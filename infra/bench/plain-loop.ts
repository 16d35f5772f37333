/** The baseline: a loop that asks the sources agent by agent, one request after the other. */
import { text } from "node:stream/consumers";
import { createClient } from "@libsql/client/http";
import { Redis } from "@upstash/redis";
import Docker from "dockerode";
import { AGENT_LABEL, EXECUTIONS, ROSTER, slotKey, slotsKey } from "../platform/names.ts";

export type Env = Readonly<Record<string, string>>;

/**
 * Sends for each agent one introspection, one SELECT of its live rows, one count of its queue, one ZRANGE, and a TTL for
 * each slot; then one exec for each container. The clients are made once and keep their connections.
 * @param env the variables of the canary that it is compared with
 */
export async function plainLoop(env: Env): Promise<void> {
  const database = createClient({ url: env.LIBSQL_URL! });
  const redis = new Redis({
    url: env.UPSTASH_REDIS_REST_URL!,
    token: env.UPSTASH_REDIS_REST_TOKEN!,
    automaticDeserialization: false,
    enableTelemetry: false,
    enableAutoPipelining: false,
  });
  const { rows: roster } = await database.execute(`SELECT agent_name FROM ${ROSTER}`);
  for (const { agent_name } of roster) {
    const agent = String(agent_name);
    await database.execute(`PRAGMA table_info(${EXECUTIONS})`);
    await database.execute({
      sql: `SELECT id, status, started_at, claude_session_id FROM ${EXECUTIONS} WHERE agent_name = ? AND status IN ('queued', 'running')`,
      args: [agent],
    });
    await database.execute({
      sql: `SELECT COUNT(*) FROM ${EXECUTIONS} WHERE agent_name = ? AND status = 'queued'`,
      args: [agent],
    });
    const members = await redis.zrange<string[]>(slotsKey(agent), 0, -1);
    for (const id of members) await redis.ttl(slotKey(agent, id));
  }
  if (env.DOCKER_HOSTS !== "none") await plainExecs(env);
}

/** Looks for zombies in each container, one exec after the other. `DOCKER_HOSTS` is one socket. */
export async function plainExecs(env: Env): Promise<void> {
  const docker = new Docker({ socketPath: env.DOCKER_HOSTS!.slice("unix://".length) });
  const label = [`${AGENT_LABEL.name}=${AGENT_LABEL.value}`];
  for (const { Id } of await docker.listContainers({ filters: { label } })) {
    const exec = await docker
      .getContainer(Id)
      .exec({ Cmd: ["ps", "-eo", "stat,pid,comm"], AttachStdout: true, AttachStderr: true });
    const stream = await exec.start({ hijack: false, stdin: false });
    if (!(await text(stream)).includes("PID")) throw new Error("ps printed no list");
    if ((await exec.inspect()).ExitCode !== 0) throw new Error("ps failed");
  }
}
