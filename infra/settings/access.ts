/** Who may call the API of an environment: its function URL, and the read tokens, the hash of each by its owner's name. */
import { z } from "zod";
import {
  clashesIn,
  HASH_FIX,
  NAME_FIX,
  READER_NAME,
  type ReadToken,
  SHA256_HEX,
} from "../../shared/config/read-tokens.ts";
import { matching } from "./schemas.ts";

export const FunctionUrl = z.discriminatedUnion(
  "auth",
  [
    z.strictObject({ auth: z.literal("bearer") }),
    z.strictObject({
      auth: z.literal("iam"),
      /** Users and roles, also of other accounts, that may call it in addition to those whose own policies allow it. */
      callers: z.array(
        matching(
          /^arn:[\w-]+:iam::\d{12}:(role|user)\/[\w+=,.@/-]+$/,
          "give the ARN of a role or a user, like arn:aws:iam::123456789012:role/operators",
        ),
        { error: "give a list of ARNs; an empty one leaves it to the callers' own policies" },
      ),
    }),
  ],
  { error: 'give {auth: "bearer"} (the admin token) or {auth: "iam", callers: […]} (AWS signatures)' },
);

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
