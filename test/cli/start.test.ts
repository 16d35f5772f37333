/** The modules that the command line loads at its start. Fewer modules mean a faster start. */
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, test } from "vitest";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));

/** Follows the static imports of a file to files of the project and packages. */
async function loadedBy(entry: string): Promise<string[]> {
  const { metafile } = await build({
    absWorkingDir: PROJECT,
    entryPoints: [entry],
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    packages: "external",
    outdir: "unused",
    write: false,
    metafile: true,
  });
  const loaded = new Set([entry]);
  for (const file of loaded)
    for (const { path, kind } of metafile.inputs[file]?.imports ?? [])
      if (kind === "import-statement") loaded.add(path);
  return [...loaded];
}

test("no page, no client of a service and nothing of infra but the options of its commands", async () => {
  const loaded = await loadedBy("functions/cli.ts");
  const packages = loaded.filter((path) => !/\/|^node:|^package\.json$/.test(path));
  expect(packages.sort()).toEqual(["commander", "picocolors"]);
  expect(loaded.filter((path) => path.startsWith("infra/")).sort()).toEqual([
    "infra/drill/commands.ts",
    "infra/fleet/commands.ts",
    "infra/local/commands.ts",
    "infra/local/database-option.ts",
  ]);
  expect(loaded.filter((path) => /^shared\/(web|wire|store|sources|cycle)\/|\.tsx$|^@/.test(path))).toEqual(
    [],
  );
  expect(loaded).toContain("shared/cli/commands/cycle.ts");
});
