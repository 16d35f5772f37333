/** `npm run docs`: writes the table of invariants from their own files. `--check` only says whether it is up to date. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { INVARIANTS } from "../shared/invariants/index.ts";
import { faultTable } from "./faults/table.ts";
import { withParts } from "./markdown.ts";

const PATH = fileURLToPath(new URL("../docs/invariants.md", import.meta.url));
const DRILL_PATH = fileURLToPath(new URL("../docs/drill.md", import.meta.url));

/** @returns docs/invariants.md as the registry has it */
export function invariantsPage(): string {
  const cell = (text: string) => text.replaceAll("|", "\\|");
  const rows = INVARIANTS.map(
    ({ id, title, tier, severity, guards, reads, confirm }) =>
      `| [${id}](#${id.toLowerCase()}) ${cell(title)} | ${tier} | ${severity} | ${cell(guards)} | ${reads.join(", ")} | ${confirm ? "yes" : "no"} |`,
  );
  const sections = INVARIANTS.map(
    ({ id, title, guards, runbook }) => `## ${id}\n\n**${title}.** ${guards}\n\nWhat to do: ${runbook}\n`,
  );
  return `<!-- Written by \`npm run docs\` from shared/invariants. Change it there. -->

# Invariants

Tier A must hold at every instant, tier B again within a stated time. An invariant whose new red is confirmed is read
again after \`CONFIRM_AFTER_MS\`, and once more at once, before it counts: its facts come from more than one read or clock.

| invariant | tier | severity | guards against | reads | confirmed |
|---|---|---|---|---|---|
${rows.join("\n")}

${sections.join("\n")}`;
}

/** docs/drill.md, with the table of faults as infra/faults has it. */
export const drillPage = (): string => withParts(readFileSync(DRILL_PATH, "utf8"), { faults: faultTable() });

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const page = invariantsPage();
  const drill = drillPage();
  if (!process.argv.includes("--check")) {
    writeFileSync(PATH, page);
    writeFileSync(DRILL_PATH, drill);
  } else if (readFileSync(PATH, "utf8") !== page || readFileSync(DRILL_PATH, "utf8") !== drill) {
    console.error("docs are not what shared/invariants and infra/faults say: run npm run docs");
    process.exitCode = 1;
  }
}
