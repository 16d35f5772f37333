import { z } from "@hono/zod-openapi";
import { plural } from "../../../text.ts";
import type { CycleReport } from "../../../wire/schemas/cycles.ts";
import { Violation } from "../../../wire/schemas/violations.ts";
import { explainViolation } from "../../../wire/serialize.ts";
import { InvariantId } from "../inputs.ts";
import { tool } from "../tool.ts";
import { link, nameWord, sentence } from "../words.ts";

const MAX_VIOLATIONS = 20;
const MAX_UNREAD = 10;
const Found = Violation.pick({ id: true, invariant_id: true, severity: true, subject: true }).extend({
  words: z.string(),
});
const Output = z.object({
  snapshot_time: z.string(),
  verdicts: z.record(z.string(), z.string()),
  /** Those that were not red before this cycle. */
  broke: z.array(z.string()),
  spread: z.array(z.string()),
  recovered: z.array(z.string()),
  violations: z.array(Found),
  violations_total: z.int(),
  sources_unavailable: z.array(z.string()),
  url: z.string().nullable(),
});

function headLine({ verdicts }: CycleReport): string {
  const of = (status: string) =>
    Object.entries(verdicts).flatMap(([id, verdict]) => (verdict.status === status ? [id] : []));
  const named = (status: string) => (of(status).length > 0 ? [`${status}: ${of(status).join(", ")}`] : []);
  return [...named("red"), ...named("unknown"), `${of("green").length} green`].join("; ");
}

export const runCycle = tool({
  name: "run_cycle",
  title: "Run a cycle now",
  description:
    "Reads the platform now and judges every invariant, or those that are named. Use it to see whether a fix has worked, instead of waiting for the next cycle. It changes nothing on the platform; alerts go out as after any cycle.",
  role: "admin",
  input: z.object({ invariants: z.array(InvariantId).min(1).max(50).optional().describe("Left out: all") }),
  output: Output,
  async run({ invariants }, { api, links }) {
    const report = await api<CycleReport>("/api/canary/run-cycle", { ...(invariants && { invariants }) });
    const idsOf = (changes: readonly { readonly invariant_id: string }[]) =>
      changes.map((c) => c.invariant_id);
    const data = {
      snapshot_time: report.snapshot_time,
      verdicts: Object.fromEntries(Object.entries(report.verdicts).map(([id, { status }]) => [id, status])),
      broke: idsOf(report.transitions),
      spread: idsOf(report.spreads),
      recovered: idsOf(report.recoveries),
      violations: report.violations.slice(0, MAX_VIOLATIONS).map((violation) => ({
        ...Found.omit({ words: true }).parse(violation),
        words: sentence(explainViolation({ ...violation, id: violation.id ?? 0 })),
      })),
      violations_total: report.violations_total,
      sources_unavailable: report.sources_unavailable.slice(0, MAX_UNREAD),
      url: links.cycle(report.snapshot_time),
    };
    const change = (words: string, ids: readonly string[]) =>
      ids.length > 0 ? [`${words}: ${ids.join(", ")}`] : [];
    const more = data.violations_total - data.violations.length;
    return {
      lines: [
        headLine(report),
        ...change("broke", data.broke),
        ...change("spread", data.spread),
        ...change("recovered", data.recovered),
        ...data.violations.map((v) => `${v.invariant_id} ${nameWord(v.subject)} (${v.severity}): ${v.words}`),
        ...(more > 0 ? [`and ${plural(more, "violation")} more`] : []),
        ...data.sources_unavailable.map((line) => `could not be read: ${sentence(line)}`),
        ...link(data.url),
      ],
      data,
    };
  },
});
