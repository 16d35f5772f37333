/** Where a drill is held. */
import type { Target } from "../faults/target.ts";
import type { CanaryApi } from "./canary-api.ts";

export interface DrilledEnvironment {
  /** In words. */
  readonly name: string;
  /** Whether nobody else's agents are watched there: then nothing but the fault may be red. */
  readonly isAlone: boolean;
  readonly api: CanaryApi;
  readonly target: Target;
  close(): Promise<void>;
}
