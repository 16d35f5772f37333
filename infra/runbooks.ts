/** The pages of docs/runbooks: what follows from an invariant's file is generated, the rest is written by hand. */
import { guidanceOf } from "../shared/invariants/guidance.ts";
import type { Invariant } from "../shared/invariants/invariant.ts";
import { withParts } from "./markdown.ts";

/** What stands where nobody has written yet. */
export const TO_BE_WRITTEN = "(to be written)";

const TIERS = { A: "It must hold at every instant.", B: "It must hold again within a stated time." };

const part = (name: string) => `<!-- ${name} -->\n<!-- /${name} -->`;

/** A page with nothing on it that is written by hand. */
const SKELETON = `${part("head")}

## What it means

${TO_BE_WRITTEN}

## Is it still so?

${part("verify")}

## Causes, and how to tell them apart

| cause | evidence | what to do |
| --- | --- | --- |
| ${TO_BE_WRITTEN} | ${TO_BE_WRITTEN} | ${TO_BE_WRITTEN} |

## How the platform gets there

${TO_BE_WRITTEN}

## Fix

${part("fix")}

## Is the fix safe?

${part("safe")}

## Whom to call

${TO_BE_WRITTEN}

## See also

${TO_BE_WRITTEN}
`;

/** The heading in docs/operations.md that says what the commands need. */
const VARIABLES =
  "What stands in `TRINITY_…` is in [operations.md](../operations.md#the-commands-of-an-alert).";

const code = (lines: readonly string[]) => `\`\`\`sh\n${lines.join("\n")}\n\`\`\``;

/**
 * Makes the runbook of an invariant.
 * @param page as it is; null where there is none yet
 * @throws where the page lacks a generated part
 */
export function runbookPage(invariant: Invariant, page: string | null): string {
  const { id, title, tier, severity, impact, runbook, safe } = invariant;
  const { verify, fix } = guidanceOf(invariant, null, null);
  return withParts(page ?? SKELETON, {
    head: `# ${id} ${title}\n\n**${severity}, tier ${tier}.** ${TIERS[tier]}\n\n**What breaks.** ${impact}\n\n**First.** ${runbook}`,
    verify: `${VARIABLES}\n\n${code(verify)}`,
    fix: code(fix),
    safe,
  });
}
