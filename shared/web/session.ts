/** Browser sessions: a signed cookie with the caller's name and role, set after a token was given once. */
import { createHmac, randomBytes } from "node:crypto";
import type { Context } from "hono";
import { deleteCookie, getSignedCookie, setSignedCookie } from "hono/cookie";
import { HOUR_MS } from "../time.ts";
import type { Caller, Tokens } from "./callers.ts";

/** A working day: a browser that is left open is signed out by the next morning. */
const SESSION_MS = 12 * HOUR_MS;
const COOKIE = "canary";
const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);

export type Sessions = ReturnType<typeof createSessions>;

/**
 * Browsers disagree on Secure cookies over http to localhost, where `npm start` serves and nobody can listen. For any
 * other host the cookie is Secure, so that http does not send it in the clear.
 */
function cookieOptions(c: Context) {
  const { protocol, hostname } = new URL(c.req.url);
  const isLocal = protocol === "http:" && LOOPBACK.has(hostname);
  return {
    path: "/",
    httpOnly: true,
    sameSite: "Strict" as const,
    secure: !isLocal,
    ...(!isLocal && { prefix: "host" as const }),
  };
}

interface Session {
  /** Unix ms. */
  readonly untilMs: number;
  readonly nonce: string;
  readonly caller: Caller;
  /** Of a reader the hash of the token: without that token in the configuration the session has ended. */
  readonly sha256?: string | undefined;
}

/** Reads a cookie's value. Its signature was checked, so it is one that `start` wrote. */
const parse = (value: string): Session => JSON.parse(Buffer.from(value, "base64url").toString("utf8"));

/**
 * @param tokens the cookie's key is derived from the admin token: a rotated one ends every session
 * @param now unix ms
 */
export function createSessions({ adminToken, readTokens }: Tokens, now: () => number) {
  const keyFor = (use: string) => createHmac("sha256", adminToken).update(`trinity-canary ${use}`).digest();
  // An earlier release knew no readers: it must not take a reader's cookie for an admin's, so the key has another name.
  const [cookieKey, formKey, undoKey] = [keyFor("caller's session"), keyFor("form"), keyFor("undo")];
  const hashOf = ({ name, role }: Caller) =>
    role === "reader" ? readTokens.find((token) => token.name === name)?.sha256 : undefined;
  return {
    /** Begins a session of that caller. */
    async start(c: Context, caller: Caller) {
      const nonce = randomBytes(16).toString("base64url");
      const session: Session = { untilMs: now() + SESSION_MS, nonce, caller, sha256: hashOf(caller) };
      const value = Buffer.from(JSON.stringify(session)).toString("base64url");
      const options = { ...cookieOptions(c), maxAge: SESSION_MS / 1000 };
      await setSignedCookie(c, COOKIE, value, cookieKey, options);
    },
    /** Reads whose session it is, and its form token, which another site can't know. Null without a valid cookie. */
    async read(c: Context): Promise<{ readonly caller: Caller; readonly formToken: string } | null> {
      const value = await getSignedCookie(c, cookieKey, COOKIE, cookieOptions(c).prefix);
      if (!value) return null;
      const { untilMs, caller, sha256 } = parse(value);
      if (!(untilMs > now()) || (caller.role === "reader" && (!sha256 || sha256 !== hashOf(caller))))
        return null;
      return { caller, formToken: createHmac("sha256", formKey).update(value).digest("base64url") };
    },
    end: (c: Context) => void deleteCookie(c, COOKIE, cookieOptions(c)),
    /** Signs a text that goes through an address, so that a link from elsewhere can't bring one. */
    sign: (text: string): string => createHmac("sha256", undoKey).update(text).digest("base64url"),
  };
}

/**
 * Whether a page of this origin sent the form. Browsers send the origin of a form, and no page can change it. A request
 * without an origin does not come from our pages.
 *
 * hono's `csrf` does not fit: it accepts what either header allows, and checks only bodies of forms.
 */
export function isOwnForm(c: Context): boolean {
  const site = c.req.header("sec-fetch-site");
  if (site !== undefined) return site === "same-origin";
  const origin = c.req.header("origin");
  // Only the host is compared: behind a proxy that ends TLS the scheme differs.
  return origin !== undefined && URL.canParse(origin) && new URL(origin).host === c.req.header("host");
}

/**
 * Whether a browser sent the request from a page of another origin. A program sends no origin. A browser that was led to this
 * address under another name (DNS rebinding) names that one in both headers, but has no token to send.
 */
export function isOfOtherSite(c: Context): boolean {
  const origin = c.req.header("origin");
  return origin !== undefined && !isOwnForm(c);
}
