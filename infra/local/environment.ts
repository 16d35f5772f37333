/** The whole environment of a canary on one machine, every part real or embedded. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CHANNEL_VARIABLES } from "../../shared/alerts/channels/index.ts";
import { type Canary, openCanary } from "../../shared/canary.ts";
import { createApp } from "../../shared/web/app.ts";
import { scaledClock } from "../platform/clock.ts";
import { type AgentContainers, agentContainers } from "../platform/containers.ts";
import { openPlatformDatabase } from "../platform/database.ts";
import type { SqlClient } from "../platform/file-client.ts";
import { localFleet } from "../platform/local-fleet.ts";
import { type Platform, startPlatform } from "../platform/platform.ts";
import { queueCountsApp } from "../platform/queue-counts.ts";
import { createSchema } from "../platform/schema.ts";
import { IDLE, importAgentImage } from "./agent-image.ts";
import { findDocker, type LocalDocker } from "./docker.ts";
import { startDynamo } from "./dynamodb.ts";
import { startRedis } from "./redis.ts";
import { redisRestApp } from "./redis-rest.ts";
import { serve } from "./serve.ts";

/** Something of the machine is in the way; the text says what, and the mend. */
export class LocalError extends Error {
  override readonly name = "LocalError";
}

export interface LocalOptions {
  readonly port: number;
  /** Where the platform's database is made; a folder that is removed at the end where it is left out. */
  readonly dataFolder?: string | undefined;
  readonly dockerHost: string;
  readonly dockerCertPath?: string | undefined;
  readonly adminToken?: string | undefined;
  readonly publicBadge?: boolean;
  /** The variables of alert channels and policy, handed through. */
  readonly alerts: Readonly<Record<string, string>>;
  /** Left out: as by default. */
  readonly confirmAfterMs?: number;
  /** Whether the fleet's agents get containers where a daemon answers; yes where it is left out. */
  readonly fleetContainers?: boolean;
}

/** How many times as fast as Trinity's the simulated platform lives: a minute of its own is six seconds. */
export const PLATFORM_SCALE = 10;

export interface LocalEnvironment {
  readonly url: string;
  readonly token: string;
  readonly canary: Canary;
  /** Where the canary reads, for who wants to break something there. */
  readonly sources: {
    readonly databaseUrl: string;
    readonly redis: { readonly url: string; readonly token: string };
    readonly queueCounts: { readonly url: string; readonly token: string };
  };
  readonly platform: Platform;
  /** What the queue accessor answers in place of the database's count, by agent. */
  readonly cachedCounts: Map<string, number>;
  /** The agents' containers, or why they have none. */
  readonly containers: AgentContainers | { readonly absent: string };
  readonly docker: LocalDocker;
  /** What runs, as pairs of a part and what it is. */
  readonly parts: readonly (readonly [string, string])[];
  close(): Promise<void>;
}

const newToken = () => randomBytes(24).toString("base64url");

async function dataFolder(
  named: string | undefined,
  onClose: (end: () => Promise<void>) => void,
): Promise<string> {
  if (named === undefined) {
    const folder = await mkdtemp(join(tmpdir(), "canary-"));
    onClose(() => rm(folder, { recursive: true, force: true }));
    return folder;
  }
  const found = await stat(named).catch(() => null);
  if (!found?.isDirectory())
    throw new LocalError(`--data ${named} is no folder: make it first, or leave --data out`);
  // Permissions don't tell: some file systems let root write by them, and then take no file.
  const probe = join(named, ".canary-probe");
  const isWritable = await writeFile(probe, "").then(
    () => rm(probe).then(() => true),
    () => false,
  );
  if (!isWritable)
    throw new LocalError(`--data ${named} can't be written to: name another folder, or leave --data out`);
  const database = join(named, "trinity.db");
  if (await stat(database).catch(() => null))
    throw new LocalError(
      `${database} exists: the embedded platform starts empty, so move it away or name another folder`,
    );
  return named;
}

function describeDocker(
  docker: LocalDocker,
  containers: LocalEnvironment["containers"],
  host: string,
): string {
  if (!("docker" in docker)) return `not used: ${docker.absent}`;
  return "create" in containers
    ? `${host}, a container for each agent`
    : `${host}, but agents have no containers: ${containers.absent}`;
}

