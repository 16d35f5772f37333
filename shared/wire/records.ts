/** The shapes of what is stored as evidence and served over HTTP: wire names, snake_case. */
import type { Severity, Tier } from "../invariants/invariant.ts";

export interface ViolationRecord {
  /** Holds its day: 20261123000021. */
  readonly id: number;
  readonly invariant_id: string;
  readonly tier: Tier;
  readonly severity: Severity;
  readonly subject: string;
  readonly snapshot_time: string;
  readonly observed_state: Readonly<Record<string, unknown>>;
  readonly signal_query: string;
}

export interface VerdictRecord {
  readonly status: "green" | "red" | "unknown";
  readonly checked: number;
  readonly unseen: readonly string[];
  readonly reason: string | null;
}

export interface TransitionRecord {
  readonly invariant_id: string;
  readonly severity: Severity;
  readonly violations_in_cycle: number;
  readonly previous_violation_at: string | null;
  /** It is recorded, but a silence kept it from being told. */
  readonly silenced: boolean;
}
export interface SpreadRecord extends TransitionRecord {
  readonly subjects: readonly string[];
}
export interface RecoveryRecord {
  readonly invariant_id: string;
  readonly severity: Severity;
  readonly subjects: readonly string[];
  readonly red_since: string;
  readonly silenced: boolean;
}

/** What a cycle found of one invariant: its violations' ids follow one another. */
export interface FoundRecord {
  readonly violations: number;
  readonly first_violation_id: number;
  /** All of them in one line. */
  readonly summary: string;
}

export interface CycleRecord {
  readonly snapshot_time: string;
  /** "schedule", "http", "cli" … */
  readonly trigger: string;
  readonly duration_ms: number;
  readonly checks_run: readonly string[];
  readonly checks_off: readonly string[];
  readonly sources_unavailable: readonly string[];
  readonly violation_count: number;
  /** By invariant, where it has violations. Records of older versions have none. */
  readonly found?: Readonly<Record<string, FoundRecord>>;
  readonly verdicts: Readonly<Record<string, VerdictRecord>>;
  readonly transitions: readonly TransitionRecord[];
  readonly spreads: readonly SpreadRecord[];
  readonly recoveries: readonly RecoveryRecord[];
}

/** Of a cycle what a strip of many shows. */
export type CycleOutline = Pick<CycleRecord, "snapshot_time" | "trigger" | "checks_off" | "found"> & {
  readonly verdicts: Readonly<Record<string, Pick<VerdictRecord, "status">>>;
};
