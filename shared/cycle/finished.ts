/** What a cycle read and judged, before its state is written. Types only. */
import type { Verdict } from "../verdict/evaluate.ts";
import type { Gathered } from "./gather.ts";
import type { CycleRequest } from "./outcome.ts";
import type { CycleFacts, Drafts } from "./report.ts";

export interface Finished extends CycleFacts {
  readonly request: CycleRequest;
  /** Unix ms. */
  readonly startedAtMs: number;
  readonly gathered: Gathered;
  /** The verdicts of this cycle alone. `verdicts` are what leaves the canary: with what is still red. */
  readonly judged: readonly Verdict[];
  readonly drafts: Drafts;
  /** The lines of `sourcesUnavailable` for what could not be read. The others are notes: nothing is blind by them. */
  readonly unread: readonly string[];
}
