/** Every variable that a canary is made from: the general ones, and those of its sources and channels. */
import { CHANNELS, type ChannelValues } from "./alerts/channels/index.ts";
import { ALERT_POLICY, ALERTS } from "./config/alerts.ts";
import { API } from "./config/api.ts";
import { CYCLE, STATE } from "./config/cycle.ts";
import { type Environment, reader } from "./config/reader.ts";
import type { Table, Values } from "./config/variable.ts";
import { SOURCES, type SourceValues } from "./sources/index.ts";

export interface Config {
  readonly sources: SourceValues;
  readonly channels: ChannelValues;
  readonly alerts: Values<typeof ALERTS>;
  readonly policy: Values<typeof ALERT_POLICY>;
  /** The DynamoDB table; null where none is named. */
  readonly stateTable: string | null;
  readonly cycle: Values<typeof CYCLE>;
  /** Every secret in here, to be taken out of whatever is printed. */
  readonly secrets: readonly string[];
}

const variablesOf = (tables: readonly Table[]) => tables.flatMap((table) => Object.values(table));
const tablesOf = (parts: readonly { readonly variables: Table }[]) => parts.map(({ variables }) => variables);

/** The variables that a deployed canary takes from its secret. */
export const SECRET_NAMES: readonly string[] = variablesOf([
  ...tablesOf(SOURCES),
  CYCLE,
  STATE,
  API,
  ...tablesOf(CHANNELS),
  ALERTS,
  ALERT_POLICY,
])
  .filter(({ secret }) => secret)
  .map(({ name }) => name);

/** The variables of alerts, which `npm start` hands through. */
export const ALERT_NAMES: readonly string[] = variablesOf([...tablesOf(CHANNELS), ALERTS, ALERT_POLICY]).map(
  ({ name }) => name,
);

/**
 * Reads what a canary is made from.
 * @throws ConfigError naming every variable that can't be used
 */
export function loadConfig(env: Environment): Config {
  const read = reader(env);
  const config = {
    sources: read.valuesOf(SOURCES),
    channels: read.valuesOf(CHANNELS),
    alerts: read.values(ALERTS),
    policy: read.values(ALERT_POLICY),
    stateTable: read.values(STATE).table,
    cycle: read.values(CYCLE),
    secrets: read.secrets,
  };
  read.end();
  return config;
}
