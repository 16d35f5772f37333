import type { Canary } from "../canary.ts";
import type { CycleStep } from "./outcome.ts";

/** Does the work, and reports its duration to the canary's `onStep`. */
export function timed<T>({ onStep }: Pick<Canary, "onStep">, name: CycleStep, work: () => T): T {
  if (!onStep) return work();
  const fromMs = performance.now();
  const report = () => onStep(name, performance.now() - fromMs);
  const result = work();
  if (result instanceof Promise) return result.finally(report) as T;
  report();
  return result;
}
