/** Renders a drill for a terminal. */
import pc from "picocolors";
import { wrap } from "../../shared/cli/layout.ts";
import type { Screen } from "../../shared/cli/screen.ts";
import { printable } from "../../shared/text.ts";
import type { Proof } from "./drill.ts";

const SYMBOLS = { proven: "✓", failed: "✗", impossible: "–" } as const;

/** Renders the fault, what was seen of it, and how long the cycles took. */
export function renderProof(proof: Proof, { width, colour }: Pick<Screen, "width" | "colour">): string {
  const c = pc.createColors(colour);
  const paint = { proven: c.green, failed: c.red, impossible: c.yellow }[proof.outcome];
  const { red, again, recovered } = proof.cycle_ms;
  const ms = (value: number | null) => (value === null ? "–" : `${value} ms`);
  const fact = (name: string, text: string | null) =>
    text === null ? [] : wrap(printable(text), width, " ".repeat(16), `    ${name.padEnd(12)}`);
  const head = `${SYMBOLS[proof.outcome]} ${proof.invariant_id}  ${proof.outcome.padEnd(10)}  `;
  const cycles = `red ${ms(red)}, red again ${ms(again)}, recovered ${ms(recovered)}`;
  return [
    ...wrap(printable(proof.fault), width, " ".repeat(8), head).map(paint),
    ...fact("took hold", proof.took_hold),
    ...fact("seen", proof.signal_query),
    ...fact("cycles", red === null ? null : cycles),
    ...fact(proof.outcome === "failed" ? "but" : "why", proof.reason).map(paint),
  ].join("\n");
}

/** @param wanted the number of faults that were requested */
export function renderSummary(proofs: readonly Proof[], wanted: number): string {
  const of = (outcome: Proof["outcome"]) => proofs.filter((p) => p.outcome === outcome).length;
  const parts = [
    `${of("proven")} of ${wanted} proven`,
    ...(of("failed") > 0 ? [`${of("failed")} failed`] : []),
    ...(of("impossible") > 0 ? [`${of("impossible")} can't be provoked there`] : []),
    ...(proofs.length < wanted ? [`${wanted - proofs.length} not tried`] : []),
  ];
  return parts.join(", ");
}