/** @param onClose takes what removes the image */
async function findContainers(
  found: LocalDocker,
  onClose: (end: () => Promise<void>) => void,
): Promise<LocalEnvironment["containers"]> {
  if (!("docker" in found)) return found;
  try {
    const { image, remove } = await importAgentImage(found.docker);
    onClose(remove);
    return agentContainers(found.docker, { image, command: IDLE });
  } catch (error) {
    return { absent: (error as Error).message };
  }
}

/**
 * Starts everything. What was started before something failed is ended again.
 * @throws LocalError for a port that is taken or a folder that is not there
 */
export async function startEnvironment(options: LocalOptions): Promise<LocalEnvironment> {
  const ends: (() => Promise<void>)[] = [];
  const close = async () => {
    const failures: unknown[] = [];
    // One end that fails must not keep the others running.
    for (const end of ends.splice(0).reverse()) await end().catch((error) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  };
  try {
    const folder = await dataFolder(options.dataFolder, (end) => ends.push(end));
    const redis = await startRedis();
    ends.push(redis.close);
    const restToken = newToken();
    const rest = await serve(redisRestApp(redis, restToken), 0);
    ends.push(rest.close);
    const dynamo = await startDynamo();
    ends.push(dynamo.close);

    // The accessor's address is part of the configuration, and the database is made last.
    let database: SqlClient | undefined;
    const queueToken = newToken();
    const cachedCounts = new Map<string, number>();
    const accessor = await serve(
      queueCountsApp(() => database, queueToken, cachedCounts),
      0,
    );
    ends.push(accessor.close);

    const databaseUrl = `file:${join(folder, "trinity.db")}`;
    const docker = await findDocker(options.dockerHost, options.dockerCertPath);

    const token = options.adminToken ?? newToken();
    const env = {
      LIBSQL_URL: databaseUrl,
      UPSTASH_REDIS_REST_URL: rest.url,
      UPSTASH_REDIS_REST_TOKEN: restToken,
      QUEUE_COUNTS_URL: accessor.url,
      QUEUE_COUNTS_TOKEN: queueToken,
      ...("env" in docker && docker.env),
      ...(options.confirmAfterMs !== undefined && { CONFIRM_AFTER_MS: String(options.confirmAfterMs) }),
      ...options.alerts,
    };
    const canary = openCanary(env, { state: dynamo });
    const app = createApp({
      canary,
      adminToken: token,
      publicBadge: options.publicBadge ?? false,
      logError: (line) => console.error(line),
    });
    const api = await serve(app, options.port).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EADDRINUSE") throw error;
      throw new LocalError(
        `port ${options.port} is in use: end what listens there, or choose another with --port`,
      );
    });
    ends.push(api.close);
    // Only now, so that a port that is taken leaves no database behind.
    const opened = await openPlatformDatabase(databaseUrl);
    ends.push(async () => opened.close());
    await createSchema(opened);
    database = opened;
    const containers = await findContainers(docker, (end) => ends.push(end));
    const hasContainers = (options.fleetContainers ?? true) && "create" in containers;
    const platform = await startPlatform({
      database: opened,
      redis: redis.client,
      clock: scaledClock(PLATFORM_SCALE),
      ...(hasContainers && { containers }),
    });
    ends.push(platform.stop);
    const fleet = localFleet();
    for (const agent of fleet) {
      if (hasContainers) ends.push(() => containers.remove(agent.name));
      await platform.agents.create(agent).catch((error: Error) => {
        throw new LocalError(error.message);
      });
      await platform.submit({ agent: agent.name, triggeredBy: "schedule", task: agent.task ?? {} });
    }
    const channels = Object.keys(canary.alerts.senders);
    return {
      url: api.url,
      token,
      canary,
      sources: {
        databaseUrl,
        redis: { url: rest.url, token: restToken },
        queueCounts: { url: accessor.url, token: queueToken },
      },
      platform,
      cachedCounts,
      containers,
      docker,
      parts: [
        [
          "platform",
          `${fleet.map(({ name }) => name).join(" and ")}, ${PLATFORM_SCALE} times as fast, ${databaseUrl}`,
        ],
        ["redis", `${redis.engine}, behind the REST protocol at ${rest.url}`],
        ["state", `dynalite at ${dynamo.endpoint}`],
        ["alerts", channels.length > 0 ? channels.join(" and ") : `no channel (set ${CHANNEL_VARIABLES})`],
        ["docker", describeDocker(docker, containers, options.dockerHost)],
      ],
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
