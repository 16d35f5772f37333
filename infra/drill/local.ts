/** Opens an embedded environment for the drill, with the fleet's traffic in it. */
import { Redis } from "@upstash/redis";
import { sendRequest } from "../../shared/cli/http-request.ts";
import { CHECKS } from "../../shared/config/checks.ts";
import { OFF_BY_DEFAULT } from "../../shared/invariants/index.ts";
import { controlsOf, NO_JOURNAL } from "../faults/target.ts";
import { startEnvironment } from "../local/environment.ts";
import { openPlatformDatabase, platformDatabase } from "../platform/database.ts";
import type { Release } from "../platform/releases.ts";
import { canaryApi } from "./canary-api.ts";
import type { DrilledEnvironment } from "./environment.ts";

export interface LocalDrillOptions {
  readonly dockerHost: string;
  readonly dockerCertPath?: string | undefined;
  /** Left out: the canary's default. */
  readonly confirmAfterMs?: number;
  /** The release that the platform simulates. Default: today. */
  readonly release?: Release;
}

/** @throws LocalError where the machine is in the way */
export async function openLocal(options: LocalDrillOptions): Promise<DrilledEnvironment> {
  // Without containers for the fleet: another environment on the same daemon may have them under the same names.
  const environment = await startEnvironment({
    ...options,
    port: 0,
    variables: { [CHECKS.on.name]: OFF_BY_DEFAULT.join(",") },
    fleetContainers: false,
  });
  const { url, token, sources, platform, cachedCounts, containers, docker } = environment;
  // A second client: the platform's own transactions must not contain a fault.
  const client = await openPlatformDatabase(sources.databaseUrl);
  return {
    name: `an embedded environment (release ${options.release ?? "today"})`,
    isAlone: true,
    off: environment.canary.checks.off,
    api: canaryApi((path, message) =>
      sendRequest(url + path, {
        ...message,
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      }),
    ),
    target: {
      database: platformDatabase(client, NO_JOURNAL),
      redis: new Redis({ ...sources.redis, automaticDeserialization: false, enableTelemetry: false }),
      docker:
        "docker" in docker
          ? "create" in containers
            ? { daemon: docker.docker, containers }
            : containers
          : docker,
      controls: controlsOf(platform, cachedCounts, sources.queueCounts, environment),
      journal: NO_JOURNAL,
    },
    async close() {
      client.close();
      await environment.close();
    },
  };
}
