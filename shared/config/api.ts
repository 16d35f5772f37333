/** The variables of the API. */
import { createHash } from "node:crypto";
import { readTokens } from "./read-tokens.ts";
import { type Environment, reader } from "./reader.ts";
import { matching, oneOf, onOff, text } from "./variable.ts";

/** The fewest characters of a token. Nothing slows down guessing: the token's length makes it hopeless. */
export const MIN_TOKEN_LENGTH = 24;

export const API = {
  adminToken: text(
    "ADMIN_TOKEN",
    `the token that callers of the API must send: at least ${MIN_TOKEN_LENGTH} characters, such as \`openssl rand -hex ${MIN_TOKEN_LENGTH}\` prints. Without one the API does not start; \`npm start\` makes one up`,
    {
      secret: true,
      checks: [
        matching(/^\S*$/, "has a space in it, which no bearer token can have: give one without"),
        (value, { problem }) => {
          if (value.length < MIN_TOKEN_LENGTH)
            problem(
              `has fewer than ${MIN_TOKEN_LENGTH} characters, and could be guessed: make one with \`openssl rand -hex ${MIN_TOKEN_LENGTH}\``,
            );
        },
      ],
    },
  ),
  readTokens: readTokens(
    "READ_TOKENS",
    `who else may call the API, see every page, and change nothing: \`name:sha256,…\`, each with the SHA-256 of a token in hex, so that the variable holds no token. A token has at least ${MIN_TOKEN_LENGTH} characters. Only the API function and \`npm start\` read it`,
  ),
  auth: oneOf(
    "API_AUTH",
    "`bearer`: callers send the admin token. `iam`: every request must be signed, as a function URL checks it; there is no token then. Only the API function reads it",
    { fallback: "bearer", names: ["bearer", "iam"] },
  ),
  publicBadge: onOff(
    "PUBLIC_BADGE",
    "`on`: everybody may see `/badge.svg`, which says how many invariants are red, not which. `off`: it asks for the session or the token. Only the API function and `npm start` read it",
    { fallback: false },
  ),
};

/** The variables that the API function takes from its secret: read tokens too, where they are many or change often. */
export const API_SECRET_NAMES: readonly string[] = [API.adminToken.name, API.readTokens.name];

/**
 * Reads what the API asks of its callers: the admin token, or null where the function URL has checked their signature; the
 * read tokens; and whether `/badge.svg` is public.
 * @throws ConfigError where there is no admin token: an API without one would be open
 */
export function loadAccess(env: Environment) {
  const read = reader(env);
  const { adminToken, readTokens, auth, publicBadge } = read.values(API);
  if (auth === "bearer" && adminToken === null)
    read.problem(`${API.adminToken.name} is missing: give the token that callers of the API must send`);
  if (auth === "iam" && readTokens.length > 0)
    read.problem(
      `${API.readTokens.name} can't be with ${API.auth.name}=iam, where callers sign and send no token: leave it out, or take bearer`,
    );
  const adminHash = adminToken === null ? null : createHash("sha256").update(adminToken).digest("hex");
  for (const { name } of readTokens.filter(({ sha256 }) => sha256 === adminHash))
    read.problem(`${API.readTokens.name} gives ${name} the admin token: give ${name} another one`);
  read.end();
  return { adminToken: auth === "iam" ? null : adminToken, readTokens, publicBadge };
}
