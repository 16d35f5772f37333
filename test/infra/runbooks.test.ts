/** A runbook is written for every invariant, says how to tell its causes apart, and is there where there are no docs. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { describe, expect, test } from "vitest";
import { inlineRunbooks } from "../../infra/inline-runbooks.ts";
import { runbookPage, TO_BE_WRITTEN } from "../../infra/runbooks.ts";
import { guidanceOf, runbookPath } from "../../shared/invariants/guidance.ts";
import { findInvariant, INVARIANT_IDS } from "../../shared/invariants/index.ts";
import { runbookOf } from "../../shared/runbooks.ts";

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));
const SECTIONS = [
  "What it means",
  "Is it still so?",
  "Causes, and how to tell them apart",
  "How the platform gets there",
  "Fix",
  "Is the fix safe?",
  "Whom to call",
  "See also",
];

/** The text of each section, by its heading. */
function sectionsOf(page: string): Map<string, string> {
  const [, ...parts] = page.split(/^## /m);
  return new Map(
    parts.map((part) => [part.slice(0, part.indexOf("\n")), part.slice(part.indexOf("\n")).trim()]),
  );
}

/** The anchor that GitHub makes of a heading. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, "")
    .replaceAll(" ", "-");

describe.each(INVARIANT_IDS)("the runbook of %s", (id) => {
  const page = readFileSync(join(PROJECT, runbookPath(id)), "utf8");

  test("has every section, and something written in each", () => {
    const sections = sectionsOf(runbookOf(id));
    expect([...sections.keys()]).toEqual(SECTIONS);
    for (const [heading, text] of sections) expect(text.length, heading).toBeGreaterThan(60);
    expect(page).not.toContain(TO_BE_WRITTEN);
  });

  test("tells at least three causes apart, each by its evidence", () => {
    const [head, , ...rows] = sectionsOf(page).get(SECTIONS[2]!)!.split("\n");
    expect(head).toBe("| cause | evidence | what to do |");
    expect(rows.length).toBeGreaterThanOrEqual(3);
    const cells = rows.map((row) =>
      row
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
    for (const row of cells) {
      expect(row).toHaveLength(3);
      for (const cell of row) expect(cell.length, row[0]).toBeGreaterThan(5);
    }
    expect(new Set(cells.map(([, evidence]) => evidence)).size).toBe(rows.length);
  });

  test("has the invariant's own words and commands", () => {
    const { impact, runbook, safe, title } = findInvariant(id)!;
    const { verify, fix } = guidanceOf(findInvariant(id)!, null, null);
    for (const words of [`# ${id} ${title}\n`, impact, runbook, safe, verify.join("\n"), fix.join("\n")])
      expect(runbookOf(id)).toContain(words);
  });

  test("links to what there is", () => {
    const links = [...page.matchAll(/\]\(([^)#]*)(#[^)]+)?\)/g)];
    expect(links.length).toBeGreaterThan(1);
    for (const [, path = "", anchor] of links) {
      const file = join(dirname(join(PROJECT, runbookPath(id))), path);
      expect(existsSync(file), path).toBe(true);
      if (anchor === undefined) continue;
      const headings = [...readFileSync(file, "utf8").matchAll(/^#+ (.+)$/gm)].map(([, text]) =>
        anchorOf(text!),
      );
      expect(headings).toContain(anchor.slice(1));
    }
  });
});

test("of a new invariant a page is begun, and says what is to be written", () => {
  const page = runbookPage(findInvariant("S-02")!, null);
  expect([...sectionsOf(page).keys()]).toEqual(SECTIONS);
  expect(page).toContain(TO_BE_WRITTEN);
  expect(page).toContain(findInvariant("S-02")!.impact);
});

test("what is written by hand stays when the rest is generated again", () => {
  const page = runbookPage(findInvariant("S-02")!, null).replace(TO_BE_WRITTEN, "By hand.");
  const changed = runbookPage({ ...findInvariant("S-02")!, impact: "Another impact." }, page);
  expect(changed).toContain("By hand.");
  expect(changed).toContain("Another impact.");
  expect(changed).not.toContain(findInvariant("S-02")!.impact);
});

describe("where there are no docs", () => {
  const bundle = (contents: string) =>
    build({
      stdin: { contents, resolveDir: PROJECT, loader: "ts" },
      bundle: true,
      write: false,
      metafile: true,
      platform: "node",
      format: "esm",
      packages: "external",
      plugins: [inlineRunbooks],
    });

  test("a bundle that uses the runbooks has them inside", async () => {
    const { outputFiles } = await bundle(`import { runbookOf } from "./shared/runbooks.ts";
process.stdout.write(runbookOf(process.env.ID!));`);
    const folder = mkdtempSync(join(tmpdir(), "canary-runbooks-"));
    try {
      const read = (ID: string) =>
        execFileSync(process.execPath, ["--input-type=module"], {
          input: outputFiles[0]!.text,
          cwd: folder,
          env: { ID },
          encoding: "utf8",
          stdio: ["pipe", "pipe", "ignore"],
        });
      expect(read("S-02")).toBe(runbookOf("S-02"));
      expect(() => read("S-99")).toThrow();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("the cycle's function does without them", async () => {
    const { metafile } = await bundle('import "./functions/cycle.ts";');
    expect(Object.keys(metafile.inputs)).toContain("shared/invariants/index.ts");
    expect(Object.keys(metafile.inputs).filter((path) => path.includes("runbook"))).toEqual([]);
  });
});
