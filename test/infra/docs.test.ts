import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { drillPage, invariantsPage } from "../../infra/docs.ts";

test("docs/invariants.md is what the invariants' own files say (npm run docs writes it)", () => {
  expect(readFileSync(new URL("../../docs/invariants.md", import.meta.url), "utf8")).toBe(invariantsPage());
});

test("docs/drill.md lists the faults that a drill makes (npm run docs writes the table)", () => {
  expect(readFileSync(new URL("../../docs/drill.md", import.meta.url), "utf8")).toBe(drillPage());
});
