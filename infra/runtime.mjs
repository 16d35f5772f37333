/**
 * Prepares Node for the project's files: `node --import ./infra/runtime.mjs FILE.ts`. Node runs TypeScript itself, but not
 * JSX: esbuild compiles that here. The compile cache makes the next start take half as long. A Node that is too old ends
 * with one line: this file is plain JavaScript, so that any Node from 18.19 on can load it.
 */
import { readFileSync } from "node:fs";
import module from "node:module";
import { fileURLToPath } from "node:url";

/** The first version that runs TypeScript and has every feature of `node:sqlite` in use here. */
const NEEDED = [22, 18];
/** The exit code for usage and configuration. It is not 1, since 1 means that something is red. */
const EXIT_USAGE = 254;

const require = module.createRequire(import.meta.url);

/**
 * @param {string} url
 * @param {module.LoadHookContext} context
 * @param {(url: string, context?: Partial<module.LoadHookContext>) => module.LoadFnOutput} next
 * @returns {module.LoadFnOutput}
 */
function load(url, context, next) {
  if (!url.endsWith(".tsx")) return next(url, context);
  const sourcefile = fileURLToPath(url);
  // The first lines of each file name its JSX runtime.
  const { code } = require("esbuild").transformSync(readFileSync(sourcefile, "utf8"), {
    loader: "tsx",
    sourcefile,
    sourcemap: "inline",
  });
  return { format: "module", source: code, shortCircuit: true };
}

const [major, minor] = process.versions.node.split(".").map(Number);
// Node 23 got what 22.18 has with 23.6.
if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1]) || (major === 23 && minor < 6)) {
  console.error(
    `this needs Node ${NEEDED.join(".")} or later and found ${process.versions.node}: install Node 24 (on Linux, x64 or arm64, npm ci installs one, and npm's commands use it)`,
  );
  process.exit(EXIT_USAGE);
}
process.setSourceMapsEnabled(true);
module.enableCompileCache(fileURLToPath(new URL("../node_modules/.cache/compiled", import.meta.url)));
module.registerHooks({ load });
