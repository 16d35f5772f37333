/** The environments that can be deployed. A new one is one entry below; secrets are never here. */
import type { z } from "zod";
import { ALERTS } from "../shared/config/alerts.ts";
import { API } from "../shared/config/api.ts";
import { CHECKS } from "../shared/config/checks.ts";
import { ConfigError } from "../shared/config/reader.ts";
import type { VariableTable } from "../shared/config/variable.ts";
import { areReadByReaders, docker } from "../shared/sources/docker/docker.ts";
import { postgres } from "../shared/sources/postgres/postgres.ts";
import { plural } from "../shared/text.ts";
import { AlertSettings, ChannelSettings } from "./settings/alerts.ts";
import { CheckSettings } from "./settings/checks.ts";
import { WRITTEN } from "./settings/schemas.ts";
import { Settings } from "./settings/settings.ts";

/** An entry as it is written: what is left out has a default. */
export type EnvironmentInput = z.input<typeof Settings>;
export type EnvironmentSettings = z.output<typeof Settings>;

/** Lists the schemas by their settings, with the values of an environment. */
const placesOf = (settings?: EnvironmentSettings) =>
  [
    ["", Settings.shape, settings],
    ["checks.", CheckSettings.shape, settings?.checks],
    ["alerts.", AlertSettings.shape, settings?.alerts],
    ...Object.entries(ChannelSettings).map(
      ([name, { shape }]) =>
        [`channels.${name}.`, shape, settings?.channels[name as keyof typeof ChannelSettings]] as const,
    ),
  ] as readonly (readonly [string, Record<string, z.ZodType>, Record<string, unknown> | undefined])[];

/** The settings that become variables, by the variables' names. */
export const SETTINGS: ReadonlyMap<string, string> = new Map(
  placesOf().flatMap(([place, schemas]) =>
    Object.entries(schemas).flatMap(([field, schema]): [string, string][] => {
      const written = WRITTEN.get(schema);
      return written ? [[written.variable, place + field]] : [];
    }),
  ),
);

const namesOf = (table: VariableTable): readonly string[] => Object.values(table).map(({ name }) => name);
const API_NAMES = namesOf(API);
/** Both functions read these: the one runs the invariants, and the other shows them. Alerts and pages link to the runbooks. */
const SHARED_NAMES = [...namesOf(CHECKS), ALERTS.runbooksUrl.name];

type ReaderOf = "cycle" | "api";

/** Converts an environment's settings to variables, however long they are. */
function allVariablesOf(
  environment: string,
  settings: EnvironmentSettings,
  reader: ReaderOf,
): Record<string, string> {
  const variables = { [ALERTS.environment.name]: environment };
  for (const [, schemas, values] of placesOf(settings))
    for (const [field, schema] of Object.entries(schemas)) {
      const written = WRITTEN.get(schema);
      const text = written?.text(values?.[field]);
      if (written === undefined || text === undefined) continue;
      const { variable } = written;
      if (SHARED_NAMES.includes(variable) || (reader === "api") === API_NAMES.includes(variable))
        variables[variable] = text;
    }
  return variables;
}

/** What Lambda takes of a function's variables, as the JSON of all of them. */
const MAX_VARIABLES_BYTES = 4096;
/** The stack's own variables: the names of the table, secrets, the topic, a function, and the address of the status page. */
const STACK_BYTES = 900;
/** What Secrets Manager takes of a secret. */
const MAX_SECRET_BYTES = 65_536;

const bytesOf = (variables: object): number => Buffer.byteLength(JSON.stringify(variables)) + STACK_BYTES;

/**
 * Returns the daemons as a variable of their own, where they are too many for the variables of a function: the cycle function
 * then has them from a secret. Null where they fit.
 */
export function longDaemonsOf(
  environment: string,
  settings: EnvironmentSettings,
): Record<string, string> | null {
  const all = allVariablesOf(environment, settings, "cycle");
  const { name } = docker.variables.hosts;
  const hosts = all[name];
  return hosts === undefined || bytesOf(all) <= MAX_VARIABLES_BYTES ? null : { [name]: hosts };
}

/** Says whether readers read the environment's daemons. */
export const hasReaders = ({ dockerHosts, dockerReadersFrom }: EnvironmentSettings): boolean =>
  areReadByReaders({ hosts: dockerHosts, readersFrom: dockerReadersFrom });

/**
 * Converts an environment's settings to variables.
 * @param environment the environment's name
 * @param reader the function that gets them: the API function gets its own only, and the cycle function all others; both
 *   get which invariants run
 */
export function variablesOf(
  environment: string,
  settings: EnvironmentSettings,
  reader: ReaderOf = "cycle",
): Record<string, string> {
  const inSecret = Object.keys(longDaemonsOf(environment, settings) ?? {});
  const variables = Object.entries(allVariablesOf(environment, settings, reader));
  return Object.fromEntries(variables.filter(([name]) => !inSecret.includes(name)));
}

