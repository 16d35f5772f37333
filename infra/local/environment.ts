/** The whole environment of a canary on one machine. Every part is real or embedded. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CHANNEL_VARIABLES } from "../../shared/alerts/channels/index.ts";
import { type Canary, openCanary } from "../../shared/canary.ts";
import type { ReadToken } from "../../shared/config/read-tokens.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { createApp } from "../../shared/web/app.ts";
import { scaledClock } from "../platform/clock.ts";
import type { AgentContainers } from "../platform/containers.ts";
import { openPlatformDatabase } from "../platform/database.ts";
import type { SqlClient } from "../platform/file-client.ts";
import { localFleet } from "../platform/local-fleet.ts";
import { type Platform, startPlatform } from "../platform/platform.ts";
import { queueCountsApp } from "../platform/queue-counts.ts";
import type { Release } from "../platform/releases.ts";
import { createSchema } from "../platform/schema.ts";
import { findContainers } from "./containers.ts";
import { findDocker, type LocalDocker } from "./docker.ts";
import { startDynamo } from "./dynamodb.ts";
import { type Elsewhere, elsewhere, type OtherPlaces } from "./elsewhere.ts";
import { startRedis } from "./redis.ts";
import { redisRestApp } from "./redis-rest.ts";
import { serve } from "./serve.ts";

/** The machine is in the way; the message says what is wrong and how to fix it. */
export class LocalError extends Error {
  override readonly name = "LocalError";
}

export interface LocalOptions {
  readonly port: number;
  /** The folder for the platform's database. Left out: a temporary one, removed at the end. */
  readonly dataFolder?: string | undefined;
  readonly dockerHost: string;
  readonly dockerCertPath?: string | undefined;
  readonly adminToken?: string | undefined;
  /** Of those who see everything and change nothing. Default: nobody. */
  readonly readTokens?: readonly ReadToken[];
  readonly publicBadge?: boolean;
  /** The variables of alerts, and of which invariants run. */
  readonly variables: Readonly<Record<string, string>>;
  /** Left out: the canary's default. */
  readonly confirmAfterMs?: number;
  /** The release that the platform simulates. Default: today. */
  readonly release?: Release;
  /** Whether the fleet's agents get containers where a daemon answers. Default: yes. */
  readonly fleetContainers?: boolean;
}

/** The simulated platform runs this many times as fast as Trinity: its minute lasts six seconds. */
export const PLATFORM_SCALE = 10;

export interface LocalEnvironment {
  readonly url: string;
  readonly token: string;
  readonly canary: Canary;
  /** Where the canary reads: for the drill, which breaks things there. */
  readonly sources: {
    readonly databaseUrl: string;
    readonly redis: { readonly url: string; readonly token: string };
    readonly queueCounts: { readonly url: string; readonly token: string };
  };
  readonly platform: Platform;
  /** Counts that the queue accessor gives in place of the database's, by agent. */
  readonly cachedCounts: Map<string, number>;
  /** Points the canary to a place that is not the platform's, from its next cycle on; null: to the platform again. */
  pointCanaryTo(place: Elsewhere | null): Promise<void>;
  /** Copies the platform's database as it is now: the next `database left behind`. */
  readonly leaveDatabaseBehind: OtherPlaces["leaveDatabaseBehind"];
  /** The agents' containers, or why they have none. */
  readonly containers: AgentContainers | { readonly absent: string };
  readonly docker: LocalDocker;
  /** The running parts, as pairs of a name and a description. */
  readonly parts: readonly (readonly [string, string])[];
  close(): Promise<void>;
}

/** Takes a function that ends one part. They are called in reverse order. */
type OnClose = (end: () => Promise<void>) => void;

const newToken = () => randomBytes(24).toString("base64url");

