/** What a fault is: something that breaks one invariant, seen to have taken hold, with its cure. */
import type { InvariantId } from "../../shared/invariants/index.ts";
import type { Target } from "./target.ts";
import type { TestAgent } from "./test-agent.ts";

/** A value that has to be seen, or a test that it has to pass. */
export type Expected = unknown | ((value: unknown) => boolean);

export interface Fault {
  /** The one invariant that it breaks. */
  readonly invariantId: InvariantId;
  /** In two or three words: as a soak lists it. */
  readonly name: string;
  /** In a sentence: as a drill and docs/drill.md describe it. */
  readonly title: string;
  /** How it is cured, for docs/drill.md. */
  readonly cured: string;
  /** Whether all agents of the platform feel it: then its agent has to be idle, and one is made at a time. */
  readonly isPlatformWide?: true;
  /** Says why it can't be made on that target, with the fix; null where it can. */
  obstacle?(target: Target): string | null;
  /** Makes what is healthy and has to be there first. */
  prepare?(agent: TestAgent): Promise<void>;
  provoke(agent: TestAgent): Promise<void>;
  /** Reads back, without the canary. Gives what was seen, or null where the fault did not take hold. */
  seen(agent: TestAgent): Promise<string | null>;
  /** The key of the finding, as the invariant names it; left out: the agent's name. */
  key?(agent: TestAgent): string;
  /** What the violation's observed_state has to say on an agent that nobody else uses, by field. */
  expected(agent: TestAgent): Readonly<Record<string, Expected>>;
  /** Undoes it, also where it was made in part or not at all. Can be repeated. */
  cure(agent: TestAgent): Promise<void>;
}

/** Tests for a whole number between the two, both included. */
export const between =
  (least: number, most: number) =>
  (value: unknown): boolean =>
    typeof value === "number" && value >= least && value <= most;
