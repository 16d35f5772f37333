/** Sessions of browsers: a signed cookie, after the admin token was given once. */
import { createHmac, randomBytes } from "node:crypto";
import type { Context } from "hono";
import { deleteCookie, getSignedCookie, setSignedCookie } from "hono/cookie";
import { HOUR_MS } from "../time.ts";

/** A working day: a browser that is left open is signed out by the next one. */
const SESSION_MS = 12 * HOUR_MS;
const COOKIE = "canary";
const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);

export interface Session {
  /** Goes with each form of this session: another site can't know it. */
  readonly formToken: string;
}

export interface Sessions {
  /** Lets this browser in for twelve hours. */
  start(c: Context): Promise<void>;
  /** Null where there is no cookie, it was not signed by this token, or its time is over. */
  read(c: Context): Promise<Session | null>;
  /** Takes the cookie away. */
  end(c: Context): void;
}

/**
 * Browsers disagree on Secure cookies over http to the own machine, which is how `npm start` is reached and where
 * nobody can listen. Over http to any other host the cookie stays Secure, so that it is not sent in the clear.
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
 * @param adminToken the cookie is signed with a key that is made of it: a rotated token ends every session
 * @param now unix ms
 */
export function createSessions(adminToken: string, now: () => number): Sessions {
  const keyFor = (use: string) => createHmac("sha256", adminToken).update(`trinity-canary ${use}`).digest();
  const [cookieKey, formKey] = [keyFor("session"), keyFor("form")];
  return {
    async start(c) {
      const value = `${now() + SESSION_MS}.${randomBytes(16).toString("base64url")}`;
      const options = { ...cookieOptions(c), maxAge: SESSION_MS / 1000 };
      await setSignedCookie(c, COOKIE, value, cookieKey, options);
    },
    async read(c) {
      const value = await getSignedCookie(c, cookieKey, COOKIE, cookieOptions(c).prefix);
      if (!value || !(Number(value.split(".")[0]) > now())) return null;
      return { formToken: createHmac("sha256", formKey).update(value).digest("base64url") };
    },
    end: (c) => void deleteCookie(c, COOKIE, cookieOptions(c)),
  };
}

/**
 * Whether a page of this origin has sent the form. Browsers say where a form comes from, and no page can change that; a
 * request that does not say it comes from no page of ours.
 *
 * hono's `csrf` is not used: it accepts what either header allows, and looks at no body that is not a form.
 */
export function isOwnForm(c: Context): boolean {
  const site = c.req.header("sec-fetch-site");
  if (site !== undefined) return site === "same-origin";
  const origin = c.req.header("origin");
  // Compared by host: before a proxy that ends TLS the scheme is another.
  return origin !== undefined && URL.canParse(origin) && new URL(origin).host === c.req.header("host");
}
