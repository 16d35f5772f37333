/** Where a cycle's own time goes: V8's samples of warm cycles, by who wrote the code. */
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
  readonly startTime: number;
}

export interface ProfilePart {
  readonly part: string;
  /** For each cycle. */
  readonly ms: number;
}

/** @returns for each line of a bundle that was not minified the file that it is from: esbuild says so in comments */
async function originsOf(bundle: string): Promise<Map<string, string[]>> {
  const origins = new Map<string, string[]>();
  for (const file of await readdir(bundle)) {
    if (!file.endsWith(".mjs")) continue;
    let origin = "";
    const lines = (await readFile(join(bundle, file), "utf8")).split("\n");
    origins.set(
      file,
      lines.map((line) => {
        origin = /^\/\/ (\S+\.\w+)$/.exec(line)?.[1] ?? origin;
        return origin;
      }),
    );
  }
  return origins;
}

/** @returns who wrote it: a part of ours by its folder, a package by its name */
function partOf(origin: string): string {
  const packageName = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(origin)?.[1];
  if (packageName)
    return /^@(aws|smithy)/.test(packageName)
      ? "AWS SDK"
      : packageName.replace(/^@libsql\/.*/, "@libsql/client");
  if (origin.startsWith("infra/bench/")) return "the bench itself";
  return /^shared\/[^/]+/.exec(origin)?.[0].replace(/\.ts$/, "") ?? "Node: other";
}

const NODE_PARTS: readonly (readonly [RegExp, string])[] = [
  [/undici|fetch/, "Node: fetch"],
  [/crypto/, "Node: hashing"],
  [/http|net\b|net:|stream|zlib/, "Node: http and sockets"],
  [/buffer|encoding|decoder/, "Node: text and bytes"],
];

/** @returns which part of Node it is; what has no address is native (writes to sockets, JSON, regular expressions) */
const partOfNode = (url: string): string =>
  NODE_PARTS.find(([pattern]) => pattern.test(url))?.[1] ?? (url === "" ? "Node: native" : "Node: other");

/**
 * @param folder where `--cpu-prof-dir` put one profile
 * @param bundle the bundle that was run, not minified
 * @param fromMs leaves out what was before, in ms since the profile began
 * @param cycles how many there were after that
 * @returns the parts, the largest first
 */
export async function readProfile(
  folder: string,
  bundle: string,
  fromMs: number,
  cycles: number,
): Promise<ProfilePart[]> {
  const [name] = (await readdir(folder)).filter((file) => file.endsWith(".cpuprofile"));
  if (!name) throw new Error("Node wrote no profile");
  const { nodes, samples, timeDeltas } = JSON.parse(await readFile(join(folder, name), "utf8")) as CpuProfile;
  const origins = await originsOf(bundle);
  const partById = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => {
      if (functionName.startsWith("(")) return [id, functionName.replace(/[()]/g, "")] as const;
      const origin = origins.get(basename(url))?.[lineNumber];
      return [id, origin === undefined ? partOfNode(url) : partOf(origin)] as const;
    }),
  );
  const byPart = new Map<string, number>();
  let atUs = 0;
  samples.forEach((id, i) => {
    atUs += timeDeltas[i]!;
    if (atUs < fromMs * 1000) return;
    const part = partById.get(id)!;
    byPart.set(part, (byPart.get(part) ?? 0) + timeDeltas[i]!);
  });
  return [...byPart]
    .filter(([part]) => part !== "idle" && part !== "the bench itself")
    .map(([part, us]) => ({ part, ms: us / 1000 / cycles }))
    .filter(({ ms }) => ms >= 0.1)
    .sort((a, b) => b.ms - a.ms);
}
