/** The read tokens of an environment: the hash of each by its owner's name. */
import { z } from "zod";
import {
  clashesIn,
  HASH_FIX,
  NAME_FIX,
  READER_NAME,
  type ReadToken,
  SHA256_HEX,
} from "../shared/config/read-tokens.ts";

/** Converts the setting to the value of its variable. */
export const readersOf = (tokens: Readonly<Record<string, string>>): ReadToken[] =>
  Object.entries(tokens).map(([name, sha256]) => ({ name, sha256: sha256.toLowerCase() }));

const Name = z.string().regex(READER_NAME, { error: `give a name of ${NAME_FIX}` });
const Hash = z.string({ error: `give ${HASH_FIX}` }).regex(SHA256_HEX, { error: `give ${HASH_FIX}` });

export const ReadTokens = z
  .record(Name, Hash, {
    error: (issue) =>
      issue.code === "invalid_key"
        ? `can't name a token: give ${NAME_FIX}`
        : 'give the hashes by name, like {ada: "…"}',
  })
  .superRefine((tokens, { addIssue }) => {
    for (const message of clashesIn(readersOf(tokens))) addIssue({ code: "custom", message });
  });
