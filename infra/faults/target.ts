/** The platform that faults are made on, and the parts of it that a fault may change. */
import type { Redis } from "@upstash/redis";
import type Docker from "dockerode";
import type { Elsewhere } from "../local/elsewhere.ts";
import type { AgentContainers } from "../platform/containers.ts";
import type { PlatformDatabase } from "../platform/database.ts";
import type { Change, Journal } from "../platform/journal.ts";
import type { Platform } from "../platform/platform.ts";

/** A change that the platform itself never makes. */
export type Tampering =
  /** The agent's row left the roster; its rows in the other tables stay. */
  | { readonly what: "roster row lost"; readonly agent: string }
  | { readonly what: "accessor"; readonly agent: string; readonly isWrong: boolean }
  /** A queued row was written whose backlog_metadata is NULL, or holds a credential. */
  | {
      readonly what: "backlog";
      readonly agent: string;
      readonly executionId: string;
      readonly holds: "nothing" | "a credential";
    }
  /** An enabled schedule has this next_run_at; null: it is gone. */
  | {
      readonly what: "schedule";
      readonly agent: string;
      readonly scheduleId: string;
      readonly nextRunAtMs: number | null;
    }
  /** The key that says when a pull worker of the agent asked for work is gone: the agent is no longer a pull agent. */
  | { readonly what: "pull polls gone"; readonly agent: string }
  /** The canary reads a place that is not the platform's; null: the platform again. */
  | { readonly what: "canary pointed"; readonly place: Elsewhere | null };

export type FaultChange = Change | Tampering;

export interface Absent {
  /** Why this part can't be reached. */
  readonly absent: string;
}

/** Controls that only a platform in this process has. */
export interface Controls {
  /** Counts that the queue accessor gives in place of the database's, by agent. */
  readonly cachedCounts: Map<string, number>;
  /** Asks the accessor over HTTP for an agent's count. */
  countOf(agent: string): Promise<number | null>;
  /** Lets no sweep begin. */
  hangSweeps(): Promise<void>;
  sweepsHang(): boolean;
  /** Sweeps at once, then on the usual schedule. */
  resumeSweeps(): Promise<void>;
  /** Points the canary to a place that is not the platform's; null: to the platform again. */
  pointCanaryTo(place: Elsewhere | null): Promise<void>;
  /** Copies the platform's database as it is now: the next `database left behind`. */
  leaveDatabaseBehind(): Promise<void>;
  /** The place that it is pointed to; null for the platform. */
  canaryReads(): Elsewhere | null;
}

export interface Limits {
  readonly maxParallelTasks: number;
  readonly executionTimeoutSeconds: number;
}

/** Each part of the platform, or why it is absent. */
export interface Target {
  readonly database: PlatformDatabase<FaultChange> | Absent;
  readonly redis: Redis | Absent;
  readonly docker: { readonly daemon: Docker; readonly containers: AgentContainers } | Absent;
  readonly controls: Controls | Absent;
  /** Records every write to Redis and to the controls; `database` records its own. */
  readonly journal: Journal<FaultChange>;
}

export const NO_JOURNAL: Journal<FaultChange> = { record() {} };

const isPresent = <T extends object>(part: T | Absent): part is T => !("absent" in part);

/** @throws Error with the reason where the part is absent */
export function present<T extends object>(part: T | Absent): T {
  if (isPresent(part)) return part;
  throw new Error(part.absent);
}

/** The controls of a simulated platform in this process, whose accessor is behind `queueCounts`. */
export function controlsOf(
  platform: Platform,
  cachedCounts: Map<string, number>,
  queueCounts: { readonly url: string; readonly token: string },
  { pointCanaryTo, leaveDatabaseBehind }: Pick<Controls, "pointCanaryTo" | "leaveDatabaseBehind">,
): Controls {
  let release: (() => void) | null = null;
  let pointed: Elsewhere | null = null;
  return {
    cachedCounts,
    async pointCanaryTo(place) {
      await pointCanaryTo(place);
      pointed = place;
    },
    leaveDatabaseBehind,
    canaryReads: () => pointed,
    async countOf(agent) {
      const { url, token } = queueCounts;
      const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
      const { counts } = (await response.json()) as { counts: Record<string, number> };
      return counts[agent] ?? null;
    },
    async hangSweeps() {
      release ??= await platform.holdMaintenance();
    },
    sweepsHang: () => release !== null,
    async resumeSweeps() {
      release?.();
      release = null;
      await platform.runMaintenance();
    },
  };
}
