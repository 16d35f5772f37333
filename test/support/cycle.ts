/** A canary with a platform and a clock that the test sets, and its state in a real table of dynalite. */
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { DescribeTableCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import dynalite from "dynalite";
import { afterAll, beforeAll } from "vitest";
import { createTable } from "../../infra/local/dynamodb.ts";
import type { Alert } from "../../shared/alerts/alert.ts";
import type { Canary } from "../../shared/canary.ts";
import { EMPTY_MEMORY, type Memory, memorySizes } from "../../shared/cycle/memory.ts";
import type { AlertSettings, CycleOutcome, CycleSettings } from "../../shared/cycle/outcome.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import type {
  ContainerProcesses,
  EndedCursor,
  Execution,
  FactName,
  Facts,
  Reading,
  Slot,
  TerminalStatus,
} from "../../shared/facts/facts.ts";
import { type CheckSettings, checksOf } from "../../shared/invariants/checks.ts";
import { OFF_BY_DEFAULT } from "../../shared/invariants/index.ts";
import { recollectionsOf } from "../../shared/recall/index.ts";
import type { ConfiguredSource } from "../../shared/sources/collect.ts";
import { documentClient } from "../../shared/store/client.ts";
import type { Lease } from "../../shared/store/lease.ts";
import { dynamoStore, type Store } from "../../shared/store/store.ts";
import type { CycleReport } from "../../shared/wire/schemas/cycles.ts";
import { oneByOne } from "./alert.ts";
import { callInProcess } from "./dynamo-in-process.ts";
import {
  container as containerOf,
  containersOf,
  countsOf,
  cursorAt,
  executionsOf,
  orphansOf,
  rosterOf,
  running,
  runningContainer,
  slot as slotIn,
  slotsOf,
  zombiesOf,
} from "./facts.ts";

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
/** The start of every test, unix ms. */
export const START_MS = Date.parse("2026-11-23T10:00:00.000Z");

const GIVES = {
  sqlite: [
    "roster",
    "executions",
    "sessions",
    "newestStart",
    "pendingRetries",
    "platformSettings",
    "ended",
    "endedWithoutTime",
    "endedBeforeStart",
    "backlogDefects",
    "credentialsInQueue",
    "schedules",
    "orphans",
  ],
  queue_counts: ["queueCounts"],
  redis: ["slots", "drainTick", "pullPolls", "platformKeys"],
  docker: ["zombies", "containers"],
} as const satisfies Record<string, readonly FactName[]>;
export type SourceName = keyof typeof GIVES;
type GivenFact = (typeof GIVES)[SourceName][number];

/** The platform, fact by fact; a function where the fact depends on the clock. */
type World = { [F in GivenFact]: Facts[F] | ((nowMs: number) => Facts[F]) };

/** A memory that differs from others by the time of its last full cycle. */
export const memoryAt = (atMs: number): Memory => ({
  ...EMPTY_MEMORY,
  lastFullCycle: {
    atMs,
    durationMs: 106,
    checksOff: [],
    sourcesUnavailable: [],
    latencyMsBySource: { sqlite: 12 },
  },
});

export const runningRow = (id: string, agent: string, over: Partial<Execution> = {}): Execution =>
  running(id, {
    agent,
    startedAt: "2026-11-23T09:50:00Z",
    startedAtMs: START_MS - 10 * MINUTE_MS,
    ...over,
  });

/** A slot that was acquired ten minutes before the start, with a correct life. */
export const slot = (id: string, over: Partial<Slot> = {}): Slot =>
  slotIn(id, { score: START_MS / 1000 - 600, ttlSeconds: 86_400, ...over });

export const live = (...rows: Execution[]): Facts["executions"] => executionsOf(rows);

export const container = (
  agent: string,
  zombiePids: number[] = [],
  over: Partial<ContainerProcesses> = {},
): ContainerProcesses =>
  containerOf(zombiePids, { agent, containerId: `c-${agent}`, startedAt: "2026-11-23T00:00:00Z", ...over });

const IDLE = { executionTimeoutSeconds: 7 * 86_400 };

