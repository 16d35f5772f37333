/** The registry: every invariant, in the order in which they are run and shown. */
import { queueStatusCoherence } from "./b-01-queue-status-coherence.ts";
import { noQueuedWithoutSlotsFull } from "./b-02-no-queued-without-slots-full.ts";
import { pullWorkersAlive } from "./b-08-pull-workers-alive.ts";
import { terminalStateClosure } from "./e-01-terminal-state-closure.ts";
import { noPhantomReversal } from "./e-02-no-phantom-reversal.ts";
import { completedRowsArePopulated } from "./e-03-completed-rows-are-populated.ts";
import { queuedRowsCanBeDrained } from "./e-04-queued-rows-can-be-drained.ts";
import { dispatchedRowsHaveASession } from "./e-05-dispatched-rows-have-a-session.ts";
import { noOverdueSchedule } from "./e-06-no-overdue-schedule.ts";
import { clocksRunForward } from "./g-03-clocks-run-forward.ts";
import { noCredentialsInTheQueue } from "./g-04-no-credentials-in-the-queue.ts";
import { rosterBlindness } from "./h-01-roster-blindness.ts";
import { databaseIsThePlatforms } from "./h-02-database-is-the-platforms.ts";
import { redisIsThePlatforms } from "./h-03-redis-is-the-platforms.ts";
import type { Invariant } from "./invariant.ts";
import { deleteCascades } from "./l-03-delete-cascades.ts";
import { noZombieClaude } from "./r-01-no-zombie-claude.ts";
import { slotRowBijection } from "./s-01-slot-row-bijection.ts";
import { noOverbooking } from "./s-02-no-overbooking.ts";
import { slotTtlFloor } from "./s-03-slot-ttl-floor.ts";

const REGISTRY = [
  rosterBlindness,
  databaseIsThePlatforms,
  redisIsThePlatforms,
  slotRowBijection,
  noOverbooking,
  slotTtlFloor,
  terminalStateClosure,
  noPhantomReversal,
  completedRowsArePopulated,
  queuedRowsCanBeDrained,
  dispatchedRowsHaveASession,
  noOverdueSchedule,
  deleteCascades,
  queueStatusCoherence,
  noQueuedWithoutSlotsFull,
  pullWorkersAlive,
  clocksRunForward,
  noCredentialsInTheQueue,
  noZombieClaude,
] as const;

/** The ids that there are. What is keyed by it is a type error where an invariant is missing. */
export type InvariantId = (typeof REGISTRY)[number]["id"];

export const INVARIANTS: readonly Invariant[] = REGISTRY;

const BY_ID: ReadonlyMap<string, Invariant> = new Map(
  INVARIANTS.map((invariant) => [invariant.id, invariant]),
);

export const INVARIANT_IDS: readonly InvariantId[] = REGISTRY.map(({ id }) => id);

/** The ids of those that run only where the environment turns them on. */
export const OFF_BY_DEFAULT: readonly string[] = INVARIANTS.filter((i) => i.isOffByDefault).map(
  ({ id }) => id,
);

/** Returns the invariant with that id, undefined where there is none. */
export const findInvariant = (id: string): Invariant | undefined => BY_ID.get(id);

/** Returns those of the ids that no invariant has. */
export const unknownIds = (ids: readonly string[]): string[] => ids.filter((id) => !BY_ID.has(id));

/** The ids that there are, for an error text: `there are S-01, S-02, …`. */
export const KNOWN_IDS = `there are ${INVARIANT_IDS.join(", ")}`;
