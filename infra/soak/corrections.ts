/**
 * What the checks know of the platform beyond its first contract, each as something that can be taken out: the facts that it
 * rests on are changed before the canary sees them. The false reds that appear are those that it saves.
 */
import type { Execution, FactName, Facts, Orphans, Reading, Readings } from "../../shared/facts/facts.ts";
import { EXECUTIONS, ROSTER } from "../platform/names.ts";

/** Reads names of agents from the platform's database. */
export type NamesOf = (sql: string) => Promise<readonly string[]>;

export interface Correction {
  /** The invariants that it is about. */
  readonly invariants: string;
  readonly title: string;
  /** Changes what was read to what it would be without the correction. */
  takeOut(readings: Readings, namesOf: NamesOf): Readings | Promise<Readings>;
}

/** Changes the value of that fact, where it was read. */
function withFact<F extends FactName>(
  readings: Readings,
  fact: F,
  change: (value: Facts[F]) => Facts[F],
): Readings {
  const reading = readings[fact] as Reading<Facts[F]> | undefined;
  return reading?.read ? { ...readings, [fact]: { ...reading, value: change(reading.value) } } : readings;
}

const withRows = (readings: Readings, change: (row: Execution) => Partial<Execution>): Readings =>
  withFact(readings, "executions", (executions) => ({
    ...executions,
    live: executions.live.map((row) => ({ ...row, ...change(row) })),
  }));

/** Adds ghosts, each with one row. */
const withGhosts = (readings: Readings, names: readonly string[], table: string): Readings =>
  withFact(readings, "orphans", (orphans): Orphans => {
    const added = names.map((name) => [name, { rowsByTable: new Map([[table, 1]]), samples: [] }] as const);
    return { ...orphans, ghosts: new Map([...added, ...orphans.ghosts]) };
  });

const SWEEP_JITTER_SECONDS = 30;

export const CORRECTIONS = {
  "chat turns": {
    invariants: "S-01",
    title: "a chat turn's slot has another id than its row, and some have no slot",
    takeOut: (readings) => withRows(readings, () => ({ triggeredBy: null })),
  },
  "turns that go on": {
    invariants: "S-01",
    title: "a chat turn that found no free slot goes on when slots are free again",
    takeOut: (readings) => withRows(readings, () => ({ runsAtStart: null })),
  },
  "parked turns": {
    invariants: "S-01",
    title:
      "a chat turn whose dispatch was parked has started_at moved, and queued_at says when it was admitted",
    takeOut: (readings) =>
      withRows(readings, ({ status }) => (status === "running" ? { queuedAtMs: null } : {})),
  },
  dispatch: {
    invariants: "S-01",
    title: "a run without a session is being dispatched, for a minute",
    takeOut: (readings) => withRows(readings, () => ({ hasSession: true })),
  },
  leases: {
    invariants: "S-01, E-05",
    title: "a run that a pull worker has claimed has no slot, and no session until it ends",
    takeOut: (readings) => withRows(readings, () => ({ lease: null })),
  },
  "pull agents": {
    invariants: "B-02",
    title: "sweeps do not drain the queue of a pull agent",
    takeOut: (readings) =>
      withFact(
        withRows(readings, () => ({ lease: null })),
        "pullPolls",
        () => new Map(),
      ),
  },
  ceiling: {
    invariants: "S-01, B-02",
    title: "the ceiling of the fleet",
    takeOut: (readings) => withFact(readings, "platformSettings", () => ({ maxParallelTasksCeiling: null })),
  },
  "late sweeps": {
    invariants: "B-02",
    title: "a sweep is late until its heartbeat is 90 s old, not 60 s",
    takeOut: (readings) =>
      withFact(readings, "drainTick", ({ atSeconds }) => ({
        atSeconds: atSeconds === null ? null : atSeconds - SWEEP_JITTER_SECONDS,
      })),
  },
  alarms: {
    invariants: "L-03",
    title: "the platform's alarms stand in operator_queue under names that no agent has",
    takeOut: async (readings, namesOf) =>
      withGhosts(
        readings,
        await namesOf(
          "SELECT DISTINCT agent_name FROM operator_queue WHERE status = 'pending' AND substr(agent_name, 1, 1) = '_'",
        ),
        "operator_queue",
      ),
  },
  "finished retries": {
    invariants: "L-03",
    title: "a row whose retry was made stays pending_retry, and a purge keeps it",
    takeOut: async (readings, namesOf) =>
      withGhosts(
        readings,
        await namesOf(
          `SELECT DISTINCT agent_name FROM ${EXECUTIONS} WHERE status = 'pending_retry' AND retry_scheduled_at IS NULL
           AND agent_name NOT IN (SELECT agent_name FROM ${ROSTER})`,
        ),
        EXECUTIONS,
      ),
  },
  "lives by Redis's clock": {
    invariants: "S-03",
    title: "when a slot's hash expires is asked of Redis, not reckoned by our clock",
    takeOut: (readings) =>
      withFact(readings, "slots", (slots) => ({
        ...slots,
        byAgent: new Map(
          [...slots.byAgent].map(([agent, members]) => [
            agent,
            members.map((slot) => ({ ...slot, expiresAtSeconds: null })),
          ]),
        ),
      })),
  },
} as const satisfies Readonly<Record<string, Correction>>;

export type CorrectionName = keyof typeof CORRECTIONS;
export const CORRECTION_NAMES = Object.keys(CORRECTIONS) as CorrectionName[];
