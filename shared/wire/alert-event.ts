/** What the webhook and EventBridge are sent: the contract with receivers. docs/alert-event.schema.json is made of it. */
import { z } from "zod";
import type { AlertEvent } from "../alerts/channels/event.ts";
import { SEVERITIES } from "../invariants/invariant.ts";

const Address = z.string().nullable();

/** Version 1. A new field is no new version; a field that goes, or means something else, is. */
export const AlertEventSchema: z.ZodType<AlertEvent> = z
  .object({
    version: z.literal(1),
    key: z.string().describe("Unique for this alert, and the same in every attempt to send it."),
    dedup_key: z
      .string()
      .describe(
        "The same from the first trigger to the resolve: the environment, and the invariant or `blind`.",
      ),
    action: z
      .enum(["trigger", "resolve"])
      .describe("`trigger`: it is open, or more of it. `resolve`: it has ended."),
    kind: z
      .enum(["broke", "spread", "recovered", "reminder", "blind", "sees", "test"])
      .describe("The reason for the alert."),
    environment: z.string(),
    at: z.string().describe("When the cycle began that it is of (ISO 8601, UTC)."),
    since: z.string().nullable().describe("Since when it is red, or blind."),
    severity: z.enum(SEVERITIES),
    invariant_id: z.string().nullable().describe("Null for what is blind."),
    title: z.string(),
    summary: z.string().describe("One line."),
    impact: z.string().nullable().describe("What breaks for whom."),
    subjects: z.array(z.string()).describe("The first 50 that it is about: agents, mostly."),
    subjects_total: z.int(),
    details: z.array(z.string()).describe("A line for each of the first violations."),
    details_left_out: z.int(),
    verify: z
      .array(z.string())
      .describe("Lines for a shell: is it still so? One that begins with # is a note."),
    fix: z.array(z.string()).describe("Lines for a shell that mend it."),
    safe: z.string().nullable().describe("What the fix does to a run that is alive after all."),
    runbook: z.string().nullable().describe("The first thing to do, in words."),
    links: z.object({ invariant: Address, runbook: Address, status: Address }),
    context: z.array(z.string()).describe("Ids of violations, times, counts."),
  })
  .meta({ title: "An alert of trinity-canary, version 1" });

/** The JSON schema of an event. It allows fields that it does not name: a later one has more. */
export const alertEventJsonSchema = (): object => z.toJSONSchema(AlertEventSchema, { io: "input" });
