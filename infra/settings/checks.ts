/** Which invariants of an environment run, and how severe they are. */
import { z } from "zod";
import { CHECKS, offAndOn } from "../../shared/config/checks.ts";
import { INVARIANT_IDS, type InvariantId, KNOWN_IDS } from "../../shared/invariants/index.ts";
import { SEVERITIES } from "../../shared/invariants/invariant.ts";
import { oneOf, writes } from "./schemas.ts";

const isInvariantId = (id: unknown) => INVARIANT_IDS.some((known) => known === id);

const Id = z.custom<InvariantId>(isInvariantId, {
  error: ({ input }) => `names ${JSON.stringify(input)}, which no invariant has: ${KNOWN_IDS}`,
});
export const listOfIds = () => z.array(Id, { error: 'give a list of ids, like ["R-01"]' }).default([]);
const Severities = z.partialRecord(Id, oneOf(SEVERITIES), {
  error: ({ code }) =>
    code === "invalid_key"
      ? `no invariant has this id: ${KNOWN_IDS}`
      : 'give the severities by id, like {"S-01": "major"}',
});

/** Which invariants run, and how severe they are. */
export const CheckSettings = z
  .strictObject(
    {
      /** Not run. */
      off: writes(CHECKS.off, listOfIds()),
      /** Run, although they are off by default. */
      on: writes(CHECKS.on, listOfIds()),
      /** In place of the invariants' own. */
      severities: writes(CHECKS.severities, Severities.default({})),
    },
    { error: "give {off, on, severities}, each optional" },
  )
  .superRefine((checks, { addIssue }) => {
    const both = offAndOn(checks);
    if (both.length > 0)
      addIssue({
        code: "custom",
        path: ["on"],
        message: `names ${both.join(", ")}, which checks.off names too: name each in one of the two`,
      });
  });
