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
  close(): Promise<void>;
}
