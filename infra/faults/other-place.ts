/** What the faults of the sources themselves share: the canary is pointed to another place. */
import type { Elsewhere } from "../local/elsewhere.ts";
import { journaled } from "../platform/journal.ts";
import { type FaultChange, present, type Target } from "./target.ts";
import type { TestAgent } from "./test-agent.ts";

/** Gives the reason why the canary of that target can't be pointed elsewhere; null where it can. */
export const canaryReads = ({ controls }: Target): string | null =>
  "absent" in controls ? `where the canary reads is its configuration: ${controls.absent}` : null;

/** Says whether the canary is pointed to that place. */
export const isPointedTo = ({ target }: TestAgent, place: Elsewhere): boolean =>
  present(target.controls).canaryReads() === place;

/** Points the canary to another place; null: to the platform again. */
export const readsElsewhere = ({ target }: TestAgent, place: Elsewhere | null): Promise<void> =>
  journaled<void, FaultChange>(
    target.journal,
    () => present(target.controls).pointCanaryTo(place),
    () => [{ what: "canary pointed", place }],
  );
