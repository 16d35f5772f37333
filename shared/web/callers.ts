/** Who calls: by the token, or by the signature. */
import { createHash, timingSafeEqual } from "node:crypto";
import { MIN_TOKEN_LENGTH } from "../config/api.ts";
import { ADMIN_NAME, type ReadToken } from "../config/read-tokens.ts";
import { cut, INVISIBLE } from "../text.ts";

/** Who sent a request, and what they may do. */
export interface Caller {
  /** Of a read token its name; of the admin token "admin", or the name that the person gives; with IAM the caller's ARN. */
  readonly name: string;
  /** A reader sees everything and changes nothing. */
  readonly role: "admin" | "reader";
  /** Whether token or signature prove the name; that of an admin is what the person gives. */
  readonly isProven?: true;
}

/** The tokens that are accepted. */
export interface Tokens {
  readonly adminToken: string;
  readonly readTokens: readonly ReadToken[];
}

/** The longest name that a person may give. */
export const MAX_GIVEN_NAME = 60;
const MAX_ARN = 200;

const digest = (text: string) => createHash("sha256").update(text).digest();

/** Compares two texts in constant time. Digests have the same length, so the time does not depend on the texts' lengths. */
export const isSameText = (one: string, other: string): boolean =>
  timingSafeEqual(digest(one), digest(other));

/** Cleans a name that a person gave. Returns null where nothing of it is left. */
export function givenName(text: string | undefined): string | null {
  const name = text?.replace(INVISIBLE, "").trim();
  return name ? cut(name, MAX_GIVEN_NAME) : null;
}

/**
 * Finds the caller who has that token. Each token is compared, and each in constant time.
 * @param given the name that an admin gives; a reader has the token's
 * @returns null where nobody has it
 */
export function callerOf(token: string, { adminToken, readTokens }: Tokens, given?: string): Caller | null {
  const hash = digest(token);
  const found = readTokens.filter(({ sha256 }) => timingSafeEqual(hash, Buffer.from(sha256, "hex")));
  if (timingSafeEqual(hash, digest(adminToken))) return adminOf(given);
  // A short token could be guessed, and its hash does not show its length.
  const reader = token.length >= MIN_TOKEN_LENGTH ? found[0] : undefined;
  return reader ? { name: reader.name, role: "reader", isProven: true } : null;
}

/** Makes the caller with the admin token. @param given the name that the person gives */
export const adminOf = (given?: string): Caller => ({ name: givenName(given) ?? ADMIN_NAME, role: "admin" });

/** Makes the caller whose signature the function URL has checked. */
export const signedCaller = (arn: string | undefined): Caller => ({
  name: cut(arn?.replace(INVISIBLE, "") || "signed", MAX_ARN),
  role: "admin",
  isProven: true,
});
