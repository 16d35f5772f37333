/** One section for each source: why it is absent, what of it could not be read, and what its examination found. */
import pMap from "p-map";
import type { ReadOnlyCanary } from "../canary.ts";
import type { Gathered } from "../cycle/gather.ts";
import { pullAgentsOf } from "../invariants/pull-pools.ts";
import { dockerTls } from "../sources/docker/certificates.ts";
import { areReadByReaders } from "../sources/docker/docker.ts";
import { openDatabase, SOURCES } from "../sources/index.ts";
import type { SourceSpec } from "../sources/source.ts";
import { listed, plural } from "../text.ts";
import type { loadConfig } from "../variables.ts";
import { factsOf } from "../verdict/evaluate.ts";
import { addressText, type DatabaseExamination } from "./database.ts";
import { certificateFindings, containerFindings, examineDaemon } from "./docker.ts";
import { examined, type Finding, note, ok, type Section, unread } from "./finding.ts";
import { examinePostgres } from "./postgres.ts";
import { examineRedis } from "./redis.ts";
import { examineSqlite } from "./sqlite.ts";

export interface Context {
  readonly config: ReturnType<typeof loadConfig>;
  readonly canary: ReadOnlyCanary;
  readonly gathered: Gathered;
}

const SHOWN = 5;
/** Daemons that are examined together, by two connections each: a shell has 1,024 descriptors, a function too. */
const DAEMONS_AT_ONCE = 32;

/** The name of the source that a line of `sources_unavailable` begins with. */
const sourceOf = (line: string): string => /^\w+/.exec(line)?.[0] ?? "";

type SourceName = (typeof SOURCES)[number]["name"];

/** The variable that names the source. */
const variableOf = (name: SourceName): string => {
  const spec = (SOURCES as readonly SourceSpec[]).find((one) => one.name === name);
  return Object.values(spec?.variables ?? {})[0]?.name ?? name;
};

/** Either of the two is the platform's database. */
const DATABASES: readonly SourceName[] = ["sqlite", "postgres"];

/** The section of a source: why it is absent, or what a read of it left out and what its examination found. */
async function sectionOf(
  { canary, gathered }: Context,
  name: SourceName,
  examine: () => Promise<readonly Finding[]>,
): Promise<Section> {
  const source = canary.sources.find((one) => one.name === name);
  if (source !== undefined && "absent" in source)
    return {
      name,
      findings: [
        source.absent === "off"
          ? note("source", `left out on purpose: ${variableOf(name)} is "none"`)
          : unread(
              "source",
              `not configured: set ${DATABASES.includes(name) ? DATABASES.map(variableOf).join(" or ") : variableOf(name)}`,
            ),
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

/** The section of the platform's database, by the examination of its backend. */
function databaseSection(
  context: Context,
  name: "sqlite" | "postgres",
  examine: (examination: DatabaseExamination) => Promise<Finding[]>,
): Promise<Section> {
  const { config, canary, gathered } = context;
  const { settings, checks, now } = canary;
  const invariants = checks.all.filter(({ id }) => !checks.off.has(id));
  return sectionOf(context, name, () =>
    examined("database", settings.sourceDeadlineMs, (signal) =>
      examine({
        database: openDatabase(config.sources, config.cycle)!,
        readings: gathered.readings,
        invariants,
        wanted: factsOf(invariants),
        now,
        signal,
      }),
    ),
  );
}

async function accessorSection(context: Context): Promise<Section> {
  const { url } = context.config.sources.queue_counts;
  const name = "queue_counts";
  if (url === null)
    return { name, findings: [note("source", "not set: the accessor's own SQL is run (B-01)")] };
  const { queueCounts } = context.gathered.readings;
  return sectionOf(context, name, async () => [
    ok("address", addressText(url)),
    ...(queueCounts?.read ? [ok("counts", `of ${plural(queueCounts.value.counts.size, "agent")}`)] : []),
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
  return sectionOf(context, "redis", async () => {
    const found = await examined("redis", canary.settings.sourceDeadlineMs, (signal) =>
      examineRedis({ url: url!, token: token! }, readings, canary.now, signal),
    );
    return [...found, ...pullFindings(readings)];
  });
}

/** The daemons that the reading has reached: of the others it has said why not. */
function reachedDaemons(
  { hosts }: Context["config"]["sources"]["docker"],
  { containers }: Gathered["readings"],
): string[] {
  if (hosts === null || typeof hosts === "string") return [];
  if (containers === undefined) return [...hosts];
  return containers.read ? hosts.filter((host) => !containers.value.unseenDaemons.includes(host)) : [];
}

/** Says how many daemons there are, and who reads them. */
function daemonFindings(values: Context["config"]["sources"]["docker"]): Finding[] {
  const { hosts, readersFrom, readerDaemons } = values;
  if (hosts === null || typeof hosts === "string" || hosts.length === 1) return [];
  const count = plural(hosts.length, "daemon");
  return [
    areReadByReaders(values)
      ? note(
          "daemons",
          `${count}, read by readers (a deployed canary: ${plural(Math.ceil(hosts.length / readerDaemons), "function")} at once, here: a process for each core)`,
        )
      : note("daemons", `${count}, read by the canary itself; from ${readersFrom} on by readers`),
  ];
}

/** A section for all daemons, and one for each that was reached. */
async function dockerSections(context: Context): Promise<Section[]> {
  const { config, canary, gathered } = context;
  const { hosts: _, ...certificates } = config.sources.docker;
  const tls = dockerTls(certificates);
  const examineOne = async (host: string): Promise<Section> => ({
    name: `docker ${host}`,
    findings: await examined("daemon", canary.settings.sourceDeadlineMs, (signal) =>
      examineDaemon(host, tls, canary.now, signal),
    ),
  });
  const [all, daemons] = await Promise.all([
    sectionOf(context, "docker", async () => [
      ...daemonFindings(config.sources.docker),
      ...certificateFindings(tls, canary.now()),
      ...containerFindings(gathered.readings),
    ]),
    pMap(reachedDaemons(config.sources.docker, gathered.readings), examineOne, {
      concurrency: DAEMONS_AT_ONCE,
    }),
  ]);
  return [all, ...daemons];
}

/** What is examined of each source. Of one that is not here it is said whether it was read. */
const EXAMINED: Partial<Record<SourceName, (context: Context) => Promise<Section | Section[]>>> = {
  sqlite: (context) =>
    databaseSection(context, "sqlite", (one) => examineSqlite(one, context.config.sources.sqlite)),
  postgres: (context) =>
    databaseSection(context, "postgres", (one) => examinePostgres(one, context.config.sources.postgres)),
  queue_counts: accessorSection,
  redis: redisSection,
  docker: dockerSections,
};

/** Makes the sections of all sources, in their order. The database that the platform does not have has none. */
export async function sourceSections(context: Context): Promise<Section[]> {
  const isHere = (name: SourceName) =>
    !DATABASES.includes(name) || context.canary.sources.some((source) => source.name === name);
  const sections = SOURCES.filter(({ name }) => isHere(name)).map(
    ({ name }) => EXAMINED[name]?.(context) ?? sectionOf(context, name, async () => [ok("source", "read")]),
  );
  return (await Promise.all(sections)).flat();
}
