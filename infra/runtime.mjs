/**
 * What a process of the project begins with: `node --import ./infra/runtime.mjs FILE.ts`. Node runs the TypeScript itself,
 * but for the pages' JSX, which esbuild makes plain here. What was compiled is kept, so that the next start takes half as
 * long. An older Node ends in one line: this file is plain JavaScript, which any Node from 18.19 on can load.
 */
import { readFileSync } from "node:fs";
import module from "node:module";
import { fileURLToPath } from "node:url";

/** The first that runs TypeScript and has all of `node:sqlite` that is used here. */
const NEEDED = [22, 18];
/** A command or variable that can't be used. The command line says with 1 that something is red. */
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
  // Each file names its JSX runtime in its first lines.
  const { code } = require("esbuild").transformSync(readFileSync(sourcefile, "utf8"), {
    loader: "tsx",
    sourcefile,
    sourcemap: "inline",
  });
  return { format: "module", source: code, shortCircuit: true };
}

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
  console.error(
    `this needs Node ${NEEDED.join(".")} or later and found ${process.versions.node}: install Node 24 (on Linux, x64 or arm64, npm ci installs one, and npm's commands use it)`,
  );
  process.exit(EXIT_USAGE);
}
process.setSourceMapsEnabled(true);
module.enableCompileCache(fileURLToPath(new URL("../node_modules/.cache/compiled", import.meta.url)));
module.registerHooks({ load });
