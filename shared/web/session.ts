/** Browser sessions: a signed cookie, set after the admin token was given once. */
import { createHmac, randomBytes } from "node:crypto";
import type { Context } from "hono";
import { deleteCookie, getSignedCookie, setSignedCookie } from "hono/cookie";
import { HOUR_MS } from "../time.ts";

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

/**
 * @param adminToken the cookie's key is derived from it: a rotated token ends every session
 * @param now unix ms
 */
export function createSessions(adminToken: string, now: () => number) {
  const keyFor = (use: string) => createHmac("sha256", adminToken).update(`trinity-canary ${use}`).digest();
  const [cookieKey, formKey] = [keyFor("session"), keyFor("form")];
  return {
    async start(c: Context) {
      const value = `${now() + SESSION_MS}.${randomBytes(16).toString("base64url")}`;
      const options = { ...cookieOptions(c), maxAge: SESSION_MS / 1000 };
      await setSignedCookie(c, COOKIE, value, cookieKey, options);
    },
    /** Reads the session's form token, which another site can't know. Null without a valid cookie. */
    async read(c: Context) {
      const value = await getSignedCookie(c, cookieKey, COOKIE, cookieOptions(c).prefix);
      if (!value || !(Number(value.split(".")[0]) > now())) return null;
      return createHmac("sha256", formKey).update(value).digest("base64url");
    },
    end: (c: Context) => void deleteCookie(c, COOKIE, cookieOptions(c)),
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
