/** `bin/canary`: one file, built where it is missing or old, run from anywhere, that loads little. */
import { execFile, execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildCli } from "../../infra/cli/build.ts";
import { VERSION } from "../../shared/version.ts";
import { useCanaries } from "../support/cycle.ts";
import { useServedCanaries } from "../support/served-canary.ts";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "canary-built-"));
afterAll(() => rmSync(scratch, { recursive: true }));

function run(file: string, args: readonly string[], env: Record<string, string> = {}, cwd = scratch) {
  return new Promise<{ code: number; out: string; err: string }>((resolve) => {
    const child = execFile(file, args, { cwd, env: { PATH: process.env.PATH, ...env } }, (_, out, err) =>
      resolve({ code: child.exitCode ?? -1, out, err }),
    );
  });
}

/** A clone as git makes it, with its packages: what git ignores is not there. */
function clone(): string {
  const folder = mkdtempSync(join(scratch, "clone-"));
  const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], {
    cwd: PROJECT,
    encoding: "utf8",
  });
  for (const file of files
    .split("\n")
    .filter((name) => /^(bin|functions|infra|shared|docs\/runbooks|package)/.test(name)))
    if (existsSync(PROJECT + file)) cpSync(PROJECT + file, join(folder, file), { preserveTimestamps: true });
  symlinkSync(`${PROJECT}node_modules`, join(folder, "node_modules"));
  return folder;
}

describe("a fresh clone", () => {
  let folder: string;
  let canary: string;
  const built = () => join(folder, "bin/canary.mjs");
  beforeAll(() => {
    folder = clone();
    canary = join(folder, "bin/canary");
  });

  test("builds the command line by its first command, and not again by the next", async () => {
    expect(existsSync(built())).toBe(false);
    expect(await run(canary, ["--version"])).toEqual({ code: 0, out: `${VERSION}\n`, err: "" });
    const first = statSync(built());
    expect(await run(canary, ["--version"])).toMatchObject({ code: 0 });
    expect(statSync(built()).ino).toBe(first.ino);
  });

  test("builds it again where a source is newer, or gone", async () => {
    const { ino } = statSync(built());
    const source = join(folder, "shared/cli/symbols.ts");
    utimesSync(source, new Date(), new Date());
    await run(canary, ["--version"]);
    const again = statSync(built());
    expect(again.ino).not.toBe(ino);
    writeFileSync(
      join(folder, "bin/canary.inputs"),
      `${readFileSync(join(folder, "bin/canary.inputs"), "utf8")}\nshared/gone.ts`,
    );
    await run(canary, ["--version"]);
    expect(readFileSync(join(folder, "bin/canary.inputs"), "utf8")).not.toContain("gone");
  });

  test("is run from anywhere, by its path, by a link, and by a link to a link", async () => {
    symlinkSync(canary, join(scratch, "one"));
    symlinkSync("./one", join(scratch, "two"));
    for (const path of [canary, join(scratch, "one"), join(scratch, "two"), "./two"])
      expect(await run(path, ["--version"]), path).toMatchObject({ code: 0, out: `${VERSION}\n` });
  });

  test("is run by a shell that is given its name alone", async () => {
    const said = { code: 0, out: `${VERSION}\n`, err: "" };
    expect(await run("sh", ["canary", "--version"], {}, join(folder, "bin"))).toEqual(said);
    symlinkSync(canary, join(scratch, "three"));
    expect(await run("sh", ["three", "--version"], {})).toEqual(said);
  });

  test("a command of the sources, a usage error and an unknown command have their exit codes", async () => {
    const cycle = await run(canary, ["cycle"]);
    expect([cycle.code, cycle.err]).toEqual([2, ""]);
    expect(cycle.out).toContain("? S-01  unknown");
    expect(await run(canary, ["cycle"], { CONFIRM_AFTER_MS: "soon" })).toMatchObject({
      code: 254,
      err: expect.stringMatching(/^CONFIRM_AFTER_MS is "soon"/),
    });
    expect(await run(canary, ["drill", "--env", "qa", "--yes"])).toMatchObject({
      code: 254,
      err: expect.stringContaining('there is no environment "qa"'),
    });
    expect(await run(canary, ["dance"])).toMatchObject({ code: 254 });
  });

  test("without its packages it says what to do", async () => {
    const bare = clone();
    rmSync(join(bare, "node_modules"));
    const { code, err } = await run(join(bare, "bin/canary"), ["--version"]);
    expect(code).toBe(254);
    expect(err).toMatch(/^run npm ci in .* first: its packages are missing\n$/);
  });
});

