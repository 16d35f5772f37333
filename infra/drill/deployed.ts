/** Opens a deployed environment for the drill, while everything else goes on there. */
import { createClient } from "@libsql/client/http";
import { Redis } from "@upstash/redis";
import Docker from "dockerode";
import { ConfigError, type Environment, environmentWith } from "../../shared/config/reader.ts";
import { NONE } from "../../shared/config/source-variables.ts";
import { checksOf } from "../../shared/invariants/checks.ts";
import { dockerTls } from "../../shared/sources/docker/certificates.ts";
import type { SourceValues } from "../../shared/sources/index.ts";
import { parseAddress } from "../../shared/sources/postgres/address.ts";
import { postgres } from "../../shared/sources/postgres/postgres.ts";
import { loadConfig } from "../../shared/variables.ts";
import { type EnvironmentSettings, placeholdersIn, variablesOf } from "../environments.ts";
import { type Absent, NO_JOURNAL, type Target } from "../faults/target.ts";
import { IDLE } from "../local/agent-image.ts";
import { agentContainers } from "../platform/containers.ts";
import { platformDatabase } from "../platform/database.ts";
import type { SqlClient } from "../platform/file-client.ts";
import { AGENT_LABEL } from "../platform/names.ts";
import { openPostgres } from "../platform/postgres-client.ts";
import { type Call, canaryApi } from "./canary-api.ts";
import type { DrilledEnvironment } from "./environment.ts";

export interface DeployedDrillOptions {
  readonly environment: string;
  /** The settings of that environment, which name its sources. */
  readonly settings: EnvironmentSettings;
  /** Reaches the canary that watches it. */
  readonly call: Call;
  /** The image of R-01's container. Left out: that of an agent that runs there. */
  readonly image?: string | undefined;
  /** The variables with the tokens, which need the right to write. Left out: the shell's. */
  readonly variables?: Environment;
}

const DATABASE_URL = postgres.variables.url.name;
const DATABASE_CA = postgres.variables.ca.name;
/** The deadline of one request: one that hangs must not block a cure. */
const REQUEST_MS = 15_000;

const absent = (reason: string) => ({ absent: reason });

const CONTROLS = absent("a drill does not touch what others use; provoke it with a drill on this machine");

function openDatabase({ sqlite, postgres }: SourceValues): SqlClient | Absent {
  if (sqlite.url?.startsWith("file:"))
    return absent("its database is a mounted file, which can't be reached from here");
  if (sqlite.url !== null && sqlite.url !== NONE)
    return createClient({
      url: sqlite.url,
      ...(sqlite.authToken && { authToken: sqlite.authToken }),
      fetch: (request: Request) => fetch(request, { signal: AbortSignal.timeout(REQUEST_MS) }),
    });
  if (postgres.url === null || postgres.url === NONE) return absent("its environment names no database");
  const { host, tls } = parseAddress(postgres.url, postgres.password, postgres.ca);
  return openPostgres(postgres.url, {
    ...(postgres.password && { password: postgres.password }),
    ssl: tls !== null && { host, ...(tls.ca && { ca: tls.ca }) },
    deadlineMs: REQUEST_MS,
  });
}

function databaseOf(sources: SourceValues): [Target["database"], () => void] {
  const client = openDatabase(sources);
  if ("absent" in client) return [client, () => {}];
  return [platformDatabase(client, NO_JOURNAL), () => client.close()];
}

/** Server and database of an address, without who reads it. */
const placeOf = (url: string): string => {
  const { hostname, port, pathname } = new URL(url);
  return `${hostname}:${port || 5432}${pathname}`;
};

/**
 * An environment's address of a PostgreSQL names the role of its canary, which may only read, and its CA may be a file that
 * only its functions have: those of the shell stand in for them. @throws ConfigError where the address is of another database
 */
function withWritingRole(named: Environment, shell: Environment, environment: string): Environment {
  const [own, given, ca] = [named[DATABASE_URL], shell[DATABASE_URL], shell[DATABASE_CA]];
  if (!own) return named;
  const trusting = { ...named, ...(ca && { [DATABASE_CA]: ca }) };
  if (!given || given === NONE) return trusting;
  // One that is refused is not repeated: it may hold a password.
  const problems: string[] = [];
  const problem = (text: string) => void problems.push(`${DATABASE_URL} ${text}`);
  postgres.variables.url.parse(given, { problem, secret() {} });
  if (problems.length > 0) throw new ConfigError(problems);
  if (placeOf(own) !== placeOf(given))
    throw new ConfigError([
      `${DATABASE_URL} names ${placeOf(given)}, and the database of ${environment} is ${placeOf(own)}: name the same one, with a role that may write`,
    ]);
  return { ...trusting, [DATABASE_URL]: given };
}

const redisOf = ({ url, token }: SourceValues["redis"]): Target["redis"] =>
  url === null || url === NONE
    ? absent("its environment names no redisUrl")
    : new Redis({
        url,
        token: token!,
        automaticDeserialization: false,
        enableTelemetry: false,
        retry: false,
        signal: () => AbortSignal.timeout(REQUEST_MS),
      });

async function dockerOf(
  { hosts, ...certificates }: SourceValues["docker"],
  dwellSeconds: number,
  image: string | undefined,
): Promise<Target["docker"]> {
  if (hosts === null || hosts === NONE) return absent("its environment names no dockerHosts");
  if (dwellSeconds > 0)
    return absent(
      `its canary counts a zombie after ${dwellSeconds} s, and a drill does not wait: deploy it with zombieDwellSeconds 0, and drill R-01 then`,
    );
  const { hostname, port } = new URL(hosts[0]!);
  const tls = dockerTls(certificates);
  const daemon = new Docker({ protocol: "https", host: hostname, port, ...tls, timeout: REQUEST_MS });
  try {
    const agents = await daemon.listContainers({
      filters: { label: [`${AGENT_LABEL.name}=${AGENT_LABEL.value}`] },
    });
    const found = image ?? agents[0]?.Image;
    if (!found)
      return absent(
        "no agent runs on the first Docker daemon, whose image could be used: name one with --image",
      );
    return { daemon, containers: agentContainers(daemon, { image: found, command: IDLE }) };
  } catch (error) {
    return absent(`the first Docker daemon does not answer: ${(error as Error).message}`);
  }
}

/** @throws ConfigError where the environment still has addresses of the examples, or a token is missing */
export async function openDeployed(options: DeployedDrillOptions): Promise<DrilledEnvironment> {
  const { environment, settings, call, image, variables = process.env } = options;
  const placeholders = placeholdersIn(settings);
  if (placeholders.length > 0)
    throw new ConfigError(
      placeholders.map(
        (field) => `${environment}.${field} still names an address of the examples: correct it`,
      ),
    );
  const named = withWritingRole(variablesOf(environment, settings), variables, environment);
  const { sources, checks } = loadConfig(environmentWith(named, variables));
  const [database, close] = databaseOf(sources);
  return {
    name: environment,
    isAlone: false,
    off: checksOf(checks).off,
    api: canaryApi(call),
    target: {
      database,
      redis: redisOf(sources.redis),
      docker: await dockerOf(sources.docker, settings.zombieDwellSeconds, image),
      controls: CONTROLS,
      journal: NO_JOURNAL,
    },
    close: async () => close(),
  };
}
