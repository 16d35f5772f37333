/**
 * What `bin/canary` runs: the built command line, which is built first where it is missing, or older than what it is made
 * of. npm builds nothing here, since its scripts are off (.npmrc). This file is plain JavaScript and imports little: each
 * command waits for it.
 */
import "../runtime.mjs";
import { readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { BUILT, INPUTS } from "./built.mjs";

const PROJECT = new URL("../../", import.meta.url);
/** The exit codes of usage and of a crash. 1 would mean that something is red. */
const EXIT = { usage: 254, crash: 255 };

/** Whether nothing that it was built from has changed since. */
function isCurrent() {
  try {
    const { mtimeMs } = statSync(BUILT);
    const inputs = readFileSync(INPUTS, "utf8").split("\n");
    return inputs.every((path) => statSync(new URL(path, PROJECT)).mtimeMs <= mtimeMs);
  } catch {
    return false;
  }
}

/** Builds it. Where the folder is another user's, the sources run as they are, which is slower. */
async function build() {
  try {
    const { buildCli } = await import("./build.ts");
    await buildCli();
    return BUILT;
  } catch (error) {
    if (["EACCES", "EROFS", "EPERM"].includes(error.code)) return new URL("functions/cli.ts", PROJECT);
    const isBare = error.code === "ERR_MODULE_NOT_FOUND";
    console.error(isBare ? `run npm ci in ${fileURLToPath(PROJECT)} first: its packages are missing` : error);
    process.exit(isBare ? EXIT.usage : EXIT.crash);
  }
}

await import((isCurrent() ? BUILT : await build()).href);
