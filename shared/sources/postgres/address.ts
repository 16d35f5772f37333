/** The address of a PostgreSQL: what may be in it, and what is made of it. */
import { isIP } from "node:net";
import { NONE } from "../../config/source-variables.ts";
import { type Notes, text, type Variable } from "../../config/variable.ts";
import { PASSWORD_VARIABLE } from "./errors.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly password: string | null;
  /** Null without TLS. With it, the server's certificate and its name are verified, by this CA or those of the system. */
  readonly tls: { readonly ca: string | null } | null;
  /** Host and port, for error texts. */
  readonly place: string;
}

const EXAMPLE = "postgres://canary@db.example.com/trinity";
const PORT = 5432;

/** Why no other mode is taken. */
const MODES =
  "the modes that are taken are verify-full, which is the default (DATABASE_CA names a CA of your own), and disable, for a private network";

/** Decodes %-escapes where they are sound. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

/**
 * Whether something of a password stands behind the host: an @, or a part that no address here has. A password ends the host's
 * name before it where it holds a /, ? or # as they are, and what is left of it would be taken for the host.
 */
const isTorn = (value: string): boolean => /^[^/?#]*:\/\/[^/?#]*(?:[/?].*@|.*#)/s.test(value);

function problemOf(url: URL): string | null {
  if (!["postgres:", "postgresql:"].includes(url.protocol) || !url.hostname)
    return `is not the address of a PostgreSQL: give one like ${EXAMPLE}, or "${NONE}" to leave it out on purpose`;
  if (!url.username) return `names no user: give one like ${EXAMPLE}, with a role that may only read`;
  if (!/^\/[^/]+$/.test(url.pathname)) return `names no database: give one like ${EXAMPLE}`;
  for (const [name, value] of url.searchParams) {
    if (name !== "sslmode") return `has the parameter ${JSON.stringify(name)}: only sslmode is taken`;
    if (value !== "verify-full" && value !== "disable")
      return `has an sslmode that does not check whose server it is: ${MODES}`;
  }
  return null;
}

/** `postgres://user@host:port/database`, or `none`. An address that is refused is not repeated: it may hold a password. */
export function postgresAddress(name: string, meaning: string): Variable<string | null> {
  return text(name, meaning, { checks: [check] });

  function check(value: string, { problem, secret }: Notes): void {
    if (value === NONE) return;
    if (isTorn(value)) {
      problem(
        `has an @ or a # behind the host, as where a password holds a /, ? or #: leave the password out and give it in ${PASSWORD_VARIABLE}, or write these characters as %40, %23, %2F and %3F`,
      );
      return;
    }
    const url = URL.parse(value);
    if (url?.password) for (const part of [url.password, decoded(url.password)]) secret(part);
    const wrong = url ? problemOf(url) : problemOf(new URL("none:"));
    if (wrong !== null) problem(wrong);
  }
}

/**
 * Takes a checked address apart.
 * @param password counts before the one in the address
 * @param ca a PEM
 */
export function parseAddress(value: string, password: string | null, ca: string | null): Address {
  const url = new URL(value);
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return {
    host,
    port: Number(url.port) || PORT,
    user: decoded(url.username),
    database: decoded(url.pathname.slice(1)),
    password: password ?? (url.password ? decoded(url.password) : null),
    tls: url.searchParams.get("sslmode") === "disable" ? null : { ca },
    place: `${isIP(host) === 6 ? `[${host}]` : host}:${Number(url.port) || PORT}`,
  };
}
