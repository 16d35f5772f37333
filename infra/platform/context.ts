/** What every part of one platform works with. */
import type { Redis } from "ioredis";
import type { Clock } from "./clock.ts";
import type { Database } from "./database.ts";
import type { Journal } from "./journal.ts";

export interface PlatformContext {
  readonly database: Database;
  readonly redis: Redis;
  readonly clock: Clock;
  readonly journal: Journal;
  /** Takes one line for the operator: what went wrong, and where. */
  readonly log: (line: string) => void;
}

/** @returns what was thrown, in words */
export const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
