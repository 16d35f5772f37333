/** Reads Docker as successive cycles do, without the other sources: for daemons that are too many for one read. */
import { openCanary } from "../../shared/canary.ts";
import type { FactName } from "../../shared/facts/facts.ts";
import { collect } from "../../shared/sources/collect.ts";
import type { Env } from "./plain-loop.ts";

export interface DockerRead {
  readonly ms: number;
  /** The containers whose processes were listed, by their ids. */
  readonly seen: readonly string[];
  /** Lines that say that the process had no descriptors left. */
  readonly outOfDescriptors: number;
}

const WANTED: ReadonlySet<FactName> = new Set(["zombies"]);

/** Reads as often as that. What one read leaves to the next goes through the memory, as JSON. */
export async function readDockerInTurn({
  env,
  reads,
}: {
  readonly env: Env;
  readonly reads: number;
}): Promise<DockerRead[]> {
  const state = { endpoint: "http://localhost", table: "none" };
  const { sources, recollections, settings, redact } = openCanary(env, { state });
  const memory = recollections.find(({ gives }) => gives === "zombieSightings")!;
  let part = memory.initial;
  const done: DockerRead[] = [];
  for (let n = 0; n < reads; n += 1) {
    const from = performance.now();
    const { readings, unavailable } = await collect({
      sources: sources.filter(({ name }) => name === "docker"),
      wanted: WANTED,
      deadlineMs: settings.sourceDeadlineMs,
      now: Date.now,
      since: { ended: null, ...memory.since?.(part) },
      redact,
      isStranger: () => false,
    });
    const ms = performance.now() - from;
    const { zombies } = readings;
    done.push({
      ms,
      seen: zombies?.read ? zombies.value.containers.map(({ containerId }) => containerId) : [],
      outOfDescriptors: unavailable.filter((line) => line.includes("EMFILE")).length,
    });
    const left = memory.recall(part, [])?.next({ readings, verdicts: [], atMs: Date.now() });
    part = JSON.parse(JSON.stringify(left?.part ?? part));
  }
  return done;
}
