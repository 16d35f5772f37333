/** The environment that a drill runs on. */
import type { Target } from "../faults/target.ts";
import type { CanaryApi } from "./canary-api.ts";

export interface DrilledEnvironment {
  /** In words. */
  readonly name: string;
  /** Whether only the drill's agents are watched: then nothing but the fault may be red. */
  readonly isAlone: boolean;
  readonly api: CanaryApi;
  readonly target: Target;
  /** Why an invariant is not run there, by its id. */
  readonly off: ReadonlyMap<string, string>;
  close(): Promise<void>;
}
