/** The floor: the requests of a cycle sent once again, with no work between them. */
import { Agent, request } from "node:http";
import type { Recorded } from "./recorder.ts";

const agent = new Agent({ keepAlive: true });

/** Sends one request as it was sent before, and reads the answer to its end without looking at it. */
function send({ target, method, path, headers }: Recorded, body: Buffer): Promise<number> {
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
 * Sends each request as soon as those are answered that had been answered when it was sent the first time: the order and
 * the parallelism of the cycle, and none of its work.
 * @returns how long that took, in ms
 * @throws where an answer has another status than it had
 */
export async function sendFloor(requests: readonly Recorded[]): Promise<number> {
  const bodies = requests.map(({ body }) => Buffer.from(body, "base64"));
  const from = performance.now();
  const done: Promise<void>[] = [];
  for (const [i, recorded] of requests.entries()) {
    const before = requests.flatMap((r, k) => (r.endedAtMs <= recorded.startedAtMs ? [done[k]!] : []));
    done.push(
      Promise.all(before).then(async () => {
        const status = await send(recorded, bodies[i]!);
        if (status !== recorded.status)
          throw new Error(
            `${recorded.path} was answered with ${status}, the first time with ${recorded.status}`,
          );
      }),
    );
  }
  await Promise.all(done);
  return performance.now() - from;
}
