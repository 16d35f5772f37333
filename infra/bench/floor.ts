/** The floor: the requests of a cycle, sent again with no work between them. */
import { Agent, request } from "node:http";
import type { Recorded } from "./recorder.ts";

/** Sends one request as it was recorded, reads the answer to its end, and throws it away. */
function send(agent: Agent, { target, method, path, headers }: Recorded, body: Buffer): Promise<number> {
  const { hostname, port } = new URL(target);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, method, path, headers, agent }, (answer) => {
      answer.resume();
      answer.once("end", () => resolve(answer.statusCode ?? 0));
      answer.once("error", reject);
    });
    sent.once("error", reject);
    sent.end(body);
  });
}

/**
 * Sends each request once every request is answered that was answered before it in the recording. This keeps the order
 * and the parallelism of the cycle without its work.
 * @returns how long it took, and the CPU time of this process, in ms
 * @throws Error where an answer has a status other than the recorded one
 */
export async function sendFloor(
  requests: readonly Recorded[],
): Promise<{ readonly ms: number; readonly cpuMs: number }> {
  // As a cycle does, which keeps no connection to its sources: between two cycles, a server may end them.
  const agent = new Agent({ keepAlive: true });
  const bodies = requests.map(({ body }) => Buffer.from(body, "base64"));
  const [from, before] = [performance.now(), process.cpuUsage()];
  const done: Promise<void>[] = [];
  for (const [i, recorded] of requests.entries()) {
    const before = requests.flatMap((r, k) => (r.endedAtMs <= recorded.startedAtMs ? [done[k]!] : []));
    done.push(
      Promise.all(before).then(async () => {
        const status = await send(agent, recorded, bodies[i]!);
        if (status !== recorded.status)
          throw new Error(
            `${recorded.path} was answered with ${status}, the first time with ${recorded.status}`,
          );
      }),
    );
  }
  await Promise.all(done).finally(() => agent.destroy());
  const { user, system } = process.cpuUsage(before);
  return { ms: performance.now() - from, cpuMs: (user + system) / 1000 };
}
