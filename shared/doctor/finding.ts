/** What the doctor says: lines in sections, and what each invariant will be. The names are those of `--json`. */
import { withDeadline } from "../deadline.ts";
import { describeError } from "../errors.ts";

/**
 * `ok`: as it should be. `note`: worth knowing. `warning`: works, and should be changed. `unread`: something that a cycle
 * reads could not be read.
 */
export type Level = "ok" | "note" | "warning" | "unread";

export interface Finding {
  readonly level: Level;
  /** What was examined, in a word or two. */
  readonly topic: string;
  readonly text: string;
}

export interface Section {
  readonly name: string;
  readonly findings: readonly Finding[];
}

/** What an invariant will be in a cycle. */
export interface Prospect {
  readonly id: string;
  readonly title: string;
  readonly outcome: "judged" | "not run" | "unknown";
  /** Why it is not run, or unknown; null where it is judged. */
  readonly reason: string | null;
  /** How many subjects were looked at; null where it is not run. */
  readonly checked: number | null;
  /** What would be red now, sorted. */
  readonly red_subjects: readonly string[];
  readonly unseen: readonly string[];
}

export interface Examination {
  readonly examined_at: string;
  readonly sections: readonly Section[];
  readonly invariants: readonly Prospect[];
}

const finding =
  (level: Level) =>
  (topic: string, text: string): Finding => ({ level, topic, text });

export const ok = finding("ok");
export const note = finding("note");
export const warning = finding("warning");
export const unread = finding("unread");

/** Examines under a deadline. What fails is one finding, and keeps nothing else from being examined. */
export async function examined(
  topic: string,
  deadlineMs: number,
  examine: (signal: AbortSignal) => Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  try {
    return await withDeadline(deadlineMs, examine);
  } catch (error) {
    return [unread(topic, describeError(error))];
  }
}

/** What it comes to, ranked as a cycle ranks it: something would be red, something can't be seen, or neither. */
export function outcomeOf({ sections, invariants }: Examination): "red" | "unknown" | "green" {
  if (invariants.some(({ red_subjects }) => red_subjects.length > 0)) return "red";
  const isWhole =
    invariants.every(({ outcome }) => outcome !== "unknown") &&
    sections.every(({ findings }) => findings.every(({ level }) => level !== "unread"));
  return isWhole ? "green" : "unknown";
}
