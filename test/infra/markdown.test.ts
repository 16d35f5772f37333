/** The generated parts of pages that are otherwise written by hand. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { table, withParts } from "../../infra/markdown.ts";

test("a part is replaced, and everything around it stays", () => {
  const page = "# Page\n\n<!-- sizes -->\n\nold\n\n<!-- /sizes -->\n\nBy hand.\n";
  const sizes = table(["agents", "ms"], [[10, 72]]);
  expect(withParts(page, { sizes })).toBe(
    "# Page\n\n<!-- sizes -->\n\n| agents | ms |\n| --- | --- |\n| 10 | 72 |\n\n<!-- /sizes -->\n\nBy hand.\n",
  );
});

test("a part that the page does not have is an error that names it", () => {
  expect(() => withParts("# Page\n", { sizes: "" })).toThrow(
    "no part between <!-- sizes --> and <!-- /sizes -->",
  );
});

test("docs/evidence.md has every part that is measured for it", () => {
  const parts = ["soaks", "breaks", "jumps"];
  const page = readFileSync(new URL("../../docs/evidence.md", import.meta.url), "utf8");
  const measured = withParts(page, Object.fromEntries(parts.map((part) => [part, `measured: ${part}`])));
  for (const part of parts) expect(measured).toContain(`measured: ${part}`);
});
