/** Alerts as the first cycles make them, of invariants that are really red. */
import { expect } from "vitest";
import { advance } from "../../shared/alerts/advance.ts";
import type { Alert } from "../../shared/alerts/alert.ts";
import type { AlertPolicy } from "../../shared/alerts/notify.ts";
import type { AlertState } from "../../shared/alerts/state.ts";
import { type AlertContext, toAlerts } from "../../shared/alerts/to-alert.ts";
import type { Facts } from "../../shared/facts/facts.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import type { Severity } from "../../shared/invariants/invariant.ts";
import { DAY_MS, HOUR_MS } from "../../shared/time.ts";
import type { AnyFinding, Verdict } from "../../shared/verdict/evaluate.ts";
import {
  AGENT,
  container,
  containersOf,
  countsOf,
  executionsOf,
  finished,
  judge,
  NOW_MS,
  orphansOf,
  queued,
  rememberedOf,
  rosterOf,
  running,
  runningContainer,
  SNAPSHOT_TIME,
  schedule,
  secondsAgo,
  slot,
  slotsOf,
  zombiesOf,
} from "./facts.ts";

/** The id under which the first violation of the cycle was recorded. */
export const FIRST_ID = 20261123000021;
export const STATUS_URL = "https://canary.example.com/?env=prod&view=all";

export const IDS = INVARIANTS.map(({ id }) => id);
export const invariantOf = (id: string) => INVARIANTS.find((i) => i.id === id)!;

/** These find one thing, whatever the number of agents. */
export const FINDS_ONE = new Set(INVARIANTS.filter((i) => i.discredits).map(({ id }) => id));

/** @returns facts in which that invariant is red once for each name, or once by all, with an execution of the same name */
export function redFacts(id: string, names: readonly string[]): Partial<Facts> {
  const roster = rosterOf(Object.fromEntries(names.map((name) => [name, { maxParallelTasks: 1 }])));
  const each = <T>(of: (name: string) => T) => Object.fromEntries(names.map((name) => [name, of(name)]));
  const rows = (of: (name: string) => ReturnType<typeof running>) => executionsOf(names.map(of));
  switch (id) {
    case "H-01":
      return {
        roster: rosterOf({}),
        rosterDoubtSince: NOW_MS - HOUR_MS,
        containers: containersOf(names.map((agent) => runningContainer({ agent }))),
      };
    case "H-02":
      return {
        newestStart: NOW_MS - HOUR_MS,
        slots: slotsOf({ ...each((name) => [slot("1st"), slot(`2nd of ${name}`)]), zed: [slot("3rd")] }),
      };
    case "H-03":
      return {
        executions: executionsOf([...names, "zed"].map((agent) => running(`run of ${agent}`, { agent }))),
        platformKeys: { hasSlotKey: false, hasHeartbeat: false },
      };
    case "S-01":
      return { roster, slots: slotsOf(each((name) => [slot(`run of ${name}`)])) };
    case "S-02":
      return { roster, slots: slotsOf(each((name) => [slot(`1st of ${name}`), slot(`2nd of ${name}`)])) };
    case "S-03":
      return { roster, slots: slotsOf(each((name) => [slot(`run of ${name}`, { ttlSeconds: -1 })])) };
    case "E-01":
      return {
        roster,
        executions: rows((agent) => running(`run of ${agent}`, { agent, ageSeconds: 9000 })),
      };
    case "E-02":
      return {
        executions: rows((agent) => running(`run of ${agent}`, { agent })),
        finishedRuns: rememberedOf(Object.fromEntries(names.map((name) => [`run of ${name}`, "success"]))),
      };
    case "E-03":
      return {
        endedWithoutTime: names.map((agent) => finished(`run of ${agent}`, { agent, endedSecondsAgo: null })),
      };
    case "E-04":
      return {
        backlogDefects: names.map((agent) => ({ id: `run of ${agent}`, agent, defect: "queued_at_null" })),
      };
    case "E-06":
      return {
        roster,
        schedules: names.map((agent) => schedule(`run of ${agent}`, { agent, overdueSeconds: 7_200 })),
      };
    case "G-03":
      return {
        endedBeforeStart: names.map((agent) =>
          finished(`run of ${agent}`, { agent, endedSecondsAgo: 90, startedSecondsAgo: 60 }),
        ),
      };
    case "G-04":
      return {
        credentialsInQueue: names.map((agent) => ({ id: `run of ${agent}`, agent, pattern: "ghp" })),
      };
    case "E-05":
      return { executions: rows((agent) => running(`run of ${agent}`, { agent, ageSeconds: 90 })) };
    case "L-03":
      return {
        roster: rosterOf({ other: {} }),
        orphans: orphansOf(each(() => ({ rows: { schedule_executions: 2 } }))),
      };
    case "B-01":
      return { roster, queueCounts: countsOf(each(() => 7)) };
    case "B-02":
      return {
        roster,
        executions: rows((agent) => queued(`run of ${agent}`, { agent, waitedSeconds: 400 })),
        drainTick: { atSeconds: secondsAgo(300) },
      };
    case "B-08":
      return {
        roster,
        pullPolls: new Map(names.map((name) => [name, secondsAgo(400)])),
        containers: containersOf(names.map((agent) => runningContainer({ agent, isPullMode: true }))),
      };
    case "R-01":
      return {
        roster,
        zombies: zombiesOf(names.map((agent, i) => container([7, 8, 9], { agent, containerId: `c${i}` }))),
      };
    default:
      throw new Error(`there are no red facts for ${id}`);
  }
}

