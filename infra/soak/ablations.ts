/** The canary less one of its guards: what each is for shows where it is missing. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import type { SoakReport } from "./soak.ts";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));
const FILE_WORKER = "shared/sources/sqlite/file-worker.mjs";

/** One text of a source file, and what stands in its place. */
export interface Patch {
  /** From the project's folder. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** The guards, by name, each as what takes it out. */
export const GUARDS = {
  confirmation: [
    {
      file: "shared/cycle/run-cycle.ts",
      find: "for (const waitMs of [settings.confirmAfterMs, 0]) {",
      replace: "for (const waitMs of []) {",
    },
  ],
  "the 3 s grace": [
    {
      file: "shared/invariants/rules.ts",
      find: "const IN_FLIGHT_MS = 3000;",
      replace: "const IN_FLIGHT_MS = 0;",
    },
  ],
  "S-03's decay rule": [
    {
      file: "shared/invariants/s-03-slot-ttl-floor.ts",
      find: "const ageSeconds = Math.max(0, times.slots.toMs / 1000 - score);",
      replace: "const ageSeconds = 0;",
    },
  ],
  // Membership from the first request, TTL and timeout from the second: what was released in between looks broken.
  "the atomic slot read": [
    {
      file: "shared/sources/redis/redis.ts",
      find: "else if (place === undefined) missed.push({ agent, id });",
      replace: "else if (agent) missed.push({ agent, id, listed: flat[k + 1]! } as never);",
    },
    {
      file: "shared/sources/redis/redis.ts",
      find: "const member = resultOf(score);",
      replace: "const member = (resultOf(score), (members[i] as never as { listed: string }).listed);",
    },
  ],
} as const satisfies Record<string, readonly Patch[]>;

export type Guard = keyof typeof GUARDS;

/**
 * @param source the text of a file
 * @throws Error where a patch's text is not there, or is there more than once: it would take out something else, or nothing
 */
export function patched(source: string, patches: readonly Patch[]): string {
  return patches.reduce((text, { file, find, replace }) => {
    const times = text.split(find).length - 1;
    if (times !== 1)
      throw new Error(
        `the ablation of ${file} does not apply: ${JSON.stringify(find)} is there ${times} times, not once: mend infra/soak/ablations.ts`,
      );
    return text.replace(find, () => replace);
  }, source);
}

/** Loads the files with their patches. @throws in the build, where a patch does not apply or was not used */
function withPatches(patches: readonly Patch[]): Plugin {
  return {
    name: "with-patches",
    setup({ onLoad, onEnd }) {
      const unused = new Set(patches.map(({ file }) => file));
      onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const own = patches.filter(({ file }) => join(PROJECT, file) === path);
        if (own.length === 0) return null;
        unused.delete(own[0]!.file);
        return { contents: patched(await readFile(path, "utf8"), own), loader: "ts" };
      });
      onEnd(() => {
        if (unused.size > 0) throw new Error(`not in the bundle: ${[...unused].join(", ")}`);
      });
    },
  };
}

/**
 * Runs a soak in a process of its own, on sources that are patched as they are bundled: nothing in the canary knows of it.
 * @param without the guards to take out
 * @param args as for `npm run soak`
 * @throws Error where a patch does not apply, or where the soak did not come to its end
 */
export async function soakWithout(without: readonly Guard[], args: readonly string[]): Promise<SoakReport> {
  // Within node_modules, so that packages are found from there, and nothing else looks at it.
  const folder = await mkdtemp(join(PROJECT, "node_modules/.soak-"));
  try {
    await build({
      entryPoints: [join(PROJECT, "infra/soak/main.ts")],
      outfile: join(folder, "main.mjs"),
      bundle: true,
      packages: "external",
      platform: "node",
      format: "esm",
      target: "node24",
      logLevel: "silent",
      plugins: [withPatches(without.flatMap((guard): readonly Patch[] => GUARDS[guard]))],
    });
    await copyFile(join(PROJECT, FILE_WORKER), join(folder, "file-worker.mjs"));
    const child = spawn(process.execPath, [join(folder, "main.mjs"), "--json", ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exited = once(child, "exit");
    const parts: Buffer[] = [];
    for await (const part of child.stdout) parts.push(part);
    const [code] = await exited;
    if (code !== 0 && code !== 1) throw new Error(`the soak ended with ${code}`);
    return JSON.parse(Buffer.concat(parts).toString("utf8"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
