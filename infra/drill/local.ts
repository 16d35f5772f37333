/** The drill on this machine: an embedded environment of its own, with the fleet's traffic in it. */
import { Redis } from "@upstash/redis";
import { startEnvironment } from "../local/environment.ts";
import { openPlatformDatabase, platformDatabase } from "../platform/database.ts";
import { canaryApi } from "./canary-api.ts";
import type { Place } from "./place.ts";

export interface LocalDrillOptions {
  readonly dockerHost: string;
  readonly dockerCertPath?: string | undefined;
  /** Left out: as by default. */
  readonly confirmAfterMs?: number;
}

/** @throws LocalError for what is in the way on this machine */
export async function openLocal(options: LocalDrillOptions): Promise<Place> {
  // Its fleet has no containers: another environment on the same daemon may have those of these names.
  const environment = await startEnvironment({ ...options, port: 0, alerts: {}, fleetContainers: false });
  const { url, token, sources, platform, cachedCounts, containers, docker } = environment;
  // A client of its own: what is broken must not pass through the platform's.
  const client = await openPlatformDatabase(sources.databaseUrl);
  let release: (() => void) | null = null;
  return {
    name: "an embedded environment",
    isAlone: true,
    api: canaryApi((path, init) =>
      fetch(url + path, {
        ...init,
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      }),
    ),
    ground: {
      database: platformDatabase(client, { record() {} }),
      redis: new Redis({ ...sources.redis, automaticDeserialization: false, enableTelemetry: false }),
      docker:
        "docker" in docker
          ? "create" in containers
            ? { daemon: docker.docker, containers }
            : containers
          : docker,
      levers: {
        cachedCounts,
        async countOf(agent) {
          const { url, token } = sources.queueCounts;
          const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
          const { counts } = (await response.json()) as { counts: Record<string, number> };
          return counts[agent] ?? null;
        },
        async hangSweeps() {
          release ??= await platform.holdMaintenance();
        },
        sweepsHang: () => release !== null,
        async resumeSweeps() {
          release?.();
          release = null;
          await platform.runMaintenance();
        },
      },
    },
    async close() {
      client.close();
      await environment.close();
    },
  };
}
