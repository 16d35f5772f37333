/** The HTTP app: the site and the API, and what both share. */
import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import { requestId } from "hono/request-id";
import { secureHeaders } from "hono/secure-headers";
import type { ReadToken } from "../config/read-tokens.ts";
import { describeError } from "../errors.ts";
import { BadCursor } from "../store/cursor.ts";
import { VERSION } from "../version.ts";
import { registerAgents } from "./api/agents.ts";
import { registerAlertTest } from "./api/alert-test.ts";
import { registerCycles } from "./api/cycles.ts";
import { registerEpisodes } from "./api/episodes.ts";
import { registerMetrics } from "./api/metrics.ts";
import { refuseUnknownParameters } from "./api/parameters.ts";
import type { RegisterRoutes } from "./api/route.ts";
import { registerRunCycle } from "./api/run-cycle.ts";
import { registerSilences } from "./api/silences.ts";
import { registerStatus } from "./api/status.ts";
import { registerViolations } from "./api/violations.ts";
import { refuseReaders, requireSignature, requireToken } from "./auth.ts";
import type { Tokens } from "./callers.ts";
import { CycleNotRun, type RunCycle, type TestAlerts } from "./cycles.ts";
import type { ApiEnv, App } from "./env.ts";
import { describeIssues, errorResponse, failureLine, isStateFault } from "./errors.ts";
import { MCP_PATH, registerMcp } from "./mcp/route.ts";
import { createSite } from "./site.ts";
import { type AppCanary, viewOf } from "./view.ts";

const MAX_BODY_BYTES = 64 * 1024;

/** The registry of the API, in the order of `/openapi.json`. */
const ROUTES: readonly RegisterRoutes[] = [
  registerRunCycle,
  registerViolations,
  registerEpisodes,
  registerAgents,
  registerCycles,
  registerStatus,
  registerSilences,
  registerAlertTest,
  registerMetrics,
  registerMcp,
];

export interface AppOptions {
  readonly canary: AppCanary;
  /** Runs a cycle, in this process or in another one. */
  readonly runCycle: RunCycle;
  /** Tries the alert channels, in this process or in another one. Left out: there are none. */
  readonly testAlerts?: TestAlerts;
  /** Null where the function URL checks callers (IAM): every request must then be signed. */
  readonly adminToken: string | null;
  /** Of those who see everything and change nothing. Default: nobody. */
  readonly readTokens?: readonly ReadToken[];
  /** Whether `/badge.svg` is public. Otherwise it needs the token too. */
  readonly publicBadge?: boolean;
  /** Called with internal errors, which the caller does not see. */
  readonly logError: (line: string) => void;
  /** The trigger in the record of a cycle; "http" by default. */
  readonly trigger?: string;
  /** Routes of this process alone, behind the token as the API's. */
  readonly more?: readonly RegisterRoutes[];
  /** Called with each refused request. */
  readonly onRefused?: (c: Context<ApiEnv>) => void;
}

/** A page may load from this site and send to it. Inline scripts and styles are refused. */
const CONTENT_SECURITY_POLICY = {
  defaultSrc: ["'none'"],
  styleSrc: ["'self'"],
  scriptSrc: ["'self'"],
  imgSrc: ["'self'"],
  formAction: ["'self'"],
  baseUri: ["'none'"],
  frameAncestors: ["'none'"],
};

function handleErrors(app: App, log: (line: string) => void): void {
  app.notFound((c) => errorResponse(c, 404, "not_found", `there is nothing at ${c.req.path}`));
  app.onError((error, c) => {
    if (error instanceof BadCursor) return errorResponse(c, 422, "invalid_request", error.message);
    if (error instanceof HTTPException && error.status < 500)
      return errorResponse(c, error.status, "invalid_request", error.message);
    if (error instanceof CycleNotRun) {
      log(failureLine(c, error));
      if (error.retryAfterSeconds !== null) c.header("Retry-After", String(error.retryAfterSeconds));
      return errorResponse(c, error.status, error.code, error.message);
    }
    if (isStateFault(error)) {
      log(`${c.get("requestId")} state: ${describeError(error)}`);
      return errorResponse(c, 503, "state_unavailable", "the canary's state could not be read; try again");
    }
    log(failureLine(c, error));
    return errorResponse(c, 500, "internal", "the request failed; the log names the request id");
  });
}

/**
 * Makes the app. The API needs a token, except for `/healthz`. Pages need a session, which begins with one. With a read token
 * nothing can be changed. Without an admin token every request needs a signature.
 */
export function createApp(options: AppOptions): App {
  const { canary, runCycle, adminToken, publicBadge = false, trigger = "http", onRefused } = options;
  const tokens: Tokens | null =
    adminToken === null ? null : { adminToken, readTokens: options.readTokens ?? [] };
  const { testAlerts = async () => ({ channels: [], results: [] }) } = options;
  const log = (line: string) => options.logError(canary.redact(line));
  const view = viewOf(canary);
  const app = new OpenAPIHono<ApiEnv>({
    defaultHook: (result, c) =>
      result.success ? undefined : errorResponse(c, 422, "invalid_request", describeIssues(result.error)),
  });
  app.use(requestId());
  app.use(
    secureHeaders({
      contentSecurityPolicy: CONTENT_SECURITY_POLICY,
      xFrameOptions: "DENY",
      // With "no-referrer" a browser would not send the origin of a form.
      referrerPolicy: "same-origin",
      overwrite: false,
    }),
  );
  app.use(async (c, next) => {
    await next();
    if (c.get("isRefused")) onRefused?.(c);
  });
  app.route("/", createSite({ canary, runCycle, view, tokens, publicBadge, log }));
  app.use(tokens === null ? requireSignature : requireToken(tokens));
  app.use(refuseReaders([MCP_PATH]));
  app.use(
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: (c) => errorResponse(c, 413, "too_large", `the body is larger than ${MAX_BODY_BYTES} bytes`),
    }),
  );
  app.use(refuseUnknownParameters(app));
  for (const register of [...ROUTES, ...(options.more ?? [])])
    register(app, { canary, runCycle, testAlerts, view, trigger, logError: log });
  app.openAPIRegistry.registerComponent("securitySchemes", "token", { type: "http", scheme: "bearer" });
  app.doc31("/openapi.json", (c) => ({
    openapi: "3.1.0",
    info: { title: "trinity-canary", version: VERSION },
    servers: [{ url: new URL(c.req.url).origin }],
    security: [{ token: [] }],
  }));
  handleErrors(app, log);
  return app;
}
