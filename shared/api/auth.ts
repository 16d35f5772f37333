import { createHash, timingSafeEqual } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import { type ApiEnv, errorResponse } from "./errors.ts";

const digest = (text: string) => createHash("sha256").update(text).digest();

/**
 * Lets only callers with the admin token through.
 * @param adminToken must not be empty: it would equal the token of an empty header
 * @param publicPaths paths that need none
 */
export function requireToken(adminToken: string, publicPaths: readonly string[]): MiddlewareHandler<ApiEnv> {
  if (!adminToken) throw new Error("the admin token must not be empty");
  const expected = digest(adminToken);
  return async (c, next) => {
    if (publicPaths.includes(c.req.path)) return next();
    const [, token] = /^Bearer +(\S+)$/i.exec(c.req.header("authorization") ?? "") ?? [];
    // Digests have one length, so that the comparison tells nothing of the token's.
    if (token && timingSafeEqual(digest(token), expected)) return next();
    c.header("WWW-Authenticate", "Bearer");
    return errorResponse(c, 401, "unauthorized", "send the admin token: Authorization: Bearer <token>");
  };
}

/** Lets only requests through whose signature the function URL has checked. */
export function requireSignature(): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    if (c.env?.event?.requestContext?.authorizer?.iam) return next();
    return errorResponse(
      c,
      401,
      "unauthorized",
      "send the request through the function URL, signed (AWS SigV4)",
    );
  };
}
