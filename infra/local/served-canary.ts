/** The canary of the embedded environment, behind its port. */
import { testAlerts } from "../../shared/alerts/alert-test.ts";
import { type Canary, openCanary } from "../../shared/canary.ts";
import { screenHere } from "../../shared/cli/screen.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { createApp } from "../../shared/web/app.ts";
import type { RunCycle } from "../../shared/web/cycles.ts";
import type { Breaks } from "./breaks.ts";
import { registerBreaks } from "./breaks-api.ts";
import type { LocalDocker } from "./docker.ts";
import type { LocalEnvironment, LocalOptions } from "./environment.ts";
import { LocalError } from "./local-error.ts";
import type { OnClose } from "./on-close.ts";
import { serve } from "./serve.ts";
import { newToken, type Servers } from "./servers.ts";
import { TERMINAL, terminalTransport } from "./terminal.ts";

/** An hour, with a cycle every five minutes. */
const BLIND_CYCLES_WITHOUT_DOCKER = "12";

/** Takes the port. What answers there is given later. @throws LocalError where the port is taken */
async function servePort(port: number, onClose: OnClose) {
  let app: Parameters<typeof serve>[0] | undefined;
  const { url, close } = await serve(
    { fetch: (request) => app?.fetch(request) ?? new Response("it is starting", { status: 503 }) },
    port,
  ).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EADDRINUSE") throw error;
    throw new LocalError(`port ${port} is in use: end what listens there, or choose another with --port`);
  });
  onClose(close);
  return {
    url,
    answerWith(given: typeof app) {
      app = given;
    },
  };
}

/** Lets messages be printed where the canary has no channel. */
function withTerminal(canary: Canary, print: LocalOptions["printMessage"]): Canary {
  const { senders } = canary.alerts;
  if (print === undefined || Object.keys(senders).length > 0) return canary;
  return {
    ...canary,
    alerts: { ...canary.alerts, senders: { [TERMINAL]: terminalTransport(print, () => screenHere().width) } },
  };
}

/** Opens the canary and serves its app. @param breaks gives the breaks of the platform, which is started later */
export async function serveCanary(
  options: LocalOptions,
  { sources, dynamo, elsewhere }: Servers,
  docker: LocalDocker,
  breaks: () => Breaks,
  onClose: OnClose,
): Promise<
  Pick<LocalEnvironment, "url" | "token" | "canary" | "runCycle" | "pointCanaryTo" | "leaveDatabaseBehind">
> {
  const token = options.adminToken ?? newToken();
  const { url, answerWith } = await servePort(options.port, onClose);
  const env = {
    CANARY_STATUS_URL: url,
    // That there is no Docker daemon is said at the start: three cycles later it would be no news.
    ...("absent" in docker && { ALERT_BLIND_CYCLES: BLIND_CYCLES_WITHOUT_DOCKER }),
    ...sources.database,
    UPSTASH_REDIS_REST_URL: sources.redis.url,
    UPSTASH_REDIS_REST_TOKEN: sources.redis.token,
    QUEUE_COUNTS_URL: sources.queueCounts.url,
    QUEUE_COUNTS_TOKEN: sources.queueCounts.token,
    ...("env" in docker && docker.env),
    ...(options.confirmAfterMs !== undefined && { CONFIRM_AFTER_MS: String(options.confirmAfterMs) }),
    ...options.variables,
  };
  const open = (more: Readonly<Record<string, string>> = {}) =>
    withTerminal(openCanary({ ...env, ...more }, { state: dynamo }), options.printMessage);
  const canary = open();
  let pointed = canary;
  const run: RunCycle = (request) => runCycle(pointed, request);
  answerWith(
    createApp({
      canary,
      runCycle: run,
      testAlerts: ({ channel }) => testAlerts(canary, channel),
      adminToken: token,
      readTokens: options.readTokens ?? [],
      publicBadge: options.publicBadge ?? false,
      logError: options.log ?? console.error,
      more: [registerBreaks(breaks)],
    }),
  );
  return {
    url,
    token,
    canary,
    runCycle: run,
    async pointCanaryTo(place) {
      pointed = place === null ? canary : open(await elsewhere.variablesOf(place));
    },
    leaveDatabaseBehind: elsewhere.leaveDatabaseBehind,
  };
}
