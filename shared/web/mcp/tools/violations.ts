import { z } from "@hono/zod-openapi";
import { SEVERITIES } from "../../../invariants/invariant.ts";
import { plural } from "../../../text.ts";
import { Violation, type ViolationRecord, type ViolationsBody } from "../../../wire/schemas/violations.ts";
import { explainViolation } from "../../../wire/serialize.ts";
import { InvariantId, page, range, Subject } from "../inputs.ts";
import { tool } from "../tool.ts";
import { nameWord, nextPage, query, sentence } from "../words.ts";

const Found = Violation.pick({
  id: true,
  invariant_id: true,
  severity: true,
  subject: true,
  snapshot_time: true,
  observed_state: true,
}).extend({ words: z.string() });
const Output = z.object({ violations: z.array(Found), next_cursor: z.string().nullable() });

export const violations = tool({
  name: "violations",
  title: "What single cycles found",
  description:
    "Violations, newest first: one finding of one cycle, with all that was observed. For how long something was red, ask for `episodes`.",
  role: "reader",
  input: z.object({
    invariant_id: InvariantId.optional(),
    subject: Subject.optional(),
    severity: z.enum(SEVERITIES).optional(),
    ...range,
    ...page,
  }),
  output: Output,
  async run(input, { api }) {
    const body = await api<ViolationsBody>(`/api/canary/violations${query(input)}`);
    const listed = body.violations.map((violation) => ({
      ...Found.omit({ words: true }).parse(violation),
      words: sentence(explainViolation(violation as ViolationRecord)),
    }));
    return {
      lines: [
        listed.length === 0 ? "No violations." : plural(listed.length, "violation"),
        ...listed.map(
          ({ id, snapshot_time, invariant_id, severity, subject, words }) =>
            `${id} ${snapshot_time} ${invariant_id} ${nameWord(subject)} (${severity}): ${words}`,
        ),
        ...nextPage(body.next_cursor),
      ],
      data: { violations: listed, next_cursor: body.next_cursor },
    };
  },
});
