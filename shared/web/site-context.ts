import type { Tokens } from "./callers.ts";
import type { RunCycle } from "./cycles.ts";
import type { Guards, Problem } from "./guards.ts";
import type { Sessions } from "./session.ts";
import type { AppCanary, CanaryView } from "./view.ts";

/** The context that the routes of the site share. */
export interface Site {
  readonly canary: AppCanary;
  readonly runCycle: RunCycle;
  readonly view: CanaryView;
  /** Null where the function URL checks callers: nobody signs in, and each request must be signed. */
  readonly tokens: Tokens | null;
  readonly publicBadge: boolean;
  readonly log: (line: string) => void;
  /** Null where nobody signs in. */
  readonly sessions: Sessions | null;
  readonly guards: Guards;
  readonly problem: Problem;
}
