/** How much of the machine a piece of work takes, its servers included. */
import { cpus } from "node:os";

const workedMs = () =>
  cpus().reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0);

/**
 * Does the work, and counts what all processes of the machine worked meanwhile.
 * @returns its result, and how many cores were busy on average. The kernel counts in steps of 10 ms.
 */
export async function withBusyCores<T>(work: () => Promise<T>): Promise<{ result: T; cores: number }> {
  const [from, before] = [performance.now(), workedMs()];
  const result = await work();
  return { result, cores: (workedMs() - before) / (performance.now() - from) };
}
