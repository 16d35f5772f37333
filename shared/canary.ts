/** Makes a canary from the environment, for every entry point and for tests. */
import type { Senders } from "./alerts/channels/channel.ts";
import { configureChannels } from "./alerts/channels/index.ts";
import { STATE } from "./config/cycle.ts";
import { ConfigError, type Environment } from "./config/reader.ts";
import { redactor } from "./config/redactor.ts";
import type { AlertSettings, CycleNotes, CycleOutcome, CycleSettings, CycleStep } from "./cycle/outcome.ts";
import { type Checks, checksOf } from "./invariants/checks.ts";
import type { Backend } from "./invariants/commands.ts";
import { recollectionsOf } from "./recall/index.ts";
import type { Recollection } from "./recall/recollection.ts";
import type { ConfiguredSource } from "./sources/collect.ts";
import { configureSources, databaseBackend } from "./sources/index.ts";
import { documentClient } from "./store/client.ts";
import { dynamoStore, type Store } from "./store/store.ts";
import { HOUR_MS } from "./time.ts";
import { loadConfig } from "./variables.ts";

/** Everything that a cycle, a route or a page needs. */
export interface Canary {
  readonly sources: readonly ConfiguredSource[];
  /** The platform's database, as the variables name it; null where none is read. */
  readonly backend: Backend | null;
  readonly recollections: readonly Recollection[];
  readonly store: Store;
  readonly settings: CycleSettings;
  /** Which invariants this environment runs, and how severe they are. */
  readonly checks: Checks;
  readonly alerts: AlertSettings;
  /** Unix ms. */
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  /** Takes secrets out of a line. */
  readonly redact: (line: string) => string;
  /** Called at the end of every cycle, for logs and metrics. */
  readonly observe?: (outcome: CycleOutcome, notes: CycleNotes) => void;
  /** Called with the duration of each part of a cycle. */
  readonly onStep?: (step: CycleStep, ms: number) => void;
}

/** A canary without a state and without channels: it can read and judge, and nothing else. */
export type ReadOnlyCanary = Pick<
  Canary,
  "sources" | "backend" | "recollections" | "settings" | "checks" | "now" | "sleep" | "redact"
>;

/** What replaces the environment's variables. */
export interface CanaryOptions {
  /** A table of another server, or any store. Left out: the table STATE_TABLE on AWS. */
  readonly state?: Store | { readonly endpoint: string; readonly table: string };
  /** Left out: the channels that the variables name. */
  readonly senders?: Senders;
  readonly now?: () => number;
  /** Makes the observer of this environment's cycles. */
  readonly observe?: (environment: string) => NonNullable<Canary["observe"]>;
}

function storeOf(state: CanaryOptions["state"], table: string | null): Store {
  if (state !== undefined)
    return "endpoint" in state ? dynamoStore(documentClient(state), state.table) : state;
  if (table === null)
    throw new ConfigError([`${STATE.table.name} is missing: give the name of the DynamoDB table`]);
  return dynamoStore(documentClient(), table);
}

/** Makes the part of a canary that reads and judges. */
export const openReadOnly = (
  config: ReturnType<typeof loadConfig>,
  now: () => number = Date.now,
): ReadOnlyCanary => ({
  sources: configureSources(config.sources, config.cycle),
  backend: databaseBackend(config.sources),
  recollections: recollectionsOf(config.cycle),
  settings: config.cycle,
  checks: checksOf(config.checks),
  now,
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  redact: redactor(config.secrets),
});

/**
 * Opens the canary that these variables describe. It connects to nothing before it is used.
 * @throws ConfigError naming every variable that can't be used
 */
export function openCanary(env: Environment, options: CanaryOptions = {}): Canary {
  const config = loadConfig(env);
  const { remindAfterHours, ...policy } = config.policy;
  return {
    ...openReadOnly(config, options.now),
    store: storeOf(options.state, config.stateTable),
    alerts: {
      ...config.alerts,
      // Where the channels are replaced, nothing leaves the process.
      ...(options.senders && { heartbeatUrl: null }),
      senders: options.senders ?? configureChannels(config.channels),
      policy: { ...policy, remindAfterMs: remindAfterHours * HOUR_MS },
    },
    ...(options.observe && { observe: options.observe(config.alerts.environment) }),
  };
}
