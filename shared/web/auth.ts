/**
 * Who may call. hono's `bearerAuth` does not fit: it refuses tokens with characters outside of token68, which the
 * configuration accepts, and answers 400 to a malformed header.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Context, MiddlewareHandler } from "hono";
import { MIN_TOKEN_LENGTH } from "../config/api.ts";
import { errorResponse } from "./errors.ts";

const digest = (text: string) => createHash("sha256").update(text).digest();

/** Compares two texts in constant time. Digests have the same length, so the time does not depend on the texts' lengths. */
export const isSameText = (one: string, other: string): boolean =>
  timingSafeEqual(digest(one), digest(other));

/** Whether the request has the token: `Authorization: Bearer <token>`. */
export function hasToken(c: Context, adminToken: string): boolean {
  const token = /^Bearer +(\S+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
  return token !== undefined && isSameText(token, adminToken);
}

/** Marks the request as refused: `createApp` passes it to `onRefused`. */
export const markRefused = (c: Context): void => c.set("isRefused", true);

/** Answers a request without the admin token. */
export function unauthorized(c: Context): Response {
  markRefused(c);
  c.header("WWW-Authenticate", "Bearer");
  return errorResponse(c, 401, "unauthorized", "send the admin token: Authorization: Bearer <token>");
}

/** Accepts requests with the admin token, and all requests to `/healthz`. @throws if the token could be guessed */
export function requireToken(adminToken: string): MiddlewareHandler {
  if (adminToken.length < MIN_TOKEN_LENGTH)
    throw new Error(`the admin token must have at least ${MIN_TOKEN_LENGTH} characters`);
  return async (c, next) => (c.req.path === "/healthz" || hasToken(c, adminToken) ? next() : unauthorized(c));
}

/** Accepts requests whose signature the function URL has checked. */
export const requireSignature: MiddlewareHandler = async (c, next) => {
  if (c.env?.event?.requestContext?.authorizer?.iam) return next();
  markRefused(c);
  const detail = "send the request through the function URL, signed (AWS SigV4)";
  return errorResponse(c, 401, "unauthorized", detail);
};