export const POLICY: AlertPolicy = {
  routes: [{ name: "slack", minSeverity: "minor", invariants: null, holdsOpen: false }],
  onRecovery: true,
  onSpread: true,
  remindAfterMs: DAY_MS,
  blindAfterCycles: 1,
};
export const NOTHING: AlertState = { states: {}, blindSources: {} };

export interface Told {
  prior?: AlertState;
  nowMs?: number;
  severity?: Severity;
  context?: Partial<AlertContext>;
}

/** The cycle in which this verdict came about. @returns its alerts, and what is remembered of it */
export function tell(
  verdicts: readonly Verdict[],
  { prior = NOTHING, nowMs = NOW_MS, context = {} }: Told = {},
) {
  const findings = verdicts.flatMap((v) => v.findings);
  const { states, blindSources, notices } = advance(
    prior,
    { verdicts, offInvariants: [], offSources: [], unavailable: [], isFull: true },
    nowMs,
    POLICY,
    [],
  );
  const { environment = "production", statusUrl = STATUS_URL, redact = (text: string) => text } = context;
  const addressed = toAlerts({ alerts: { environment, statusUrl }, backend: "sqlite", redact }, notices, {
    snapshotTime: SNAPSHOT_TIME,
    nowMs,
    idOf: (finding) => FIRST_ID + findings.indexOf(finding),
    ...context,
  });
  const alerts = addressed.map(({ alert }) => alert);
  return { alerts, remembered: { states, blindSources } };
}

export const withSeverity = (verdict: Verdict, severity: Severity): Verdict => ({
  ...verdict,
  findings: verdict.findings.map((finding): AnyFinding => ({ ...finding, severity })),
});

/** @returns the alert of the first cycle in which the invariant is red for these names */
export function brokeAlert(id: string, names: readonly string[] = [AGENT], told: Told = {}): Alert {
  const verdict = judge(invariantOf(id), redFacts(id, names));
  const { alerts } = tell([told.severity ? withSeverity(verdict, told.severity) : verdict], told);
  expect(alerts).toHaveLength(1);
  return alerts[0]!;
}

export const agents = (count: number) =>
  Array.from({ length: count }, (_, i) => `agent-${String(i).padStart(3, "0")}`);

/** 500 characters of everything that a channel might take for something else. */
export function hostile(prefix: string): string {
  const nasty =
    "<!channel> <@U012AB3CD> & &lt; *bold* _it_ ~gone~ `code` ```x``` <http://x|y> 🧟‍♀️\n> \u202e\u200f\t@here ";
  return (prefix + nasty.repeat(10)).slice(0, 500);
}
