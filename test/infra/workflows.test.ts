/** The workflows refer to what exists, in the right order, without keys; the smoke check tells a live canary from a dead one. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { ENVIRONMENTS } from "../../infra/environments.ts";
import { temporaryFolder } from "../support/live.ts";

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));
const FOLDER = ".github/workflows";
const read = (path: string) => readFileSync(join(PROJECT, path), "utf8");
const workflows = readdirSync(join(PROJECT, FOLDER)).map((name) => ({
  name,
  text: read(join(FOLDER, name)).replace(/^\s*#.*$/gm, ""),
}));
const workflow = (name: string) => workflows.find((w) => w.name === name)!.text;

/** Splits a workflow into the text of each job. */
function jobsOf(text: string): Record<string, string> {
  const [, jobs = ""] = text.split(/^jobs:$/m);
  const parts = jobs.split(/^ {2}(\w[\w-]*):$/m).slice(1);
  return Object.fromEntries(parts.flatMap((name, i) => (i % 2 === 0 ? [[name, parts[i + 1]!]] : [])));
}
const settingOf = (job: string, key: string) => new RegExp(`^\\s*(?:- )?${key}: (.+)$`, "m").exec(job)?.[1];

describe.for(workflows)("$name", ({ text }) => {
  test("runs only what the project has", () => {
    const commands = [...text.matchAll(/^\s*- run: (.+)$/gm)].map(([, command]) => command!);
    const { scripts, devDependencies, dependencies } = JSON.parse(read("package.json"));
    for (const command of commands) {
      expect(command).not.toMatch(/^[|>]/);
      for (const [, script] of command.matchAll(/npm run (?:-\S+ )*([\w:-]+)/g))
        expect(scripts).toHaveProperty(script!);
      for (const [, tool] of command.matchAll(/npx ([\w-]+)/g)) {
        const owner = { cdk: "aws-cdk" }[tool!] ?? tool!;
        expect({ ...dependencies, ...devDependencies }).toHaveProperty(owner);
      }
      for (const [path] of command.matchAll(/(?:\.ci|infra)\/[\w./-]+/g))
        accessSync(join(PROJECT, path), path.endsWith(".ts") ? constants.R_OK : constants.X_OK);
    }
  });

  test("takes actions by the commit, with the version beside it, and calls workflows that are there", () => {
    for (const [, action] of text.matchAll(/\buses: (.+)/g)) {
      if (action!.startsWith("./")) expect(existsSync(join(PROJECT, action!)), action).toBe(true);
      else expect(action).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    }
  });

  test("holds no key and reads no secret, and may write nothing in the repository", () => {
    expect(text).not.toMatch(/\bsecrets\b|aws-(access|secret)-/i);
    expect(text).toMatch(/^permissions:\n {2}contents: read$/m);
    expect([...text.matchAll(/: write$/gm)].length).toBe([...text.matchAll(/id-token: write$/gm)].length);
  });
});

test("main is checked, deployed to staging, and then to prod; each is an environment that there is", () => {
  const { checks, staging, prod } = jobsOf(workflow("deploy.yml"));
  expect(settingOf(checks!, "uses")).toBe("./.github/workflows/checks.yml");
  expect(settingOf(staging!, "needs")).toBe("checks");
  expect(settingOf(prod!, "needs")).toBe("staging");
  for (const [name, job] of Object.entries({ staging: staging!, prod: prod! })) {
    expect(settingOf(job, "uses")).toBe("./.github/workflows/deploy-environment.yml");
    expect(settingOf(job, "environment")).toBe(name);
    expect(Object.keys(ENVIRONMENTS)).toContain(name);
  }
  const inJob = (key: string, prefix = "") => `${key}: ${prefix}\${{ inputs.environment }}`;
  const { deploy } = jobsOf(workflow("deploy-environment.yml"));
  expect(deploy).toContain(inJob("environment"));
  expect(deploy).toContain(inJob("group", "deploy-"));
  expect(deploy).toContain("cancel-in-progress: false");
  expect(deploy!.indexOf("infra/aws/smoke-check.ts")).toBeGreaterThan(deploy!.indexOf("cdk deploy --strict"));
  expect(settingOf(jobsOf(workflow("checks.yml")).checks!, "node-version")).toBe("20");
});

test("an action is the same commit wherever it is used", () => {
  const uses = workflows.flatMap(({ text }) => [...text.matchAll(/\buses: ([^.@]+)@(.+)/g)]);
  const commits = new Map(uses.map(([, action, commit]) => [action!, commit!]));
  expect(commits.size).toBeGreaterThan(1);
  for (const [, action, commit] of uses) expect([action, commit]).toEqual([action, commits.get(action!)]);
});

test("a release leaves a list of what it is made of: each package of the lockfile, and what is bundled with its checksum", () => {
  const { deploy } = jobsOf(workflow("deploy-environment.yml"));
  expect(deploy).toContain("- run: npm run -s sbom >sbom.cdx.json");
  expect(settingOf(deploy!, "path")).toBe("sbom.cdx.json");
  expect(settingOf(deploy!, "if-no-files-found")).toBe("error");

  const bom = JSON.parse(execFileSync("npm", ["run", "-s", "sbom"], { cwd: PROJECT, encoding: "utf8" }));
  expect(bom.bomFormat).toBe("CycloneDX");
  const components: { name: string; version: string; hashes?: unknown[] }[] = bom.components;
  const listed = new Map(components.map((one) => [`${one.name}@${one.version}`, one]));
  const packages: [string, { version: string }][] = Object.entries(
    JSON.parse(read("package-lock.json")).packages,
  );
  for (const [path, { version }] of packages.filter(([path]) => path !== ""))
    expect(listed.has(`${path.split("node_modules/").at(-1)}@${version}`), path).toBe(true);
  for (const [name, version] of Object.entries(JSON.parse(read("package.json")).dependencies))
    expect(listed.get(`${name}@${version}`)?.hashes, name).toHaveLength(1);
});

