/**
 * Who may call. hono's `bearerAuth` does not fit: it refuses tokens with characters outside of token68, which the
 * configuration accepts, and answers 400 to a malformed header.
 */
import type { Context, MiddlewareHandler } from "hono";
import { MIN_TOKEN_LENGTH } from "../config/api.ts";
import { type Caller, callerOf, signedCaller, type Tokens } from "./callers.ts";
import { errorResponse } from "./errors.ts";

/** With the admin token: the name of the person, as it stands in a silence. */
export const BY_HEADER = "X-Canary-By";

/** What a reader hears who wants to change something. */
export const READ_ONLY =
  "this token sees everything and changes nothing: use the admin token, or ask somebody who has it";

/** Finds the caller by the token: `Authorization: Bearer <token>`. Null without one of the tokens. */
export function bearerOf(c: Context, tokens: Tokens): Caller | null {
  const token = /^Bearer +(\S+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
  return token === undefined ? null : callerOf(token, tokens, c.req.header(BY_HEADER));
}

/** Marks the request as refused: `createApp` passes it to `onRefused`. */
export const markRefused = (c: Context): void => c.set("isRefused", true);

/** Answers a request without a token that is accepted. */
export function unauthorized(c: Context): Response {
  markRefused(c);
  c.header("WWW-Authenticate", "Bearer");
  const detail = `send the admin token or a read token, of ${MIN_TOKEN_LENGTH} characters or more: Authorization: Bearer <token>`;
  return errorResponse(c, 401, "unauthorized", detail);
}

/** Accepts requests with one of the tokens, and all requests to `/healthz`. @throws if the admin token could be guessed */
export function requireToken(tokens: Tokens): MiddlewareHandler {
  if (tokens.adminToken.length < MIN_TOKEN_LENGTH)
    throw new Error(`the admin token must have at least ${MIN_TOKEN_LENGTH} characters`);
  return async (c, next) => {
    if (c.req.path === "/healthz") return next();
    const caller = bearerOf(c, tokens);
    if (caller === null) return unauthorized(c);
    c.set("caller", caller);
    return next();
  };
}

/** Accepts requests whose signature the function URL has checked. */
export const requireSignature: MiddlewareHandler = async (c, next) => {
  const signature = c.env?.event?.requestContext?.authorizer?.iam;
  if (signature) {
    c.set("caller", signedCaller(signature.userArn));
    return next();
  }
  markRefused(c);
  const detail = "send the request through the function URL, signed (AWS SigV4)";
  return errorResponse(c, 401, "unauthorized", detail);
};

/** Methods that change nothing. */
const READS = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Refuses a reader's request that could change something: each whose method is not one for reading.
 * @param exempt paths whose handlers ask for the role themselves
 */
export const refuseReaders =
  (exempt: readonly string[] = []): MiddlewareHandler =>
  async (c, next) =>
    c.get("caller")?.role !== "reader" || READS.has(c.req.method) || exempt.includes(c.req.path)
      ? next()
      : errorResponse(c, 403, "read_only", READ_ONLY);
