/** The embedded platform as faults see it. */
import { Redis } from "@upstash/redis";
import { controlsOf, NO_JOURNAL, type Target } from "../faults/target.ts";
import { platformDatabase } from "../platform/database.ts";
import type { LocalEnvironment } from "./environment.ts";
import type { OnClose } from "./on-close.ts";

type Parts = Pick<
  LocalEnvironment,
  | "databases"
  | "sources"
  | "platform"
  | "cachedCounts"
  | "containers"
  | "docker"
  | "pointCanaryTo"
  | "leaveDatabaseBehind"
>;

/** Opens what faults need of the environment. @param onClose gets the function that ends it */
export async function openTarget(environment: Parts, onClose: OnClose): Promise<Target> {
  const { databases, sources, platform, cachedCounts, containers, docker } = environment;
  // A second client: the platform's own transactions must not contain a fault.
  const client = await databases.another();
  onClose(async () => client.close());
  const hasContainers = "docker" in docker && "create" in containers;
  return {
    database: platformDatabase(client, NO_JOURNAL),
    redis: new Redis({ ...sources.redis, automaticDeserialization: false, enableTelemetry: false }),
    docker: hasContainers
      ? { daemon: docker.docker, containers }
      : "absent" in containers
        ? containers
        : { absent: "agents have no containers" },
    controls: controlsOf(platform, cachedCounts, sources.queueCounts, environment),
    journal: NO_JOURNAL,
  };
}
