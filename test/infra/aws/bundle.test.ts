/** What a function loads when it starts: each cold start waits for all of it. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bundleFunction } from "../../../infra/aws/bundle.ts";
import { temporaryFolder } from "../../support/live.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

/** The modules of Node that are loaded once the bundle's handler is ready. */
function loadedBy(bundle: string): string[] {
  const probe = "await import(process.argv[1]); console.log(JSON.stringify(process.moduleLoadList))";
  const args = ["--input-type=module", "-e", probe, join(bundle, "index.mjs")];
  const env = { AWS_REGION: "eu-west-1" };
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8", env })) as string[];
}
const FETCH = "NativeModule internal/deps/undici/undici";

test.for(["cycle", "api"])(
  "the %s function's start does not load fetch, which it does not use",
  async (name) => {
    const bundle = join(folder.path, name);
    await bundleFunction(`functions/${name}.ts`, bundle);
    const loaded = loadedBy(bundle);
    expect(loaded).toContain("NativeModule https");
    expect(loaded).not.toContain(FETCH);
  },
);

test("an ES module that imports node:http loads it", async () => {
  const bundle = join(folder.path, "plain");
  await bundleFunction("infra/bench/empty-handler.ts", bundle, { isPlain: true });
  expect(loadedBy(bundle)).toContain(FETCH);
});
