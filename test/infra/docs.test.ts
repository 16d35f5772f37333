import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { invariantsPage } from "../../infra/docs.ts";

test("docs/invariants.md is what the invariants' own files say (npm run docs writes it)", () => {
  expect(readFileSync(new URL("../../docs/invariants.md", import.meta.url), "utf8")).toBe(invariantsPage());
});
