/** All variables of a canary: the general ones, and those of its sources and channels. */
import { CHANNELS } from "./alerts/channels/index.ts";
import { ALERT_POLICY, ALERTS } from "./config/alerts.ts";
import { API } from "./config/api.ts";
import { CHECKS, readChecks } from "./config/checks.ts";
import { CYCLE, STATE } from "./config/cycle.ts";
import { type Environment, reader } from "./config/reader.ts";
import type { VariableTable } from "./config/variable.ts";
import { docker } from "./sources/docker/docker.ts";
import { checkSources, SOURCES } from "./sources/index.ts";

const variablesOf = (tables: readonly VariableTable[]) => tables.flatMap((table) => Object.values(table));
const tablesOf = (parts: readonly { readonly variables: VariableTable }[]) =>
  parts.map(({ variables }) => variables);

const ALERT_TABLES = [...tablesOf(CHANNELS), ALERTS, ALERT_POLICY];

/** The variables that a deployed canary takes from its secret. */
export const SECRET_NAMES: readonly string[] = variablesOf([
  ...tablesOf(SOURCES),
  CYCLE,
  STATE,
  API,
  ...ALERT_TABLES,
])
  .filter(({ secret }) => secret)
  .map(({ name }) => name);

/** What the secrets of the cycle function may hold: also the list of daemons, where it is too long for a function's variables. */
export const CYCLE_SECRET_NAMES: readonly string[] = [...SECRET_NAMES, docker.variables.hosts.name];

/** The variables that `npm start` passes on: those of alerts, and which invariants run. */
export const PASSED_ON: readonly string[] = variablesOf([...ALERT_TABLES, CHECKS]).map(({ name }) => name);

/**
 * Reads the variables of a canary.
 * @throws ConfigError naming every variable that can't be used
 */
export function loadConfig(env: Environment) {
  const read = reader(env);
  const config = {
    sources: read.valuesOf(SOURCES),
    channels: read.valuesOf(CHANNELS),
    alerts: read.values(ALERTS),
    policy: read.values(ALERT_POLICY),
    stateTable: read.values(STATE).table,
    cycle: read.values(CYCLE),
    checks: readChecks(read),
    /** Every secret in the other values: it must not be printed. */
    secrets: read.secrets,
  };
  checkSources(config.sources, read.problem);
  read.end();
  return config;
}
