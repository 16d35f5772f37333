/** `node infra/aws/bundle.ts functions/cycle.ts OUTPUT`: bundles one function as one ES module with its packages. */
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { inlineRunbooks } from "../inline-runbooks.ts";

const PROJECT = join(dirname(fileURLToPath(import.meta.url)), "../..");
/** The process that reads database files, and its thread: they are started by their paths. */
const FILE_READER = ["file-process.mjs", "file-worker.mjs"] as const;

/**
 * What the canary never calls: dockerode's SSH, BuildKit and archives; libsql over WebSocket; zod's texts in other
 * languages; the validator of what a client of /mcp is asked for. They would be half of the bundle, and some of them throw at
 * load in an ES module.
 */
const ABSENT =
  /^(ssh2|@grpc\/(grpc-js|proto-loader)|protobufjs|tar-fs|@libsql\/isomorphic-ws|ajv|ajv-formats)$|\/locales\/index\.js$/;

const leaveOut: Plugin = {
  name: "leave-out",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: ABSENT }, ({ path }) => ({ path, namespace: "absent" }));
    // A copy of Node's own streams.
    onResolve({ filter: /^readable-stream$/ }, () => ({ path: "node:stream", external: true }));
    onLoad({ filter: /.*/, namespace: "absent" }, () => ({
      contents: "export const WebSocket = undefined; export default undefined;",
    }));
  },
};

/**
 * An ES module evaluates every export of what it imports, and one of `node:http` loads all of `fetch`: a third of a start.
 * What is required is evaluated when it is used.
 */
const requireHttp: Plugin = {
  name: "require-http",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(node:)?https?$/ }, ({ path, kind }) =>
      kind === "import-statement"
        ? { path: path.replace(/^(?!node:)/, "node:"), namespace: "required" }
        : null,
    );
    onLoad({ filter: /.*/, namespace: "required" }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};

/** The smallest map that esbuild accepts: it maps the file's start only. */
const NO_MAP = Buffer.from('{"version":3,"sources":["package"],"mappings":"AAAA"}').toString("base64");

/** A stack trace must name our lines. A map of all packages would be larger than the code, and is read at each start. */
const mapOwnSourcesOnly: Plugin = {
  name: "map-own-sources-only",
  setup({ onLoad }) {
    onLoad({ filter: /\/node_modules\/.*\.(js|mjs|cjs)$/ }, async ({ path }) => ({
      contents: `${await readFile(path, "utf8")}\n//# sourceMappingURL=data:application/json;base64,${NO_MAP}`,
      loader: "js",
    }));
  },
};

/**
 * Bundles one function.
 * @param entry a file of the project, `functions/cycle.ts`
 * @param outputFolder gets `index.mjs` with its parts and their source maps, and what reads database files where the
 *   function uses it; it is created if it does not exist
 * @param options `isPlain` bundles as esbuild does by default: one file, and everything in it is loaded at the start.
 *   `minify: false` keeps names and lines
 * @throws esbuild's errors, with its messages printed
 */
export async function bundleFunction(
  entry: string,
  outputFolder: string,
  { isPlain = false, minify = true }: { readonly isPlain?: boolean; readonly minify?: boolean } = {},
): Promise<void> {
  const { outputFiles } = await build({
    entryPoints: { index: join(PROJECT, entry) },
    // As if the bundle were in the project: the map's paths to our files start there, wherever the bundle is written.
    outdir: PROJECT,
    outExtension: { ".js": ".mjs" },
    // What is imported on demand only (AWS credentials from elsewhere than a function's role) is not read at the start.
    splitting: !isPlain,
    write: false,
    absWorkingDir: PROJECT,
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    mainFields: ["module", "main"],
    minify,
    sourcemap: true,
    sourcesContent: false,
    legalComments: "none",
    logLevel: "warning",
    plugins: [leaveOut, ...(isPlain ? [] : [requireHttp]), inlineRunbooks, mapOwnSourcesOnly],
    // CommonJS packages in the bundle require Node's own modules.
    banner: {
      js: 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);',
    },
  });
  await mkdir(outputFolder, { recursive: true });
  for (const { path, contents } of outputFiles) await writeFile(join(outputFolder, basename(path)), contents);
  const isUsed = outputFiles.some(({ path, text }) => path.endsWith(".mjs") && text.includes(FILE_READER[0]));
  for (const name of isUsed ? FILE_READER : [])
    await copyFile(join(PROJECT, "shared/sources/sqlite", name), join(outputFolder, name));
}

const [, script, entry, outputFolder] = process.argv;
if (script === fileURLToPath(import.meta.url)) await bundleFunction(entry!, outputFolder!);