/** Gives the folder for the database. @throws LocalError where a named one can't be used */
async function dataFolder(named: string | undefined, onClose: OnClose): Promise<string> {
  if (named === undefined) {
    const folder = await mkdtemp(join(tmpdir(), "canary-"));
    onClose(() => rm(folder, { recursive: true, force: true }));
    return folder;
  }
  const found = await stat(named).catch(() => null);
  if (!found?.isDirectory())
    throw new LocalError(`--data ${named} is not a folder: make it first, or leave --data out`);
  // Permissions prove nothing: on some file systems they allow root to write, and writing still fails.
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

/** Starts what the canary reads and where it keeps its state. The database is opened later, by `openDatabase`. */
async function startServers(folder: string, onClose: OnClose) {
  const redis = await startRedis();
  onClose(redis.close);
  const restToken = newToken();
  const rest = await serve(redisRestApp(redis, restToken), 0);
  onClose(rest.close);
  const dynamo = await startDynamo();
  onClose(dynamo.close);
  // The canary's configuration needs the accessor's address before there is a database.
  let database: SqlClient | undefined;
  const queueToken = newToken();
  const cachedCounts = new Map<string, number>();
  const accessor = await serve(
    queueCountsApp(() => database, queueToken, cachedCounts),
    0,
  );
  onClose(accessor.close);
  const databaseUrl = `file:${join(folder, "trinity.db")}`;
  return {
    redis,
    dynamo,
    cachedCounts,
    elsewhere: elsewhere(folder, { databaseUrl, redis, redisToken: restToken }, onClose),
    sources: {
      databaseUrl,
      redis: { url: rest.url, token: restToken },
      queueCounts: { url: accessor.url, token: queueToken },
    },
    /** Makes the platform's database. From then on the accessor counts in it. */
    async openDatabase(release: Release): Promise<SqlClient> {
      const opened = await openPlatformDatabase(databaseUrl);
      onClose(async () => opened.close());
      await createSchema(opened, release);
      database = opened;
      return opened;
    },
  };
}
type Servers = Awaited<ReturnType<typeof startServers>>;

/** Opens the canary and serves its app. */
async function serveCanary(
  options: LocalOptions,
  { sources, dynamo, elsewhere }: Servers,
  docker: LocalDocker,
  onClose: OnClose,
): Promise<Pick<LocalEnvironment, "url" | "token" | "canary" | "pointCanaryTo" | "leaveDatabaseBehind">> {
  const token = options.adminToken ?? newToken();
  const env = {
    LIBSQL_URL: sources.databaseUrl,
    UPSTASH_REDIS_REST_URL: sources.redis.url,
    UPSTASH_REDIS_REST_TOKEN: sources.redis.token,
    QUEUE_COUNTS_URL: sources.queueCounts.url,
    QUEUE_COUNTS_TOKEN: sources.queueCounts.token,
    ...("env" in docker && docker.env),
    ...(options.confirmAfterMs !== undefined && { CONFIRM_AFTER_MS: String(options.confirmAfterMs) }),
    ...options.variables,
  };
  const open = (more: Readonly<Record<string, string>> = {}) =>
    openCanary({ ...env, ...more }, { state: dynamo });
  const canary = open();
  let pointed = canary;
  const app = createApp({
    canary,
    runCycle: (request) => runCycle(pointed, request),
    adminToken: token,
    readTokens: options.readTokens ?? [],
    publicBadge: options.publicBadge ?? false,
    logError: (line) => console.error(line),
  });
  const { url, close } = await serve(app, options.port).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EADDRINUSE") throw error;
    throw new LocalError(
      `port ${options.port} is in use: end what listens there, or choose another with --port`,
    );
  });
  onClose(close);
  return {
    url,
    token,
    canary,
    async pointCanaryTo(place) {
      pointed = place === null ? canary : open(await elsewhere.variablesOf(place));
    },
    leaveDatabaseBehind: elsewhere.leaveDatabaseBehind,
  };
}

/** Starts the simulated platform with the fleet, and lets each agent run once. */
async function startFleet(
  { fleetContainers = true, release = "today" }: LocalOptions,
  { redis, openDatabase }: Servers,
  docker: LocalDocker,
  onClose: OnClose,
): Promise<Pick<LocalEnvironment, "platform" | "containers"> & { agents: string }> {
  const database = await openDatabase(release);
  const containers = await findContainers(docker, onClose);
  const hasContainers = fleetContainers && "create" in containers;
  const platform = await startPlatform({
    release,
    database,
    redis: redis.client,
    clock: scaledClock(PLATFORM_SCALE),
    ...(hasContainers && { containers }),
  });
  onClose(platform.stop);
  const fleet = localFleet();
  for (const agent of fleet) {
    if (hasContainers) onClose(() => containers.remove(agent.name));
    await platform.agents.create(agent).catch((error: Error) => {
      throw new LocalError(error.message);
    });
    await platform.runSchedule({ agent: agent.name, task: agent.task ?? {} });
  }
  return { platform, containers, agents: fleet.map(({ name }) => name).join(" and ") };
}

/**
 * Starts everything. Where something fails, what was started is ended again.
 * @throws LocalError for a port that is taken or a data folder that can't be used
 */
export async function startEnvironment(options: LocalOptions): Promise<LocalEnvironment> {
  const ends: (() => Promise<void>)[] = [];
  const onClose: OnClose = (end) => void ends.push(end);
  const close = async () => {
    const failures: unknown[] = [];
    // One end that fails must not keep the others running.
    for (const end of ends.splice(0).reverse()) await end().catch((error) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  };
  try {
    const servers = await startServers(await dataFolder(options.dataFolder, onClose), onClose);
    const docker = await findDocker(options.dockerHost, options.dockerCertPath);
    const served = await serveCanary(options, servers, docker, onClose);
    // Only now, so that a port that is taken leaves no database behind.
    const { agents, ...started } = await startFleet(options, servers, docker, onClose);
    const { redis, dynamo, cachedCounts, sources } = servers;
    const channels = Object.keys(served.canary.alerts.senders);
    return {
      ...served,
      ...started,
      sources,
      cachedCounts,
      docker,
      parts: [
        ["platform", `${agents}, ${PLATFORM_SCALE} times as fast, ${sources.databaseUrl}`],
        ["redis", `${redis.engine}, behind the REST protocol at ${sources.redis.url}`],
        ["state", `dynalite at ${dynamo.endpoint}`],
        ["alerts", channels.length > 0 ? channels.join(" and ") : `no channel (set ${CHANNEL_VARIABLES})`],
        ["docker", describeDocker(docker, started.containers, options.dockerHost)],
      ],
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