/** Two idle agents, a run that has just ended, and a drain that has just run. */
const HEALTHY: World = {
  roster: rosterOf({ alpha: IDLE, beta: IDLE }),
  executions: live(),
  sessions: new Set(),
  newestStart: (nowMs) => nowMs - MINUTE_MS,
  pendingRetries: [],
  platformSettings: { maxParallelTasksCeiling: 10 },
  ended: (nowMs) => ({ rows: [], cursor: cursorAt(nowMs) }),
  endedWithoutTime: [],
  endedBeforeStart: [],
  backlogDefects: [],
  credentialsInQueue: [],
  schedules: [],
  orphans: orphansOf({}),
  queueCounts: countsOf({}),
  slots: slotsOf({}),
  drainTick: (nowMs) => ({ atSeconds: nowMs / 1000 }),
  pullPolls: new Map(),
  platformKeys: { hasSlotKey: true, hasHeartbeat: true },
  containers: containersOf([runningContainer({ agent: "alpha" }), runningContainer({ agent: "beta" })]),
  zombies: zombiesOf([container("alpha"), container("beta")]),
};

/** The settings of the canary; `dwellSeconds` is R-01's. */
type Settings = CycleSettings & {
  readonly dwellSeconds: number;
  /** Which invariants run, and how severe they are. Left out: all run, also those that are off by default. */
  readonly checks: Partial<CheckSettings>;
};
/** Every invariant runs, as severe as its file says, but for what is named. */
export const someChecks = (settings: Partial<CheckSettings> = {}) =>
  checksOf({ off: [], on: OFF_BY_DEFAULT, severities: {}, ...settings });
const DEFAULTS: Settings = {
  sourceDeadlineMs: 10_000,
  confirmAfterMs: 3_000,
  expectAgents: 0,
  dwellSeconds: 0,
  checks: {},
};

/** No alert is sent. */
const SILENT: AlertSettings = {
  senders: {},
  policy: {
    onRecovery: true,
    onSpread: true,
    remindAfterMs: DAY_MS,
    minSeverity: "minor",
    blindAfterCycles: 3,
  },
  environment: "test",
  statusUrl: null,
};

/** The commit of a cycle without alerts, which releases the lease. */
export const commit = (store: Store, lease: Lease, memory: Memory): Promise<Lease> =>
  store.lease.commit(lease, memorySizes(memory, []), { release: true, nowMs: START_MS });
export const memoryIn = async (store: Store): Promise<Memory> => (await store.lease.read()).memory;

/** For a write that nothing cuts. */
export const NO_DEADLINE = new AbortController().signal;

/** The error of a state that is down: it has an address with a password in its message, and a code. */
export const stateDown = (): Error =>
  Object.assign(new Error("connect ECONNREFUSED http://user:hunter2@10.0.0.7:8000"), {
    code: "ECONNREFUSED",
  });

/** A call of the state store, by its part: "lease.commit". */
export type StateCall = { [P in keyof Store]: `${P}.${keyof Store[P] & string}` }[keyof Store];

const copyOf = (store: Store): Store => ({
  lease: { ...store.lease },
  silences: { ...store.silences },
  journals: { ...store.journals },
  evidence: { ...store.evidence },
  freshness: { ...store.freshness },
  history: { ...store.history },
  episodes: { ...store.episodes },
  latest: { ...store.latest },
});
// biome-ignore lint/suspicious/noExplicitAny: each call has other arguments.
type Call = (...args: any[]) => Promise<unknown>;
const partsOf = (store: Store) => store as unknown as Record<string, Record<string, Call>>;
/** The function of that call. */
export const stateCall = (store: Store, call: StateCall): Call => {
  const [part, name] = call.split(".") as [string, string];
  return partsOf(store)[part]![name]!;
};
/** The same store with another function for that call. */
export function withStateCall(store: Store, call: StateCall, by: Call): Store {
  const copy = copyOf(store);
  replace(copy, call, by);
  return copy;
}
function replace(store: Store, call: StateCall, by: Call): void {
  const [part, name] = call.split(".") as [string, string];
  partsOf(store)[part]![name] = by;
}

