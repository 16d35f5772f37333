import { createHash, timingSafeEqual } from "node:crypto";
import type { Context, MiddlewareHandler } from "hono";
import { errorResponse } from "./errors.ts";

const digest = (text: string) => createHash("sha256").update(text).digest();

/** @returns whether the texts are equal. Digests have one length, so that the comparison tells nothing of theirs */
export const isSameText = (one: string, other: string): boolean =>
  timingSafeEqual(digest(one), digest(other));

/** @returns the bearer token of a request, undefined where it has none */
export const bearerTokenOf = (c: Context): string | undefined =>
  /^Bearer +(\S+)$/i.exec(c.req.header("authorization") ?? "")?.[1];

/** @returns the answer to who is not let in */
export function unauthorized(c: Context): Response {
  c.header("WWW-Authenticate", "Bearer");
  return errorResponse(c, 401, "unauthorized", "send the admin token: Authorization: Bearer <token>");
}

/**
 * Lets only callers with the admin token through.
 * @param adminToken must not be empty: it would equal the token of an empty header
 * @param publicPaths paths that need none
 */
export function requireToken(adminToken: string, publicPaths: readonly string[]): MiddlewareHandler {
  if (!adminToken) throw new Error("the admin token must not be empty");
  return async (c, next) => {
    if (publicPaths.includes(c.req.path)) return next();
    const token = bearerTokenOf(c);
    return token && isSameText(token, adminToken) ? next() : unauthorized(c);
  };
}

/** Lets only requests through whose signature the function URL has checked. */
export function requireSignature(): MiddlewareHandler {
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
