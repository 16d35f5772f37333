/** What the canary is measured against: a loop that asks the sources agent by agent, one request after the other. */
import { createClient } from "@libsql/client/http";
import { Redis } from "@upstash/redis";
import Docker from "dockerode";
import { AGENT_LABEL, EXECUTIONS, ROSTER, slotKey, slotsKey } from "../platform/names.ts";

export interface PlainSources {
  readonly libsqlUrl: string;
  readonly redisUrl: string;
  readonly redisToken: string;
  /** `unix:///path`; null where there is no Docker. */
  readonly docker: string | null;
}

/**
 * For each agent one introspection, one SELECT of its live rows, one count of its queue, one ZRANGE, and a TTL for each
 * slot; then for each container one exec. Clients are made once and keep their connections.
 */
export async function plainLoop(sources: PlainSources): Promise<void> {
  const database = createClient({ url: sources.libsqlUrl });
  const redis = new Redis({
    url: sources.redisUrl,
    token: sources.redisToken,
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
  if (sources.docker) await plainExecs(sources.docker);
}

/**
 * Looks for zombies in each container, one exec after the other.
 * @param host `unix:///path`
 */
export async function plainExecs(host: string): Promise<void> {
  const docker = new Docker({ socketPath: host.slice("unix://".length) });
  const label = [`${AGENT_LABEL.name}=${AGENT_LABEL.value}`];
  for (const { Id } of await docker.listContainers({ filters: { label } })) {
    const exec = await docker
      .getContainer(Id)
      .exec({ Cmd: ["ps", "-eo", "stat,pid,comm"], AttachStdout: true, AttachStderr: true });
    const stream = await exec.start({ hijack: false, stdin: false });
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    if (!Buffer.concat(chunks).includes("PID")) throw new Error("ps printed no list");
    if ((await exec.inspect()).ExitCode !== 0) throw new Error("ps failed");
  }
}