export interface ScriptedCanary {
  readonly deps: Canary;
  /** The store itself, without the faults of `stateFails`. */
  readonly store: Store;
  readonly client: DynamoDBDocumentClient;
  readonly table: string;
  /** All reads of sources so far. */
  readonly reads: { readonly source: SourceName; readonly endedSince: EndedCursor | null }[];
  /** The duration of each sleep of the cycle. */
  readonly naps: number[];
  now(): number;
  advance(ms: number): void;
  /** Changes the platform. */
  set(facts: Partial<World>): void;
  /** Changes these facts for their next read only. */
  once(facts: Partial<World>): void;
  /** Ends these executions. */
  ends(rows: Record<string, TerminalStatus>): void;
  /** Makes one fact unreadable, until it is set again. */
  unread(fact: GivenFact, reason: string): void;
  /** Says of one fact, whenever it is read, why it lacks entries, or is too little. */
  marks(fact: GivenFact, marks: { readonly unlisted?: string; readonly insufficient?: string }): void;
  /** Sets what a read of that source does first: it may throw, hang or be slow. Without a function the source is healthy. */
  when(source: SourceName, asked?: (signal: AbortSignal) => Promise<void>): void;
  /** Deploys the canary with other settings of its invariants. */
  deploy(checks: Partial<CheckSettings>): void;
  /** Turns that source off. */
  leaveOut(source: SourceName, absent: "off" | "not configured"): void;
  /** Makes that call of the store fail until `stateRecovers`. */
  stateFails(...calls: StateCall[]): void;
  /** Makes that call hang until `stateRecovers`. */
  stateHangs(...calls: StateCall[]): void;
  /** Makes that call do its work and lose its answer, until `stateRecovers`. */
  stateLosesTheAnswer(...calls: StateCall[]): void;
  /** Replaces that call. */
  stateCalls(call: StateCall, by: Call): void;
  stateRecovers(): void;
  /** Reads the memory. */
  memory(): Promise<Memory>;
  /** Runs one cycle now. */
  run(invariantIds?: readonly string[]): Promise<CycleOutcome>;
  /** Lets five minutes pass and runs a cycle. @throws where it did not happen */
  cycle(...invariantIds: string[]): Promise<CycleReport>;
  /** Lets five minutes pass and runs a cycle that can't reach its state. @throws where it could */
  statelessCycle(...invariantIds: string[]): Promise<Extract<CycleOutcome, { kind: "stateless" }>>;
}

/** Another client of the same server, as another function has one. It waits as long as a loaded machine takes. */
export async function patientClient(of: DynamoDBDocumentClient): Promise<DynamoDBDocumentClient> {
  const { hostname, port } = await of.config.endpoint!();
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  const client = new DynamoDBClient({
    endpoint: `http://${hostname}:${port}`,
    region: "local",
    credentials,
  });
  return DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
}

/** Takes what the canary sends from now on: kind, invariant and severity of each alert. */
export function alertsOf(canary: ScriptedCanary, policy: Partial<AlertSettings["policy"]> = {}): string[] {
  const sent: string[] = [];
  const slack = async ({ kind, invariantId, severity, summary }: Alert) =>
    void sent.push(`${kind} ${invariantId ?? summary} ${severity}`);
  const { alerts } = canary.deps;
  Object.assign(canary.deps, {
    alerts: { ...alerts, senders: { slack: oneByOne(slack) }, policy: { ...alerts.policy, ...policy } },
  });
  return sent;
}
export const taken = (sent: string[]): string[] => sent.splice(0);

