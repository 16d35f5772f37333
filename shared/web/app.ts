/** The HTTP face: routes, and what holds for all of them. */
import { OpenAPIHono } from "@hono/zod-openapi";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import { requestId } from "hono/request-id";
import { secureHeaders } from "hono/secure-headers";
import type { Canary } from "../canary.ts";
import { describeError } from "../errors.ts";
import { BadCursor } from "../store/cursor.ts";
import { registerFeed } from "./api/metrics.ts";
import { registerRunCycle } from "./api/run-cycle.ts";
import { registerSilences } from "./api/silences.ts";
import { registerStatus } from "./api/status.ts";
import { registerViolations } from "./api/violations.ts";
import { requireSignature, requireToken } from "./auth.ts";
import { type ApiEnv, type App, describeIssues, errorResponse, isStateFault } from "./errors.ts";
import { createPages } from "./pages/pages.tsx";

const MAX_BODY_BYTES = 64 * 1024;

export interface AppOptions {
  readonly canary: Canary;
  /** Null where the function URL checks who calls (IAM): then every request must have been signed. */
  readonly adminToken: string | null;
  /** Whether everybody may see `/badge.svg`; nobody without the token unless told otherwise. */
  readonly publicBadge?: boolean;
  /** Where errors of the inside are told; the caller hears nothing of them. */
  readonly logError: (line: string) => void;
  /** Who is recorded as having asked for a cycle; "http" unless told otherwise. */
  readonly trigger?: string;
}

/** What a page may load and where it may send: itself, and nothing that is written into it. */
const CONTENT_SECURITY_POLICY = {
  defaultSrc: ["'none'"],
  styleSrc: ["'self'"],
  scriptSrc: ["'self'"],
  imgSrc: ["'self'"],
  formAction: ["'self'"],
  baseUri: ["'none'"],
  frameAncestors: ["'none'"],
};

/**
 * @returns the app; every route of the API but `/healthz` asks for the admin token, every page for a session that began
 *   with it, or each for a signature
 */
export function createApp(options: AppOptions): App {
  const { canary, adminToken, publicBadge = false, logError, trigger = "http" } = options;
  if (adminToken === "") throw new Error("the admin token must not be empty");
  const app = new OpenAPIHono<ApiEnv>({
    defaultHook: (result, c) => {
      if (!result.success) return errorResponse(c, 422, "invalid_request", describeIssues(result.error));
      return undefined;
    },
  });
  app.use(requestId());
  app.use(
    secureHeaders({
      contentSecurityPolicy: CONTENT_SECURITY_POLICY,
      xFrameOptions: "DENY",
      // With "no-referrer" a browser would not say either where a form comes from.
      referrerPolicy: "same-origin",
      overwrite: false,
    }),
  );
  app.route("/", createPages({ canary, adminToken, publicBadge, logError }));
  app.use(adminToken === null ? requireSignature() : requireToken(adminToken, ["/healthz"]));
  app.use(
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: (c) => errorResponse(c, 413, "too_large", `the body is larger than ${MAX_BODY_BYTES} bytes`),
    }),
  );
  registerRunCycle(app, canary, trigger);
  registerViolations(app, canary);
  registerStatus(app, canary);
  registerSilences(app, canary);
  registerFeed(app, canary);
  app.openAPIRegistry.registerComponent("securitySchemes", "token", { type: "http", scheme: "bearer" });
  app.doc31("/openapi.json", {
    openapi: "3.1.0",
    info: { title: "trinity-canary", version: "1" },
    security: [{ token: [] }],
  });

  app.notFound((c) => errorResponse(c, 404, "not_found", `there is nothing at ${c.req.path}`));
  app.onError((error, c) => {
    if (error instanceof BadCursor) return errorResponse(c, 422, "invalid_request", error.message);
    if (error instanceof HTTPException && error.status < 500)
      return errorResponse(c, error.status, "invalid_request", error.message);
    if (isStateFault(error)) {
      logError(canary.redact(`${c.get("requestId")} state: ${describeError(error)}`));
      return errorResponse(c, 503, "state_unavailable", "the canary's state could not be read; try again");
    }
    logError(canary.redact(`${c.get("requestId")} ${c.req.method} ${c.req.path}: ${describeError(error)}`));
    return errorResponse(c, 500, "internal", "the request failed; the log names the request id");
  });
  return app;
}