export const ENVIRONMENTS: Readonly<Record<string, EnvironmentInput>> = {
  dev: {
    libsqlUrl: "libsql://trinity-dev.example.com",
    redisUrl: "https://redis-dev.example.com",
    dockerHosts: "none",
    queueCountsUrl: "sql",
    functionUrl: { auth: "bearer" },
    logDays: 7,
    removal: "delete",
  },
  staging: {
    libsqlUrl: "libsql://trinity-staging.example.com",
    redisUrl: "https://redis-staging.example.com",
    dockerHosts: ["tcp://docker-staging.example.com:2376"],
    queueCountsUrl: "sql",
    functionUrl: { auth: "bearer" },
    removal: "delete",
  },
  prod: {
    libsqlUrl: "libsql://trinity.example.com",
    redisUrl: "https://redis.example.com",
    dockerHosts: ["tcp://docker.example.com:2376"],
    queueCountsUrl: "sql",
    network: {
      vpcId: "vpc-0123456789abcdef0",
      subnetIds: ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    },
    functionUrl: { auth: "iam", callers: [] },
    logDays: 90,
    removal: "keep",
    alarmEmail: "operators@example.com",
  },
};

/**
 * Checks an entry and fills in the defaults.
 * @param name the environment's name in errors, alerts and metrics
 * @throws ConfigError naming each field that can't be used, and what to give
 */
export function parseEnvironment(name: string, input: unknown): EnvironmentSettings {
  if (!/^[a-z][a-z0-9-]{0,29}$/.test(name))
    throw new ConfigError([
      `${JSON.stringify(name)} can't name an environment: use lower case letters, digits and hyphens, 30 at most`,
    ]);
  const parsed = Settings.safeParse(input);
  if (parsed.success) {
    checkSize(name, parsed.data);
    return parsed.data;
  }
  throw new ConfigError(parsed.error.issues.flatMap((issue) => describeIssue(name, input, issue)));
}

/** @throws ConfigError where a function's variables, or the list of daemons, would be too large */
function checkSize(name: string, settings: EnvironmentSettings): void {
  const caBytes = Buffer.byteLength(settings.databaseCa ?? "");
  const daemons = Array.isArray(settings.dockerHosts) ? settings.dockerHosts.length : 0;
  const tokens = Object.keys(settings.readTokens).length;
  const daemonsBytes = Buffer.byteLength(JSON.stringify(longDaemonsOf(name, settings) ?? {}));
  const problems = [
    daemonsBytes > MAX_SECRET_BYTES
      ? `${name}.dockerHosts: ${plural(daemons, "daemon")} make ${daemonsBytes} bytes, and a secret, which then holds them, takes ${MAX_SECRET_BYTES}: share them out among several environments`
      : null,
    ...(["cycle", "api"] as const).map((reader) => {
      const bytes = bytesOf(variablesOf(name, settings, reader));
      if (bytes <= MAX_VARIABLES_BYTES) return null;
      const [field, fix] =
        reader === "api"
          ? [
              `readTokens: ${plural(tokens, "token")}`,
              `put them into the API's secret, as ${API.readTokens.name}`,
            ]
          : caBytes > MAX_VARIABLES_BYTES / 2
            ? ["databaseCa: the CA and the rest", `put it into the secret, as ${postgres.variables.ca.name}`]
            : ["checks, channels and addresses", "name fewer invariants, or shorten the addresses"];
      return `${name}.${field} make some ${bytes} bytes of variables, and a function of AWS Lambda takes ${MAX_VARIABLES_BYTES}: ${fix}`;
    }),
  ].filter((line) => line !== null);
  if (problems.length > 0) throw new ConfigError(problems);
}

const valueAt = (input: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], input);

function describeIssue(name: string, input: unknown, issue: z.core.$ZodIssue): string[] {
  const place = [name, ...issue.path].join(".");
  if (issue.code === "unrecognized_keys")
    return issue.keys.map(
      (key) => `${place}.${key} is not a setting of an environment: remove it, or correct its name`,
    );
  if (issue.code === "custom") return [`${place} ${issue.message}`];
  return [`${place}${valueAt(input, issue.path) === undefined ? " is missing" : ""}: ${issue.message}`];
}

/**
 * Finds the settings of an environment.
 * @param name an entry of `environments`
 * @throws ConfigError where there is no such entry, or it can't be used
 */
export function findEnvironment(
  name: string | undefined,
  environments: Readonly<Record<string, unknown>> = ENVIRONMENTS,
): EnvironmentSettings {
  const known = Object.keys(environments).join(", ");
  if (!name) throw new ConfigError([`no environment is named: add -c env=NAME, one of ${known}`]);
  if (!Object.hasOwn(environments, name))
    throw new ConfigError([
      `there is no environment ${JSON.stringify(name)}: give one of ${known}, or add an entry to infra/environments.ts`,
    ]);
  return parseEnvironment(name, environments[name]);
}

/** Lists the settings that still have an example's address. */
export const placeholdersIn = (settings: EnvironmentSettings): string[] =>
  Object.entries(settings)
    .filter(([, value]) => /\bexample\.com\b|\b-?0123456789abcdef\d?\b/.test(JSON.stringify(value)))
    .map(([field]) => field);