/** Starts one dynalite for the test file. Gives a function that makes a canary with a new table. */
export function useCanaries(): (settings?: Partial<Settings>) => Promise<ScriptedCanary> {
  let server: Server;
  let endpoint: string;
  let tables = 0;
  let admin: DynamoDBClient;
  const clients: DynamoDBDocumentClient[] = [];
  beforeAll(async () => {
    server = dynalite({ createTableMs: 0 });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const credentials = { accessKeyId: "local", secretAccessKey: "local" };
    admin = new DynamoDBClient({ endpoint, region: "local", credentials });
    callInProcess(admin, server);
  });
  afterAll(async () => {
    for (const client of [admin, ...clients]) client.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return async (settings = {}) => {
    tables += 1;
    const table = `canary-${tables}`;
    await createTable(admin, table);
    // A table is there a moment after the answer.
    while (
      (await admin.send(new DescribeTableCommand({ TableName: table }))).Table?.TableStatus !== "ACTIVE"
    );
    const client = documentClient({ endpoint });
    callInProcess(client, server);
    clients.push(client);
    return scriptedCanary(client, table, { ...DEFAULTS, ...settings });
  };
}

function scriptedCanary(client: DynamoDBDocumentClient, table: string, settings: Settings): ScriptedCanary {
  let nowMs = START_MS;
  const world: World = { ...HEALTHY };
  const nextRead = new Map<FactName, World[GivenFact]>();
  const unreadFacts = new Map<FactName, string>();
  const marked = new Map<FactName, object>();
  const behaviour = new Map<SourceName, (signal: AbortSignal) => Promise<void>>();
  const reads: ScriptedCanary["reads"] = [];
  const naps: number[] = [];

  const readFact = (fact: GivenFact): Reading<unknown> => {
    const reason = unreadFacts.get(fact);
    if (reason !== undefined) return { read: false, reason };
    const given = nextRead.get(fact) ?? world[fact];
    nextRead.delete(fact);
    const value = typeof given === "function" ? given(nowMs) : given;
    return { read: true, value, time: { fromMs: nowMs, toMs: nowMs }, ...marked.get(fact) };
  };
  const scripted = (name: SourceName): ConfiguredSource => ({
    name,
    gives: GIVES[name],
    async read({ signal, wanted, since }) {
      reads.push({ source: name, endedSince: since.ended });
      await behaviour.get(name)?.(signal);
      const facts = GIVES[name].filter((fact) => wanted.has(fact));
      return { readings: Object.fromEntries(facts.map((fact) => [fact, readFact(fact)])), unavailable: [] };
    },
  });

  const names = Object.keys(GIVES) as SourceName[];
  const sources = names.map(scripted);
  const store = dynamoStore(client, table);
  const faulty = copyOf(store);
  const deps: Canary = {
    sources,
    backend: "sqlite",
    recollections: recollectionsOf(settings),
    store: faulty,
    settings,
    checks: someChecks(settings.checks),
    alerts: SILENT,
    now: () => nowMs,
    sleep: async (ms) => {
      naps.push(ms);
      nowMs += ms;
    },
    redact: (line) => line.replaceAll("hunter2", "***"),
  };
  const run = (invariantIds?: readonly string[]) => runCycle(deps, { invariantIds, trigger: "schedule" });
  const tick = async <K extends CycleOutcome["kind"]>(kind: K, ids: string[]) => {
    nowMs += 5 * MINUTE_MS;
    const outcome = await run(ids.length > 0 ? ids : undefined);
    if (outcome.kind !== kind) throw new Error(`the cycle was to be ${kind}: ${JSON.stringify(outcome)}`);
    return outcome as Extract<CycleOutcome, { kind: K }>;
  };
  return {
    deps,
    store,
    client,
    table,
    reads,
    naps,
    now: () => nowMs,
    advance: (ms) => {
      nowMs += ms;
    },
    set(facts) {
      Object.assign(world, facts);
      for (const fact of Object.keys(facts)) unreadFacts.delete(fact as FactName);
    },
    once(facts) {
      for (const [fact, value] of Object.entries(facts)) nextRead.set(fact as FactName, value);
    },
    ends(rows) {
      const ended = Object.entries(rows).map(([id, status]) => ({ id, status }));
      nextRead.set("ended", (at: number) => ({ rows: ended, cursor: cursorAt(at) }));
    },
    unread: (fact, reason) => void unreadFacts.set(fact, reason),
    marks: (fact, marks) => void marked.set(fact, marks),
    when(source, asked) {
      if (asked) behaviour.set(source, asked);
      else behaviour.delete(source);
    },
    deploy: (checks) => void Object.assign(deps, { checks: someChecks(checks) }),
    leaveOut: (source, absent) =>
      void sources.splice(names.indexOf(source), 1, { name: source, gives: GIVES[source], absent }),
    stateFails(...calls) {
      for (const call of calls) replace(faulty, call, () => Promise.reject(stateDown()));
    },
    stateHangs(...calls) {
      for (const call of calls) replace(faulty, call, () => new Promise(() => {}));
    },
    stateLosesTheAnswer(...calls) {
      for (const call of calls)
        replace(faulty, call, async (...args) => {
          await stateCall(store, call)(...args);
          throw stateDown();
        });
    },
    stateCalls: (call, by) => replace(faulty, call, by),
    stateRecovers: () => void Object.assign(faulty, copyOf(store)),
    memory: () => memoryIn(store),
    run,
    cycle: async (...ids) => (await tick("done", ids)).report,
    statelessCycle: (...ids) => tick("stateless", ids),
  };
}
