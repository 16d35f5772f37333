/** The whole environment of a canary on one machine. Every part is real or embedded. */
import { setTimeout as wait } from "node:timers/promises";
import { CHANNEL_VARIABLES } from "../../shared/alerts/channels/index.ts";
import type { Canary } from "../../shared/canary.ts";
import type { ReadToken } from "../../shared/config/read-tokens.ts";
import type { RunCycle } from "../../shared/web/cycles.ts";
import type { Target } from "../faults/target.ts";
import { scaledClock } from "../platform/clock.ts";
import type { AgentContainers } from "../platform/containers.ts";
import { messageOf } from "../platform/context.ts";
import type { Backend } from "../platform/file-client.ts";
import { localFleet } from "../platform/local-fleet.ts";
import { type Platform, startPlatform } from "../platform/platform.ts";
import type { Release } from "../platform/releases.ts";
import { type Breaks, createBreaks, Refused } from "./breaks.ts";
import { findContainers } from "./containers.ts";
import { dataFolder } from "./data-folder.ts";
import type { LocalDatabases } from "./databases.ts";
import { findDocker, type LocalDocker } from "./docker.ts";
import type { Elsewhere, OtherPlaces } from "./elsewhere.ts";
import { LocalError } from "./local-error.ts";
import type { OnClose } from "./on-close.ts";
import { fillQueue, MAX_QUEUED, seeded } from "./seed.ts";
import { serveCanary } from "./served-canary.ts";
import { type Servers, startServers } from "./servers.ts";
import { openTarget } from "./target.ts";
import { TERMINAL } from "./terminal.ts";

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
  /** Where the platform keeps its rows. Default: SQLite. */
  readonly database?: Backend;
  /** Left out: the canary's default. */
  readonly confirmAfterMs?: number;
  /** The release that the platform simulates. Default: today. */
  readonly release?: Release;
  /** Whether the fleet's agents get containers where a daemon answers. Default: yes. */
  readonly fleetContainers?: boolean;
  /** Whether more agents run beside the fleet, so that every check has something to look at. Default: no. */
  readonly isLively?: boolean;
  /** Takes the text of each message where no channel is configured. Left out: then nobody is notified. */
  readonly printMessage?: (text: string) => void;
  /** Takes a line for the operator: what failed. Default: console.error. */
  readonly log?: (line: string) => void;
}

/** The simulated platform runs this many times as fast as Trinity: its minute lasts six seconds. */
export const PLATFORM_SCALE = 10;

export interface LocalEnvironment {
  readonly url: string;
  readonly token: string;
  readonly canary: Canary;
  /** Runs a cycle of the canary where it is pointed to. */
  readonly runCycle: RunCycle;
  /** The platform, for faults. */
  readonly target: Target;
  readonly breaks: Breaks;
  readonly databases: LocalDatabases;
  /** Where the canary reads. */
  readonly sources: {
    /** The variables that name the database. */
    readonly database: Readonly<Record<string, string>>;
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

const describeDatabase = ({ engine, address }: LocalDatabases): string =>
  address.startsWith("file:") ? address : `${engine} at ${address}`;

function describeChannels(channels: readonly string[]): string {
  if (channels.length === 0) return `no channel (set ${CHANNEL_VARIABLES})`;
  if (channels[0] === TERMINAL) return `printed here (or set ${CHANNEL_VARIABLES})`;
  return channels.join(" and ");
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

/** Says once that the daemon is gone, with what may be on it. */
function onceGone({ dockerHost, log = console.error }: LocalOptions): (code: string) => void {
  let isSaid = false;
  return (code) => {
    if (!isSaid)
      log(
        `${dockerHost} does not answer any more (${code}): if its containers are still there, the next npm start on it replaces them`,
      );
    isSaid = true;
  };
}

/** Starts the simulated platform with the fleet, and lets each agent run once. */
async function startFleet(
  options: LocalOptions,
  { redis, openDatabase }: Servers,
  docker: LocalDocker,
  onClose: OnClose,
): Promise<Pick<LocalEnvironment, "platform" | "containers"> & { agents: string }> {
  const { fleetContainers = true, release = "today", isLively = false } = options;
  const database = await openDatabase();
  const containers = await findContainers(docker, onClose, onceGone(options));
  const hasContainers = fleetContainers && "create" in containers;
  const platform = await startPlatform({
    release,
    database,
    redis: redis.client,
    clock: scaledClock(PLATFORM_SCALE),
    ...(hasContainers && { containers }),
    ...(isLively && { maxQueued: MAX_QUEUED }),
  });
  onClose(platform.stop);
  const fleet = [...localFleet(), ...(isLively ? seeded(hasContainers) : [])];
  for (const agent of fleet) {
    if (hasContainers) onClose(() => containers.remove(agent.name));
    await platform.agents.create(agent).catch((error: Error) => {
      throw new LocalError(error.message);
    });
    await platform.runSchedule({ agent: agent.name, task: agent.task ?? {} });
  }
  if (isLively) await fillQueue(platform);
  return { platform, containers, agents: fleet.map(({ name }) => name).join(", ") };
}

/** @throws Refused where there are none yet */
function startedOr(breaks: Breaks | undefined): Breaks {
  if (breaks) return breaks;
  throw new Refused("the platform is starting: try again in a moment");
}

const BUSY_WAIT_MS = 200;

/** Makes what judges one invariant, after waiting for another cycle that runs. */
const judgeWith = (run: RunCycle) => async (id: string) => {
  while ((await run({ invariantIds: [id], trigger: "http" })).kind === "busy") await wait(BUSY_WAIT_MS);
};

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
    if (failures.length > 0)
      throw new LocalError(`could not be ended: ${failures.map(messageOf).join("; ")}`);
  };
  try {
    const { database: backend = "sqlite", release = "today" } = options;
    const folder = await dataFolder(options.dataFolder, onClose);
    const servers = await startServers({ backend, release, folder }, onClose);
    const docker = await findDocker(options.dockerHost, options.dockerCertPath);
    let breaks: Breaks | undefined;
    const served = await serveCanary(options, servers, docker, () => startedOr(breaks), onClose);
    // Only now, so that a port that is taken leaves no database behind.
    const { agents, ...started } = await startFleet(options, servers, docker, onClose);
    const target = await openTarget({ ...servers, ...served, ...started, docker }, onClose);
    const { runCycle, canary } = served;
    breaks = createBreaks({ target, off: canary.checks.off, judge: judgeWith(runCycle) });
    onClose(breaks.close);
    const { redis, dynamo, cachedCounts, databases, sources } = servers;
    return {
      ...served,
      ...started,
      target,
      breaks,
      databases,
      sources,
      cachedCounts,
      docker,
      parts: [
        ["platform", `${agents}, ${PLATFORM_SCALE} times as fast, ${describeDatabase(databases)}`],
        ["redis", `${redis.engine}, behind the REST protocol at ${sources.redis.url}`],
        ["state", `dynalite at ${dynamo.endpoint}`],
        ["alerts", describeChannels(Object.keys(canary.alerts.senders))],
        ["docker", describeDocker(docker, started.containers, options.dockerHost)],
      ],
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
