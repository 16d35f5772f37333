/** `canary doctor`: what a canary with these variables will see, line by line. It reads, and writes nothing anywhere. */
import { CHANNEL_VARIABLES, configureChannels } from "../alerts/channels/index.ts";
import { openReadOnly, type ReadOnlyCanary } from "../canary.ts";
import { STATE } from "../config/cycle.ts";
import { type Environment, reader } from "../config/reader.ts";
import { REMOTE } from "../config/remote.ts";
import { type Gathered, gather } from "../cycle/gather.ts";
import { EMPTY_MEMORY } from "../cycle/memory.ts";
import { pullAgentsOf } from "../invariants/pull-pools.ts";
import { dockerTls } from "../sources/docker/docker.ts";
import { openNamed } from "../sources/sqlite/sqlite.ts";
import { cut, listed } from "../text.ts";
import { formatInstant } from "../time.ts";
import { loadConfig } from "../variables.ts";
import { factsOf } from "../verdict/evaluate.ts";
import { addressText, examineDatabase } from "./database.ts";
import { certificateFindings, containerFindings, examineDaemon } from "./docker.ts";
import { type Examination, examined, type Finding, note, ok, type Section, unread } from "./finding.ts";
import { prospectsOf } from "./prospects.ts";
import { examineRedis } from "./redis.ts";

type Config = ReturnType<typeof loadConfig>;

interface Context {
  readonly config: Config;
  readonly canary: ReadOnlyCanary;
  readonly gathered: Gathered;
}

const MAX_TEXT = 1_000;
const SHOWN = 5;

/** No memory, and no journal: a first cycle. */
const NO_STATE = { journals: { load: async () => [] } };

/** The name of the source that a line of `sources_unavailable` begins with. */
const sourceOf = (line: string): string => /^\w+/.exec(line)?.[0] ?? "";

/** The section of a source: why it is absent, or what a read of it left out and what its examination found. */
async function sectionOf(
  { canary, gathered }: Context,
  name: string,
  variable: string,
  examine: () => Promise<readonly Finding[]>,
): Promise<Section> {
  const source = canary.sources.find((one) => one.name === name);
  if (source !== undefined && "absent" in source)
    return {
      name,
      findings: [
        source.absent === "off"
          ? note("source", `left out on purpose: ${variable} is "none"`)
          : unread("source", `not configured: set ${variable}`),
      ],
    };
  const unavailable = gathered.snapshot.unavailable
    .filter((line) => sourceOf(line) === name)
    .map((line) => unread("unread", line));
  const found = await examine();
  const hasFailed = found.length === 1 && found[0]!.level === "unread";
  // The reading has said why.
  return { name, findings: hasFailed && unavailable.length > 0 ? unavailable : [...found, ...unavailable] };
}

function databaseSection(context: Context): Promise<Section> {
  const { config, canary, gathered } = context;
  const { settings, checks, now } = canary;
  const values = config.sources.sqlite;
  const invariants = checks.all.filter(({ id }) => !checks.off.has(id));
  return sectionOf(context, "sqlite", "LIBSQL_URL", () =>
    examined("database", settings.sourceDeadlineMs, (signal) =>
      examineDatabase({
        database: openNamed(values)!,
        values,
        readings: gathered.readings,
        invariants,
        wanted: factsOf(invariants),
        now,
        signal,
      }),
    ),
  );
}

function accessorSection(context: Context): Promise<Section> | Section {
  const { url } = context.config.sources.queue_counts;
  const name = "queue_counts";
  if (url === null)
    return { name, findings: [note("source", "not set: the accessor's own SQL is run (B-01)")] };
  const { queueCounts } = context.gathered.readings;
  return sectionOf(context, name, "QUEUE_COUNTS_URL", async () => [
    ok("address", addressText(url)),
    ...(queueCounts?.read ? [ok("counts", `of ${queueCounts.value.counts.size} agent(s)`)] : []),
  ]);
}

