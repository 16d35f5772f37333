/** The parts of a soak: the simulated platform on real servers, a canary that reads it, and the history. */
import { Redis } from "@upstash/redis";
import type Docker from "dockerode";
import type { Sender } from "../../shared/alerts/channels/channel.ts";
import { type Canary, openCanary } from "../../shared/canary.ts";
import type { Readings } from "../../shared/facts/facts.ts";
import { OFF_BY_DEFAULT } from "../../shared/invariants/index.ts";
import type { ConfiguredSource } from "../../shared/sources/collect.ts";
import type { Source } from "../../shared/sources/source.ts";
import { type Controls, controlsOf, type FaultChange, type Target } from "../faults/target.ts";
import { findContainers } from "../local/containers.ts";
import { type LocalDatabases, openDatabases } from "../local/databases.ts";
import type { LocalDocker } from "../local/docker.ts";
import { type LocalDynamo, startDynamo } from "../local/dynamodb.ts";
import { elsewhere } from "../local/elsewhere.ts";
import { type LocalRedis, redisServerVersion, startRedis } from "../local/redis.ts";
import { redisRestApp } from "../local/redis-rest.ts";
import { serve } from "../local/serve.ts";
import { temporaryFolder } from "../local/temporary-folder.ts";
import { scaledClock } from "../platform/clock.ts";
import { type PlatformDatabase, platformDatabase } from "../platform/database.ts";
import type { Backend } from "../platform/file-client.ts";
import type { Journal } from "../platform/journal.ts";
import { type Platform, startPlatform } from "../platform/platform.ts";
import { queueCountsApp } from "../platform/queue-counts.ts";
import type { Release } from "../platform/releases.ts";
import { type SoakContainers, soakContainers } from "./containers.ts";
import { CORRECTIONS, type CorrectionName, type NamesOf } from "./corrections.ts";
import type { SoakEvent } from "./timeline.ts";

export interface Harness {
  readonly platform: Platform;
  readonly clock: ReturnType<typeof scaledClock>;
  /** The platform for faults: separate connections, and the same history. */
  readonly target: Target & { readonly database: PlatformDatabase<FaultChange> };
  /** The journal of the platform and of the faults. */
  readonly history: readonly SoakEvent[];
  readonly canary: Canary;
  /** To be called before each cycle: where the canary reads changes only here, as a restart would change it. */
  beginCycle(): void;
  /** How many alerts the canary sent, by kind and invariant: `broke S-01`. */
  readonly alerts: ReadonlyMap<string, number>;
  log(line: string): void;
  /** The log of the platform and the load. It stays empty where both are healthy. */
  readonly lines: readonly string[];
  readonly engines: string;
  close(): Promise<void>;
}

export interface HarnessOptions {
  readonly release: Release;
  /** Where the platform keeps its rows. Left out: SQLite. */
  readonly database?: Backend | undefined;
  readonly scale: number;
  /** What the canary's checks know is taken out. Left out: nothing. */
  readonly without?: CorrectionName | undefined;
  /** Invariants that are not run. */
  readonly checksOff?: readonly string[] | undefined;
  /** The daemon for the containers of pull agents. Where it is absent, nothing that needs containers is run. */
  readonly docker: LocalDocker;
  /** The canary's wait before it confirms a red. */
  readonly confirmMs: number;
  /** How many rows of one agent may be queued. */
  readonly maxQueued: number;
  /** The time to the next sweep, in ms of this machine. */
  readonly sweepEveryMs: () => number;
  /** How long the scheduler's next dispatch takes, in ms of the platform's own time. */
  readonly dispatchMs: () => number;
}

/** Times of pull workers, in ms of this machine: short, so that a soak sees many leases run out. */
const PULL_TIMES = { pollEveryMs: 400, leaseMs: 10_000, reapEveryMs: 2_000 };

