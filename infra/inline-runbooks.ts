/** Puts the pages of docs/runbooks into a bundle: what is deployed, or installed, has no docs beside it. */
import { readdir, readFile } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "esbuild";

const RUNBOOKS = fileURLToPath(new URL("../docs/runbooks/", import.meta.url));

/** For esbuild. Only what imports shared/runbooks.ts gets the pages. */
export const inlineRunbooks: Plugin = {
  name: "inline-runbooks",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]shared[\\/]runbook-texts\.ts$/ }, async () => {
      const files = (await readdir(RUNBOOKS)).filter((file) => file.endsWith(".md")).sort();
      const pages = files.map(async (file) => [
        basename(file, ".md"),
        await readFile(RUNBOOKS + file, "utf8"),
      ]);
      const texts = JSON.stringify(Object.fromEntries(await Promise.all(pages)));
      return {
        loader: "js",
        contents: `const texts = ${texts};
export const readRunbook = (id) => {
  if (!Object.hasOwn(texts, id)) throw new Error("there is no runbook " + id);
  return texts[id];
};`,
      };
    });
  },
};
