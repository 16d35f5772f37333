/** A guard is taken out by its text: a text that has changed must stop the run, not leave the guard in. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { GUARDS, type Patch, patched } from "../../../infra/soak/ablations.ts";

const patch: Patch = { file: "shared/x.ts", find: "GRACE = 3", replace: "GRACE = 0" };

test("a patch takes out its text and leaves the rest", () => {
  expect(patched("const GRACE = 3;\nconst OTHER = 3;\n", [patch])).toBe(
    "const GRACE = 0;\nconst OTHER = 3;\n",
  );
});

test("a patch whose text is gone, or is there twice, is an error that names the file and the text", () => {
  expect(() => patched("const GRACE_MS = 3000;", [patch])).toThrow(
    'the ablation of shared/x.ts does not apply: "GRACE = 3" is there 0 times',
  );
  expect(() => patched("GRACE = 3; GRACE = 3;", [patch])).toThrow("is there 2 times");
});

test.each(Object.entries(GUARDS) as [string, readonly Patch[]][])(
  "%s can still be taken out",
  (_, patches) => {
    for (const file of new Set(patches.map((p) => p.file))) {
      const source = readFileSync(new URL(`../../../${file}`, import.meta.url), "utf8");
      const own = patches.filter((p) => p.file === file);
      const text = patched(source, own);
      expect(text).not.toBe(source);
      for (const { find } of own) expect(text).not.toContain(find);
    }
  },
);
