/** Opens an embedded environment for the drill, with the fleet's traffic in it. */
import { sendRequest } from "../../shared/cli/http-request.ts";
import { CHECKS } from "../../shared/config/checks.ts";
import { OFF_BY_DEFAULT } from "../../shared/invariants/index.ts";
import { startEnvironment } from "../local/environment.ts";
import type { Backend } from "../platform/file-client.ts";
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
  /** Where the platform keeps its rows. Default: SQLite. */
  readonly database?: Backend;
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
  const { url, token, target, close } = environment;
  return {
    name: `an embedded environment (release ${options.release ?? "today"}, ${environment.databases.engine})`,
    isAlone: true,
    off: environment.canary.checks.off,
    api: canaryApi((path, message) =>
      sendRequest(url + path, {
        ...message,
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      }),
    ),
    target,
    close,
  };
}
