/** What all parts of one platform share. */
import type { Redis } from "ioredis";
import type { Clock } from "./clock.ts";
import type { PlatformDatabase } from "./database.ts";
import type { Journal } from "./journal.ts";
import type { Bugs, Traits } from "./releases.ts";

export interface PlatformContext {
  readonly database: PlatformDatabase;
  readonly redis: Redis;
  readonly clock: Clock;
  readonly journal: Journal;
  /** Takes one line for the operator: what failed, and where. */
  readonly log: (line: string) => void;
  /** What the simulated release does. */
  readonly traits: Traits;
  readonly bugs: Bugs;
  /** The agents whose runs are claimed by workers of their own: the backend never drains them. */
  readonly pullAgents: Set<string>;
}

/** The message of anything that was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
