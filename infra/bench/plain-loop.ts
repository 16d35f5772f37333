/** What the canary is measured against: a loop that asks the sources agent by agent, one request after the other. */
import { type Client, createClient } from "@libsql/client/http";
import { Redis } from "@upstash/redis";
import Docker from "dockerode";

export interface PlainSources {
  readonly libsqlUrl: string;
  readonly redisUrl: string;
  readonly redisToken: string;
  /** `unix:///path`; null where there is no Docker. */
  readonly docker: string | null;
}

const LIVE = "status IN ('queued', 'running')";

/**
 * For each agent one introspection, one SELECT of its live rows, one count of its queue, one ZRANGE, and a TTL for each
 * slot; then for each container one exec. Clients are made once and keep their connections.
 * @returns how long that took, and how many requests were sent
 */
export async function plainLoop(
  sources: PlainSources,
): Promise<{ ms: number; requests: number; agents: number; containers: number }> {
  const from = performance.now();
  const database: Client = createClient({ url: sources.libsqlUrl });
  const redis = new Redis({
    url: sources.redisUrl,
    token: sources.redisToken,
    automaticDeserialization: false,
    enableTelemetry: false,
    enableAutoPipelining: false,
  });
  let requests = 1;
  const { rows: roster } = await database.execute("SELECT agent_name FROM agent_ownership");
  for (const { agent_name } of roster) {
    const agent = String(agent_name);
    await database.execute("PRAGMA table_info(schedule_executions)");
    await database.execute({
      sql: `SELECT id, status, started_at, claude_session_id FROM schedule_executions WHERE agent_name = ? AND ${LIVE}`,
      args: [agent],
    });
    await database.execute({
      sql: "SELECT COUNT(*) FROM schedule_executions WHERE agent_name = ? AND status = 'queued'",
      args: [agent],
    });
    const members = await redis.zrange<string[]>(`agent:slots:${agent}`, 0, -1);
    for (const id of members) await redis.ttl(`agent:slot:${agent}:${id}`);
    requests += 4 + members.length;
  }
  const containers = sources.docker ? await plainExecs(sources.docker) : 0;
  return {
    ms: performance.now() - from,
    requests: requests + (containers > 0 ? 1 + 3 * containers : 0),
    agents: roster.length,
    containers,
  };
}

/**
 * Looks for zombies in each container, one exec after the other.
 * @param host `unix:///path`
 * @returns how many containers there were
 */
export async function plainExecs(host: string): Promise<number> {
  const docker = new Docker({ socketPath: host.slice("unix://".length) });
  const list = await docker.listContainers({ filters: { label: ["trinity.platform=agent"] } });
  for (const { Id } of list) {
    const exec = await docker
      .getContainer(Id)
      .exec({ Cmd: ["ps", "-eo", "stat,pid,comm"], AttachStdout: true, AttachStderr: true });
    const stream = await exec.start({ hijack: false, stdin: false });
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    if (!Buffer.concat(chunks).includes("PID")) throw new Error("ps printed no list");
    if ((await exec.inspect()).ExitCode !== 0) throw new Error("ps failed");
  }
  return list.length;
}
