/** A scripted canary behind its API, for the command line. */
import { afterAll } from "vitest";
import { serve } from "../../infra/local/serve.ts";
import type { Canary } from "../../shared/canary.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { createApp } from "../../shared/web/app.ts";

export const TOKEN = "correct-horse-battery-staple";

/** Gives a function that serves a canary until the end of the test file, and returns the variables that name it. */
export function useServedCanaries(): (
  canary: Canary,
) => Promise<{ CANARY_URL: string; CANARY_TOKEN: string }> {
  const servers: Awaited<ReturnType<typeof serve>>[] = [];
  afterAll(() => Promise.all(servers.map((server) => server.close())));
  return async (canary) => {
    const app = createApp({
      canary,
      runCycle: (request) => runCycle(canary, request),
      adminToken: TOKEN,
      logError() {},
    });
    const server = await serve(app, 0);
    servers.push(server);
    return { CANARY_URL: server.url, CANARY_TOKEN: TOKEN };
  };
}
