/** What a fault is: something that breaks one invariant, seen to have taken hold, with its cure. */
import type { Scene } from "../drill/scene.ts";

/** A value that has to be seen, or what has to be true of it. */
export type Expected = unknown | ((value: unknown) => boolean);

export interface Fault {
  /** The one invariant that it breaks. */
  readonly invariantId: string;
  /** What is done, in a few words. */
  readonly title: string;
  /** @returns why it can't be provoked there, with the mend; null where it can */
  obstacle?(scene: Scene): Promise<string | null>;
  /** Makes what is healthy and has to be there first. */
  prepare?(scene: Scene): Promise<void>;
  provoke(scene: Scene): Promise<void>;
  /** Reads back, past the canary. @returns what was seen, or null where the fault did not take hold */
  seen(scene: Scene): Promise<string | null>;
  /** What the violation's observed_state has to say, by field; a function is asked. */
  expected(scene: Scene): Readonly<Record<string, Expected>>;
  /** Undoes it, also where it was made in part or not at all. */
  cure(scene: Scene): Promise<void>;
}

/** @returns what is true of whole numbers between the two, both included */
export const between =
  (least: number, most: number) =>
  (value: unknown): boolean =>
    typeof value === "number" && value >= least && value <= most;
