/** The releases of the platform that can be simulated: how they differ, and the known bugs that can be switched on. */

/** `seed` is the release of May 2026, `today` the one of November 2026. */
export const RELEASES = ["seed", "today"] as const;
export type Release = (typeof RELEASES)[number];

/** What the release does. Its tables and columns are in schema.ts. */
export interface Traits {
  readonly release: Release;
  /** Takes a slot with one MULTI instead of three commands. */
  readonly takesSlotAtOnce: boolean;
  /** Renews a slot while its dispatch is parked. */
  readonly renewsSlots: boolean;
  /** Marks a deleted agent and keeps its rows until a purge, instead of removing them at once. */
  readonly deletesSoftly: boolean;
  /** Has a cap for all agents in system_settings. */
  readonly hasCeiling: boolean;
  /** Has agents whose runs are claimed by workers of their own. */
  readonly hasPullAgents: boolean;
  /** The SQL condition that an agent of the roster (table `o`) is not deleted. */
  readonly isActive: string;
}

export const TRAITS: Readonly<Record<Release, Traits>> = {
  seed: {
    release: "seed",
    takesSlotAtOnce: false,
    renewsSlots: false,
    deletesSoftly: false,
    hasCeiling: false,
    hasPullAgents: false,
    isActive: "TRUE",
  },
  today: {
    release: "today",
    takesSlotAtOnce: true,
    renewsSlots: true,
    deletesSoftly: true,
    hasCeiling: true,
    hasPullAgents: true,
    isActive: "o.deleted_at IS NULL",
  },
};

/**
 * The platform's known bugs. All are off unless they are switched on:
 * - `cancelClearsAllSlots`: to cancel one run removes all slots of its agent
 * - `drainUsesAgentTimeout`: the slot of a drained row gets the agent's timeout instead of the row's own
 * - `deleteLeavesRows`: an agent that leaves the roster leaves its rows in the other tables
 * - `retriesAnyStatus`: a failed run is made to wait for its retry even where a late success has overwritten the failure
 */
export type BugName =
  | "cancelClearsAllSlots"
  | "drainUsesAgentTimeout"
  | "deleteLeavesRows"
  | "retriesAnyStatus";
export type Bugs = Readonly<Partial<Record<BugName, true>>>;
