/** Where a drill is held. */
import type { CanaryApi } from "./canary-api.ts";
import type { Ground } from "./scene.ts";

export interface Place {
  /** In words. */
  readonly name: string;
  /** Whether nobody else's agents are watched there: then nothing but the fault may be red. */
  readonly isAlone: boolean;
  readonly api: CanaryApi;
  readonly ground: Ground;
  close(): Promise<void>;
}
