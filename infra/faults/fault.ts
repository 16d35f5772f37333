/** A fault: how to break one invariant, how to prove that it is broken, and how to cure it. */
import type { InvariantId } from "../../shared/invariants/index.ts";
import type { Severity } from "../../shared/invariants/invariant.ts";
import type { Target } from "./target.ts";
import type { TestAgent } from "./test-agent.ts";

/** An expected value, or a test that the value has to pass. */
export type Expected = unknown | ((value: unknown) => boolean);

export interface Fault {
  /** The one invariant that it breaks. */
  readonly invariantId: InvariantId;
  /** In two or three words, for the soak's list. */
  readonly name: string;
  /** In a sentence, for the drill's proofs and docs/drill.md. */
  readonly title: string;
  /** Describes the cure, for docs/drill.md. */
  readonly cured: string;
  /** Whether it affects all agents. Then its agent has to be idle, and only one such fault exists at a time. */
  readonly isPlatformWide?: true;
  /** Whether the canary can see no other fault meanwhile. */
  readonly isExclusive?: true;
  /** Whether a cycle has to see what `prepare` made before the fault can be seen. */
  readonly isSeenFirst?: true;
  /** How long it has to last before it counts, beyond the first cycle that sees it. Left out: not at all. */
  readonly holdSeconds?: number;
  /** Gives the reason why that target can't have it, with the fix; null where it can. */
  obstacle?(target: Target): string | null;
  /** Makes the healthy state that the fault breaks. */
  prepare?(agent: TestAgent): Promise<void>;
  provoke(agent: TestAgent): Promise<void>;
  /** Reads back, without the canary. Describes what it found; null where the fault did not take hold, or is cured. */
  seen(agent: TestAgent): Promise<string | null>;
  /** The subject of the violation. Left out: the agent's name. */
  subject?(agent: TestAgent): string;
  /** The invariant's key of the finding. Left out: the agent's name. */
  key?(agent: TestAgent): string;
  /** The violation's expected observed_state, by field, on an agent without other runs. */
  expected(agent: TestAgent): Readonly<Record<string, Expected>>;
  /** The expected severity of the violation. Left out: any. */
  severity?(agent: TestAgent): Severity;
  /** Undoes the fault, even where it was made in part or not at all. Can be repeated. */
  cure(agent: TestAgent): Promise<void>;
}

/** Tests for a number between the two, both included. */
export const between =
  (least: number, most: number) =>
  (value: unknown): boolean =>
    typeof value === "number" && value >= least && value <= most;
