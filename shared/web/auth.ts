/**
 * Who may call. hono's `bearerAuth` is not used: it refuses admin tokens with characters outside of token68, which the
 * configuration accepts, and answers 400 where a header is malformed.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Context, MiddlewareHandler } from "hono";
import { errorResponse } from "./errors.ts";

const digest = (text: string) => createHash("sha256").update(text).digest();

/** Compares two texts in constant time. Digests have one length, so that the time says nothing about the texts' lengths. */
export const isSameText = (one: string, other: string): boolean =>
  timingSafeEqual(digest(one), digest(other));

/** Whether the request carries the token: `Authorization: Bearer <token>`. */
export function hasToken(c: Context, adminToken: string): boolean {
  const token = /^Bearer +(\S+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
  return token !== undefined && isSameText(token, adminToken);
}

/** Marks the request as refused: `createApp` reports those to `onRefused`. */
export const markRefused = (c: Context): void => c.set("isRefused", true);

/** Answers a caller without the admin token. */
export function unauthorized(c: Context): Response {
  markRefused(c);
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
  return async (c, next) =>
    publicPaths.includes(c.req.path) || hasToken(c, adminToken) ? next() : unauthorized(c);
}

/** Lets only requests through whose signature the function URL has checked. */
export function requireSignature(): MiddlewareHandler {
  return async (c, next) => {
    if (c.env?.event?.requestContext?.authorizer?.iam) return next();
    markRefused(c);
    return errorResponse(
      c,
      401,
      "unauthorized",
      "send the request through the function URL, signed (AWS SigV4)",
    );
  };
}
