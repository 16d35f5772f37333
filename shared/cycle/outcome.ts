/** What a cycle is asked for and what it answers. Types only. */
import type { Channel } from "../alerts/alert.ts";
import type { Senders } from "../alerts/channels/channel.ts";
import type { AlertPolicy } from "../alerts/notify.ts";
import type { Snapshot } from "../facts/facts.ts";
import type { Severity } from "../invariants/invariant.ts";
import type { CycleReport } from "../wire/schemas/cycles.ts";

export interface CycleSettings {
  /** For each source, and for each call of the state store. */
  readonly sourceDeadlineMs: number;
  /** How long after the first read a new red is read again. */
  readonly confirmAfterMs: number;
  /** How many agents the roster has at least. */
  readonly expectAgents: number;
}

/** Who is notified, of what, and under which name. */
export interface AlertSettings {
  readonly senders: Senders;
  readonly policy: Omit<AlertPolicy, "routes"> & { readonly minSeverity: Severity };
  readonly environment: string;
  /** The address of the status page, where there is one. */
  readonly statusUrl: string | null;
  /** Where the runbooks are; null or left out: the status page has them. */
  readonly runbooksUrl?: string | null;
  /** What is asked after each full cycle; null or left out: nothing. */
  readonly heartbeatUrl?: string | null;
}

/** The parts of a cycle, in their order; recollections and sources are read at once. */
export type CycleStep =
  | "lease"
  | "recollections"
  | "sources"
  | "evaluate"
  | "confirm"
  | "transition"
  | "journals"
  | "commit"
  | "evidence"
  | "deliver";

export interface CycleRequest {
  /** The invariants to run; all where it is left out. Their ids must exist. */
  readonly invariantIds?: readonly string[] | undefined;
  /** What asked for the cycle: "schedule", "http", "cli". */
  readonly trigger: string;
  /** How much time the caller has left, in ms: alerts are delivered only within it. */
  readonly timeLeftMs?: () => number;
}

export type CycleOutcome =
  /** The cycle has happened. */
  | {
      readonly kind: "done";
      readonly report: CycleReport;
      readonly latencyMsBySource: Snapshot["latencyMsBySource"];
      readonly alerts: AlertsOutcome;
    }
  /** The verdicts stand, but the state could not be read or written: nothing opened or closed. */
  | { readonly kind: "stateless"; readonly report: CycleReport; readonly reason: string }
  /** Another cycle runs, or took this one's place. */
  | { readonly kind: "busy"; readonly retryAfterSeconds: number };

/** What telemetry is given in addition to the outcome. */
export interface CycleNotes {
  readonly trigger: string;
  /** The ids of the invariants that are unknown where no alert of another invariant says why. */
  readonly blind: readonly string[];
}

/** What became of alerts in this cycle. */
export interface AlertsOutcome {
  readonly delivered: number;
  readonly pending: number;
  /** Given up after a day, or pushed out of a full outbox. */
  readonly dropped: readonly { readonly key: string; readonly channel: Channel }[];
  /** Why a channel did not take one, without secrets. */
  readonly failures: readonly string[];
}
