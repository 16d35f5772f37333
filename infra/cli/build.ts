/** `npm run build`: bundles the command line as `bin/canary.mjs`, one file that starts fast. */
import { chmod, readdir, rename, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { inlineRunbooks } from "../inline-runbooks.ts";
import { BUILT, INPUTS } from "./built.mjs";

const PROJECT = join(dirname(fileURLToPath(import.meta.url)), "../..");

/**
 * What is large, and needed by some commands only: the simulated platform, the clients of the sources, the app. It is imported
 * on demand, and runs from the project's own files.
 */
const FROM_SOURCE = /^infra\/|^shared\/(doctor\/doctor|cli\/in-process)\.ts$/;
/** Pages that are put inside. */
const RUNBOOKS = "docs/runbooks";
/** What signs requests for AWS: a third of a second of CPU, and three times the size of all the rest. */
const FROM_PACKAGES = ["@aws-sdk/credential-provider-node", "aws4fetch"];

const leaveOut: Plugin = {
  name: "leave-out",
  setup({ onResolve, onLoad, resolve }) {
    onResolve({ filter: /^\./ }, async ({ path, kind, resolveDir, importer, pluginData }) => {
      if (kind !== "dynamic-import" || pluginData === "found") return null;
      const found = await resolve(path, { kind, resolveDir, importer, pluginData: "found" });
      const inProject = found.path.slice(PROJECT.length + 1);
      return FROM_SOURCE.test(inProject) ? { path: `../${inProject}`, external: true } : found;
    });
    // zod's texts in other languages.
    onResolve({ filter: /\/locales\/index\.js$/ }, ({ path }) => ({ path, namespace: "absent" }));
    onLoad({ filter: /.*/, namespace: "absent" }, () => ({ contents: "" }));
  },
};

/** Writes the file as a whole: another process may be about to read it. */
async function replaceFile(
  path: string,
  contents: string | Uint8Array,
  at: Date,
  mode: number,
): Promise<void> {
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, contents);
  await chmod(draft, mode);
  await utimes(draft, at, at);
  await rename(draft, path);
}

/**
 * Builds the command line.
 * @returns the files and packages that it was made of, with what each added to its size
 * @throws esbuild's errors, with its messages printed; those of a folder that can't be written
 */
export async function buildCli(): Promise<Readonly<Record<string, number>>> {
  // What changes while it is built is newer than what comes of it.
  const startedAt = new Date();
  const { outputFiles, metafile } = await build({
    entryPoints: { canary: join(PROJECT, "functions/cli.ts") },
    outdir: dirname(fileURLToPath(BUILT)),
    outExtension: { ".js": ".mjs" },
    absWorkingDir: PROJECT,
    write: false,
    bundle: true,
    metafile: true,
    platform: "node",
    target: "node22",
    format: "esm",
    mainFields: ["module", "main"],
    minify: true,
    legalComments: "none",
    logLevel: "warning",
    external: FROM_PACKAGES,
    plugins: [leaveOut, inlineRunbooks],
    // CommonJS packages in the bundle require Node's own modules.
    banner: {
      js: 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);',
    },
  });
  const sources = Object.keys(metafile.inputs).filter((path) => !/node_modules\/|^absent:/.test(path));
  const runbooks = (await readdir(join(PROJECT, RUNBOOKS))).map((name) => `${RUNBOOKS}/${name}`);
  const inputs = [...sources, ...runbooks, "package-lock.json"].join("\n");
  await replaceFile(fileURLToPath(INPUTS), inputs, startedAt, 0o644);
  await replaceFile(fileURLToPath(BUILT), outputFiles[0]!.contents, startedAt, 0o755);
  const [output] = Object.values(metafile.outputs);
  return Object.fromEntries(
    Object.entries(output!.inputs).map(([path, { bytesInOutput }]) => [path, bytesInOutput]),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildCli();
