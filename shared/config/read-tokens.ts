/** Read tokens: the names of those who may see everything and change nothing, with the hashes of their tokens. */
import type { Notes, Variable } from "./variable.ts";

export interface ReadToken {
  readonly name: string;
  /** SHA-256 of the token, in lower-case hex. */
  readonly sha256: string;
}

/** What a name may be: it is shown, logged, and stands between `,` and `:` in the variable. */
export const READER_NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,39}$/;
export const SHA256_HEX = /^[0-9a-f]{64}$/i;
/** The name of who has the admin token. */
export const ADMIN_NAME = "admin";

export const NAME_FIX = "letters, digits and ._@-, 40 at most, as in ada or grafana";
export const HASH_FIX =
  'the SHA-256 of a token in hex, 64 characters: `printf %s "$TOKEN" | sha256sum` prints it';

/** Reads one entry. No part of a value is in the problems: it may be a token that was pasted in place of its hash. */
function parseEntry(entry: string, place: number, problem: Notes["problem"]): ReadToken[] {
  const colon = entry.lastIndexOf(":");
  const [name, sha256] = [entry.slice(0, Math.max(colon, 0)).trim(), entry.slice(colon + 1).trim()];
  if (colon === -1 || !READER_NAME.test(name)) {
    problem(`has an entry ${place} without a usable name: give name:sha256, the name of ${NAME_FIX}`);
    return [];
  }
  if (!SHA256_HEX.test(sha256)) {
    problem(`has no hash for ${name}: give ${HASH_FIX}`);
    return [];
  }
  return [{ name, sha256: sha256.toLowerCase() }];
}

const repeated = (values: readonly string[]): string[] => [
  ...new Set(values.filter((value, i) => values.indexOf(value) !== i)),
];

/** Says what is wrong with entries that are each fine: a name stands for one token, and a token for one name. */
export function clashesIn(tokens: readonly ReadToken[]): string[] {
  const names = repeated(tokens.map(({ name }) => name));
  const hashes = repeated(tokens.map(({ sha256 }) => sha256));
  const sharing = hashes.map((hash) => tokens.filter((t) => t.sha256 === hash).map(({ name }) => name));
  return [
    ...(tokens.some(({ name }) => name === ADMIN_NAME)
      ? [`names ${ADMIN_NAME}, which is the name of the admin token: give another name`]
      : []),
    ...names.map((name) => `names ${name} twice: give each token a name of its own`),
    ...sharing
      .filter((sharers) => new Set(sharers).size > 1)
      .map((sharers) => `has one hash for ${sharers.join(" and ")}: give each a token of its own`),
  ];
}

/** `name:sha256-hex`, comma-separated. */
export const readTokens = (name: string, meaning: string): Variable<readonly ReadToken[]> => ({
  name,
  meaning,
  fallback: [],
  parse(value, { problem }) {
    const entries = value.split(",").map((entry) => entry.trim());
    const tokens = entries.flatMap((entry, i) => (entry ? parseEntry(entry, i + 1, problem) : []));
    for (const clash of clashesIn(tokens)) problem(clash);
    return tokens;
  },
  format: (tokens) =>
    tokens.length > 0 ? tokens.map((token) => `${token.name}:${token.sha256}`).join(",") : undefined,
});