/** Agents whose runs are claimed by workers of their own. */
function pullFindings({ executions, pullPolls }: Gathered["readings"]): Finding[] {
  if (!executions?.read || !pullPolls?.read) return [];
  const agents = [...pullAgentsOf(executions.value, pullPolls.value)].sort();
  return [note("pull agents", agents.length === 0 ? "none" : `${agents.length}: ${listed(agents, SHOWN)}`)];
}

function redisSection(context: Context): Promise<Section> {
  const { config, canary, gathered } = context;
  const { url, token } = config.sources.redis;
  const { readings } = gathered;
  return sectionOf(context, "redis", "UPSTASH_REDIS_REST_URL", async () => {
    const found = await examined("redis", canary.settings.sourceDeadlineMs, (signal) =>
      examineRedis({ url: url!, token: token! }, readings, canary.now, signal),
    );
    return [...found, ...pullFindings(readings)];
  });
}

/** The daemons that the reading has reached: of the others it has said why not. */
function reachedDaemons(
  { hosts }: Config["sources"]["docker"],
  { containers }: Gathered["readings"],
): string[] {
  if (hosts === null || typeof hosts === "string") return [];
  if (containers === undefined) return [...hosts];
  return containers.read ? hosts.filter((host) => !containers.value.unseenDaemons.includes(host)) : [];
}

/** A section for all daemons, and one for each that was reached. */
async function dockerSections(context: Context): Promise<Section[]> {
  const { config, canary, gathered } = context;
  const { hosts: _, ...certificates } = config.sources.docker;
  const tls = dockerTls(certificates);
  return Promise.all([
    sectionOf(context, "docker", "DOCKER_HOSTS", async () => [
      ...certificateFindings(tls, canary.now()),
      ...containerFindings(gathered.readings),
    ]),
    ...reachedDaemons(config.sources.docker, gathered.readings).map(async (host) => ({
      name: `docker ${host}`,
      findings: await examined("daemon", canary.settings.sourceDeadlineMs, (signal) =>
        examineDaemon(host, tls, canary.now, signal),
      ),
    })),
  ]);
}

/** What a cycle needs beside its sources. Nothing of it is opened. */
function stateSection(config: Config, env: Environment): Section {
  const { url } = reader(env).values({ url: REMOTE.url });
  const channels = Object.keys(configureChannels(config.channels));
  return {
    name: "state and alerts",
    findings: [
      config.stateTable === null
        ? note("state", `${STATE.table.name} is not set: each cycle on this machine starts from nothing`)
        : ok("state", `${STATE.table.name} is ${config.stateTable}, which is not opened here`),
      channels.length === 0
        ? note("alerts", `no channel, so nobody is notified: set ${CHANNEL_VARIABLES}`)
        : ok("alerts", `by ${channels.join(" and ")}; nothing was sent`),
      ...(url === null
        ? []
        : [note("CANARY_URL", "not asked: this is what this machine sees, with its own variables")]),
    ],
  };
}

/**
 * Examines what these variables name. It writes neither to the platform nor to the state, and sends no alert.
 * @param now our clock, unix ms
 * @throws ConfigError naming every variable that can't be used
 */
export async function examineAll(env: Environment, now: () => number = Date.now): Promise<Examination> {
  const config = loadConfig(env);
  const canary = openReadOnly(config, now);
  const startedAtMs = now();
  const { all, off } = canary.checks;
  const wanted = factsOf(all.filter(({ id }) => !off.has(id)));
  const gathered = await gather({ ...canary, store: NO_STATE }, wanted, EMPTY_MEMORY, null, startedAtMs);
  const context = { config, canary, gathered };
  const [prospects, sections] = await Promise.all([
    prospectsOf(canary, gathered),
    Promise.all([
      databaseSection(context),
      accessorSection(context),
      redisSection(context),
      dockerSections(context),
      stateSection(config, env),
    ]),
  ]);
  const clean = (text: string) => cut(canary.redact(text), MAX_TEXT);
  return {
    examined_at: formatInstant(startedAtMs),
    sections: sections.flat().map(({ name, findings }) => ({
      name,
      findings: findings.map((finding) => ({ ...finding, text: clean(finding.text) })),
    })),
    invariants: prospects.map((prospect) => ({
      ...prospect,
      reason: prospect.reason && clean(prospect.reason),
    })),
  };
}
