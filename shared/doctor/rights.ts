/**
 * Whether the canary could write, found out without a write. Each question is one that can change nothing, whatever the
 * rights are: a statement on a table that does not exist, in a read transaction; a command on a key that does not exist.
 */
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { dirname } from "node:path";
import { describeError } from "../errors.ts";
import type { Database } from "../sources/sql/database.ts";
import { pathOf } from "../sources/sqlite/file-database.ts";
import { formatInstant } from "../time.ts";
import { type Finding, note, ok, warning } from "./finding.ts";

const TOPIC = "rights";

/** A server checks the right to write before it looks for the table. */
const WRITE_TO_NOTHING = 'DELETE FROM "canary doctor: there is no such table" WHERE 0';

interface Claims {
  readonly a?: unknown;
  readonly exp?: unknown;
}

/** The claims of a JWT; none of another token. */
function claimsOf(token: string | null): Claims {
  try {
    const text = Buffer.from(token?.split(".")[1] ?? "", "base64url").toString("utf8");
    return Object(JSON.parse(text)) as Claims;
  } catch {
    return {};
  }
}

/** How long before its end a token, or a certificate, is a warning. */
const SOON_MS = 14 * 86_400_000;

/** Says when a token or a certificate ends. @param what as in `the token ends on …` */
export function endFinding(what: string, endsAtMs: number, nowMs: number): Finding {
  const text = `${what} ends on ${formatInstant(endsAtMs).slice(0, 10)}`;
  return endsAtMs - nowMs < SOON_MS ? warning("expiry", `${text}: renew it before`) : ok("expiry", text);
}

async function serverRight(database: Database, token: string | null, signal: AbortSignal): Promise<Finding> {
  const { a } = claimsOf(token);
  const error = await database.batch([WRITE_TO_NOTHING], signal).then(
    () => null,
    (reason: unknown) => describeError(reason),
  );
  signal.throwIfAborted();
  const isRefused = /\bHTTP 40[13]\b|forbidden|blocked|not permitted|permission/i.test(error ?? "");
  if (isRefused || a === "ro") return ok(TOPIC, "the token may not write");
  if (!/no such table/i.test(error ?? "") && a !== "rw")
    return note(TOPIC, `whether the token may write can't be told: ${error ?? "no answer"}`);
  return warning(
    TOPIC,
    token === null
      ? "the server takes writes from everyone who reaches it: let it ask for a token"
      : "the token may write, which the canary never does: give it a read-only one",
  );
}

/** Says what the token of a libsql server allows. */
export async function serverRights(
  database: Database,
  token: string | null,
  nowMs: number,
  signal: AbortSignal,
): Promise<Finding[]> {
  const right = await serverRight(database, token, signal);
  const { exp } = claimsOf(token);
  return typeof exp === "number" ? [right, endFinding("the token", exp * 1000, nowMs)] : [right];
}

const mayWrite = (path: string): Promise<boolean> =>
  access(path, constants.W_OK).then(
    () => true,
    () => false,
  );

/** Says whether this process may write the database file, or make files beside it. */
export async function fileRights(url: string): Promise<Finding> {
  const path = pathOf(url);
  const writable = [
    ...((await mayWrite(path)) ? ["the file"] : []),
    ...((await mayWrite(dirname(path))) ? ["its folder"] : []),
  ];
  if (writable.length === 0) return ok(TOPIC, "this process may not write the file");
  const who = process.getuid?.() === 0 ? " (as root)" : "";
  return warning(
    TOPIC,
    `this process may write ${writable.join(" and ")}${who}: mount it read-only, or use a user that may only read it. The canary opens it read-only`,
  );
}