/** The machine or an option is in the way; the message says what is wrong and how to fix it. */
export class SoakError extends Error {
  override readonly name = "SoakError";
}

const TOKEN = "token-of-the-soak";

/**
 * Opens a canary whose alerts are counted instead of sent.
 * @param pointing decides where it reads
 * @param change changes what it reads
 */
function openWatchingCanary(
  env: Readonly<Record<string, string>>,
  dynamo: LocalDynamo,
  pointing: Pointing,
  change: (readings: Readings) => Readings | Promise<Readings>,
) {
  const open = (other: Readonly<Record<string, string>> = {}) =>
    openCanary({ ...env, ...other }, { state: dynamo });
  const canary = open();
  let { sources } = canary;
  let onNextCycle: (() => void)[] = [];
  pointing.to = (other) =>
    new Promise((resolve) => {
      onNextCycle.push(() => {
        sources = other === null ? canary.sources : open(other).sources;
        resolve();
      });
    });
  const pointed = canary.sources.map((source, i): ConfiguredSource => {
    if ("absent" in source) return source;
    return {
      ...source,
      async read(context) {
        const result = await (sources[i] as Source).read(context);
        return { ...result, readings: await change(result.readings) };
      },
    };
  });
  const alerts = new Map<string, number>();
  const slack: Sender = {
    together: "cycle",
    holdsOpen: false,
    async send(sent) {
      for (const { kind, invariantId } of sent) {
        const name = `${kind} ${invariantId ?? ""}`.trim();
        alerts.set(name, (alerts.get(name) ?? 0) + 1);
      }
      return "ok";
    },
  };
  return {
    canary: { ...canary, sources: pointed, alerts: { ...canary.alerts, senders: { slack } } },
    alerts,
    beginCycle() {
      const due = onNextCycle;
      onNextCycle = [];
      for (const point of due) point();
    },
  };
}

/** Points the canary to the servers that these variables name; null: to the platform again. Ends once it reads there. */
interface Pointing {
  to(other: Readonly<Record<string, string>> | null): Promise<void>;
}