describe("Dependabot", () => {
  interface Update {
    readonly "package-ecosystem": string;
    readonly directory: string;
    readonly schedule: { readonly interval: string };
    readonly groups?: Readonly<Record<string, { readonly patterns: readonly string[] }>>;
    readonly ignore?: readonly { readonly "dependency-name": string }[];
  }
  const { version, updates } = parse(read(".github/dependabot.yml")) as {
    version: number;
    updates: Update[];
  };
  const { dependencies, devDependencies, optionalDependencies } = JSON.parse(read("package.json"));
  const names = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies });
  const matches = (pattern: string, name: string) =>
    pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
  const npm = updates.find((update) => update["package-ecosystem"] === "npm")!;
  const groupOf = (name: string) =>
    Object.entries(npm.groups!).find(([, { patterns }]) => patterns.some((one) => matches(one, name)))?.[0];

  test("looks at the packages and at the actions, each week", () => {
    expect(version).toBe(2);
    expect(updates.map((update) => update["package-ecosystem"]).sort()).toEqual(["github-actions", "npm"]);
    for (const { directory, schedule } of updates)
      expect([directory, schedule.interval]).toEqual(["/", "weekly"]);
  });

  test("moves together what has to fit together, and names only what there is", () => {
    for (const name of names.filter((one) => one.startsWith("@aws-sdk/")))
      expect(groupOf(name)).toBe("aws-sdk");
    for (const name of ["aws-cdk", "aws-cdk-lib", "constructs", "cdk-nag"]) expect(groupOf(name)).toBe("cdk");
    const patterns = Object.values(npm.groups!).flatMap((group) => group.patterns);
    for (const pattern of [...patterns, ...npm.ignore!.map((one) => one["dependency-name"])])
      expect(
        names.some((name) => matches(pattern, name)),
        pattern,
      ).toBe(true);
  });
});

describe("smoke-check.ts", () => {
  let temporary: { path: string; remove(): Promise<void> };
  let server: Server | undefined;
  beforeEach(async () => {
    temporary = await temporaryFolder();
  });
  afterEach(async () => {
    server?.closeAllConnections();
    server?.close();
    server = undefined;
    await temporary.remove();
  });

  async function check(listener: RequestListener, outputs?: unknown) {
    server = createServer(listener).listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const file = join(temporary.path, "outputs.json");
    const stack = { CanaryTableNameAE3A9B72: "table", CanaryApiUrl99D5996A: url };
    writeFileSync(file, JSON.stringify(outputs ?? { "TrinityCanary-staging": stack }));
    const script = spawn(process.execPath, ["infra/aws/smoke-check.ts", file, "3", "0"], {
      cwd: PROJECT,
      env: {
        PATH: process.env.PATH,
        HOME: temporary.path,
        AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
        AWS_SECRET_ACCESS_KEY: "of-the-test",
        AWS_REGION: "eu-west-1",
      },
    });
    let said = "";
    for (const stream of [script.stdout, script.stderr])
      stream.on("data", (chunk) => {
        said += chunk;
      });
    const [code] = await once(script, "close");
    return { code, said };
  }
  const now = () => new Date(Date.now() + 1000).toISOString();
  /** "now" is the moment of the answer: the script starts late on a loaded machine. */
  const health =
    (...answers: (string | null)[]): RequestListener =>
    (request, response) => {
      expect(request.url).toBe("/healthz");
      const answer = answers.length > 1 ? answers.shift()! : answers[0]!;
      const checked_at = answer === "now" ? now() : answer;
      response.writeHead(checked_at ? 200 : 503).end(JSON.stringify({ status: "of the test", checked_at }));
    };

  test("waits for a cycle of the new version: one from before the deployment is none", async () => {
    const { code, said } = await check(health("2026-01-01T00:00:00.000Z", null, "now"));
    expect(code).toBe(0);
    expect(said).toMatch(
      /try 1 of 3.*last: 2026-01-01[\s\S]*try 2 of 3.*last: none\na full cycle was completed at/,
    );
  });

  test.for([
    ["only old cycles", health("2026-01-01T00:00:00.000Z")],
    ["no cycle at all", health(null)],
    ["an answer that is not the canary's", ((_, response) => response.end("<html>")) as RequestListener],
    ["no answer", ((request) => request.destroy()) as RequestListener],
  ] as const)("%s: it fails, and says where to look", async ([, listener]) => {
    const { code, said } = await check(listener);
    expect(code).toBe(1);
    expect(said).toMatch(/completed no full cycle: see the log of the cycle function/);
  });

  test("where the function URL asks for signatures, it signs", async () => {
    const { code } = await check((request, response) => {
      if (!request.headers.authorization?.startsWith("AWS4-HMAC-SHA256 ")) {
        response.writeHead(403).end('{"Message":"Forbidden"}');
        return;
      }
      expect(request.url).toBe("/api/canary/status");
      const alerts = { status: "delivered", channels: [], pending: 0 };
      const status = { sources_unavailable: [], silences: [], source_latency_ms: {}, invariants: [] };
      const body = { ...status, alerts, checked_at: now(), cycle_duration_ms: 1 };
      response.setHeader("content-type", "application/json").end(JSON.stringify(body));
    });
    expect(code).toBe(0);
  });

  test("a file of another stack is refused", async () => {
    const { code, said } = await check(health("now"), { Other: { Url: "https://example.com" } });
    expect(code).toBe(1);
    expect(said).toContain("it has to name a CanaryApiUrl");
  });
});