describe("the built file", () => {
  let inputs: string[];
  const file = join(PROJECT, "bin/canary.mjs");
  beforeAll(async () => {
    inputs = Object.keys(await buildCli());
  });

  /** The modules of Node that a run loads. */
  async function modulesOf(args: readonly string[], env: Record<string, string> = {}): Promise<string[]> {
    const probe = `data:text/javascript,process.on("exit",()=>process._rawDebug(process.moduleLoadList.join("\\n")))`;
    const { err } = await run(process.execPath, ["--import", probe, file, ...args], env);
    return err.split("\n").map((line) => line.replace("NativeModule ", ""));
  }

  test("has the runbooks and the schemas in it, and no client of a source, no page and no simulated platform", () => {
    const packages = new Set(
      inputs.flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []),
    );
    expect([...packages].sort()).toEqual(
      expect.arrayContaining(["@hono/zod-openapi", "commander", "picocolors", "zod"]),
    );
    for (const heavy of [
      /^@aws-sdk/,
      /^dockerode/,
      /^@libsql/,
      /^@upstash/,
      /^dynalite/,
      /^ioredis/,
      /^esbuild/,
    ])
      expect([...packages].filter((name) => heavy.test(name))).toEqual([]);
    expect(inputs.filter((path) => /^shared\/(sources|doctor\/doctor)|\.tsx$/.test(path))).toEqual([]);
    expect(inputs.filter((path) => path.startsWith("infra/")).sort()).toEqual([
      "infra/drill/commands.ts",
      "infra/fleet/commands.ts",
      "infra/local/commands.ts",
      "infra/local/database-option.ts",
    ]);
    expect(readFileSync(file, "utf8")).toContain("# S-02");
  });

  test.each([["--help"], ["--version"], ["explain S-02"], ["completion bash"]])(
    "%s loads no HTTP client, no crypto and no thread",
    async (line) => {
      const loaded = await modulesOf(line.split(" "));
      expect(loaded).toContain("fs");
      expect(
        loaded.filter((name) =>
          /^(http|https|tls|zlib|crypto|sqlite|internal\/deps\/undici\/undici|internal\/worker)$/.test(name),
        ),
      ).toEqual([]);
    },
  );

  describe("beside a canary", () => {
    const canaryOf = useCanaries();
    const served = useServedCanaries();

    test("status asks it without undici, which costs more CPU than all the rest; the file alone is enough", async () => {
      const { deps, cycle } = await canaryOf();
      await cycle();
      const env = await served(deps);
      const alone = join(scratch, "canary");
      cpSync(file, alone);
      expect(await run(alone, ["status"], env)).toMatchObject({
        code: 0,
        err: "",
        out: expect.stringContaining("✓ S-01  green"),
      });
      const loaded = await modulesOf(["status"], env);
      expect(loaded).toContain("http");
      expect(loaded.filter((name) => /undici\/undici|^https$|^sqlite$/.test(name))).toEqual([]);
    });

    test("what needs the project says so, where the file stands alone", async () => {
      const alone = join(scratch, "alone");
      cpSync(file, alone);
      const { code, err } = await run(alone, ["doctor"]);
      expect(code).toBe(254);
      expect(err).toMatch(/^this needs the folder of trinity-canary with its packages/);
    });
  });
});