/** Starts the harness. @throws Error where a server can't be started; the others are ended again */
export async function openHarness(options: HarnessOptions): Promise<Harness> {
  const parts: { close(): unknown }[] = [];
  const close = async () => {
    for (const part of parts.splice(0).reverse()) await part.close();
  };
  const owned: Owned = (part) => {
    parts.push(part);
    return part;
  };
  try {
    return { ...(await start(options, owned)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Registers a part, to be closed with the harness. */
type Owned = <T extends { close(): unknown }>(part: T) => T;

/** Makes the agents' image, and what makes containers of it; or says why there are none. */
async function openContainers(
  docker: LocalDocker,
  journal: Journal<FaultChange>,
  owned: Owned,
): Promise<(SoakContainers & { readonly daemon: Docker }) | { readonly absent: string }> {
  if (!("docker" in docker)) return docker;
  const containers = await findContainers(
    docker,
    (end) => void owned({ close: end }),
    () => {},
  );
  if (!("create" in containers)) throw new SoakError(containers.absent);
  return { ...owned(soakContainers(containers, journal)), daemon: docker.docker };
}

/** Starts the platform and opens connections for faults. All of them record into one history. */
async function openPlatform(
  { release, scale, maxQueued, sweepEveryMs, dispatchMs, docker }: HarnessOptions,
  { redis, restUrl, databases }: { redis: LocalRedis; restUrl: string; databases: LocalDatabases },
  pointing: Pick<Controls, "pointCanaryTo" | "leaveDatabaseBehind">,
  owned: Owned,
) {
  const database = owned(await databases.open());
  const another = async () => owned(await databases.another());
  const [accessorDatabase, cachedCounts] = [await another(), new Map<string, number>()];
  const accessor = owned(
    await serve(
      queueCountsApp(() => accessorDatabase, TOKEN, cachedCounts),
      0,
    ),
  );
  const connection = redis.client.duplicate();
  owned({ close: () => connection.disconnect() });
  const [history, lines]: [SoakEvent[], string[]] = [[], []];
  const journal = { record: (event: SoakEvent) => void history.push(event) };
  const made = await openContainers(docker, journal, owned);
  const log = (line: string) => void lines.push(line);
  const clock = scaledClock(scale);
  const platform = await startPlatform({
    database,
    redis: connection,
    release,
    clock,
    journal,
    log,
    ...("ofPullAgents" in made && { containers: made.ofPullAgents }),
    sweepEveryMs: () => sweepEveryMs() * scale,
    dispatchMs,
    pullTimes: {
      pollEveryMs: PULL_TIMES.pollEveryMs * scale,
      leaseMs: PULL_TIMES.leaseMs * scale,
      reapEveryMs: PULL_TIMES.reapEveryMs * scale,
    },
    maxQueued,
  });
  owned({ close: platform.stop });
  const client = { url: restUrl, token: TOKEN, automaticDeserialization: false, enableTelemetry: false };
  const target = {
    database: platformDatabase<FaultChange>(await another(), journal),
    redis: new Redis(client),
    docker: "daemon" in made ? { daemon: made.daemon, containers: made.ofAnyAgent } : made,
    controls: controlsOf(platform, cachedCounts, { url: accessor.url, token: TOKEN }, pointing),
    journal,
  };
  return { platform, clock, target, history, log, lines, accessorUrl: accessor.url };
}

async function start(options: HarnessOptions, owned: Owned): Promise<Omit<Harness, "close">> {
  const folder = await temporaryFolder();
  owned({ close: folder.remove });
  if (redisServerVersion() === null)
    throw new SoakError("there is no redis-server on the PATH: install it, a soak needs a real one");
  const redis = owned(await startRedis());
  const rest = owned(await serve(redisRestApp(redis, TOKEN), 0));
  const dynamo = owned(await startDynamo());
  const onClose = (end: () => Promise<void>) => void owned({ close: end });
  const { database: backend = "sqlite", release } = options;
  const databases = await openDatabases({ backend, release, folder: folder.path }, onClose);
  const places = { redis, restUrl: rest.url, databases };
  const { leaveDatabaseBehind, variablesOf } = elsewhere({ databases, redis, redisToken: TOKEN }, onClose);
  const pointing: Pointing = { async to() {} };
  const pointCanaryTo: Controls["pointCanaryTo"] = async (place) =>
    pointing.to(place === null ? null : await variablesOf(place));
  const { accessorUrl, ...platform } = await openPlatform(
    options,
    places,
    { pointCanaryTo, leaveDatabaseBehind },
    owned,
  );
  const env = {
    ...databases.platform.variables,
    UPSTASH_REDIS_REST_URL: rest.url,
    UPSTASH_REDIS_REST_TOKEN: TOKEN,
    QUEUE_COUNTS_URL: accessorUrl,
    QUEUE_COUNTS_TOKEN: TOKEN,
    CONFIRM_AFTER_MS: String(options.confirmMs),
    ...("env" in options.docker ? options.docker.env : { DOCKER_HOSTS: "none" }),
    // Containers of a soak have no processes to look at.
    CHECKS_OFF: ["R-01", ...(options.checksOff ?? [])].join(),
    CHECKS_ON: OFF_BY_DEFAULT.join(","),
  };
  const namesOf: NamesOf = async (sql) =>
    (await platform.target.database.read(sql)).map(({ agent_name }) => String(agent_name));
  return {
    ...platform,
    ...openWatchingCanary(env, dynamo, pointing, (readings) =>
      options.without ? CORRECTIONS[options.without].takeOut(readings, namesOf) : readings,
    ),
    engines: `${databases.engine}, ${redis.engine} behind the REST protocol, ${"docker" in options.docker ? "a Docker daemon" : "no Docker"}, dynalite`,
  };
}
