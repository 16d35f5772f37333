/** What an operator is given for something red: what breaks, the commands that verify and fix it, and whether that is safe. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import type { Guidance } from "../../invariants/guidance.ts";
import { plain } from "./texts.ts";

/** Commands are cut at a line: half a command is worse than none. */
const MAX_BYTES = 4_000;

/** The first lines that fit. */
function fitting(lines: readonly string[]): string[] {
  let left = MAX_BYTES;
  const shown = lines.filter((line) => {
    left -= line.length;
    return left >= 0;
  });
  return shown.length < lines.length ? [...shown, "# and more: see the runbook"] : shown;
}

/** Lines for a shell, with a button that copies them. */
export const Commands = ({ lines, name }: { lines: readonly string[]; name: string }) =>
  lines.length === 0 ? null : (
    <div class="commands">
      <p class="label">{name}</p>
      <pre data-copy>{fitting(lines).map(plain).join("\n")}</pre>
    </div>
  );

interface GuidanceProps {
  readonly guidance: Guidance;
  readonly safe: string;
}

export const GuidanceBlock = ({ guidance: { verify, fix }, safe }: GuidanceProps) => (
  <div class="guidance">
    <Commands name="Is it still so?" lines={verify} />
    <Commands name="Fix" lines={fix} />
    <p>
      <b>Is that safe?</b> {safe}
    </p>
  </div>
);
