/** `canary drill` as an operator runs it: its output and its exit code, and where it breaks something, its own process. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { expect, test } from "vitest";
import { CLI, RUNTIME, runCanary, runHere } from "../support/cli.ts";
import { temporaryFolder, until } from "../support/live.ts";

const NOWHERE = { DOCKER_HOST: "unix:///nowhere/docker.sock" };

const drill = (
  env: Record<string, string>,
  args: string[],
  onOutput?: (text: string, pressCtrlC: () => void) => void,
) => runCanary({ ...NOWHERE, ...env }, ["drill", ...args], onOutput);

test.for([
  [
    "an invariant that there is not",
    {},
    ["--invariants", "S-02,X-99"],
    "there is no invariant X-99; there are H-01, H-02",
  ],
  ["an empty list", {}, ["--invariants", ","], "give ids such as S-01,B-02"],
  [
    "an environment that there is not",
    {},
    ["--env", "qa", "--yes"],
    'there is no environment "qa": give one of dev, staging, prod',
  ],
  ["an environment without a yes", {}, ["--env", "dev"], "alerts its operators, and removes them: add --yes"],
  [
    "an environment without its canary",
    {},
    ["--env", "dev", "--yes"],
    "CANARY_URL is missing: give the address of the canary that watches dev",
  ],
  ["an image without an environment", {}, ["--image", "agent"], "name it with --env"],
  ["a release of a deployed environment", {}, ["--env", "dev", "--release", "seed"], "leave it or --env out"],
  [
    "an environment of the examples",
    { CANARY_URL: "http://127.0.0.1:1", CANARY_TOKEN: "token" },
    ["--env", "dev", "--yes"],
    "dev.libsqlUrl still names an address of the examples",
  ],
] as const)("%s is a usage error, and nothing is broken", async ([, env, args, message]) => {
  const { code, out, err } = await runHere({ ...NOWHERE, ...env }, ["drill", ...args]);
  expect(err).toContain(message);
  expect(out).toBe("");
  expect(code).toBe(254);
});

test("a fault is proven: a table for people, JSON for programs, and 0", async () => {
  const people = await drill({}, ["--invariants", "E-02"]);
  expect(people.code).toBe(0);
  expect(people.out).toMatch(/✓ E-02 {2}proven +a finished run that runs again/);
  expect(people.out).toMatch(/cycles +red \d+ ms, red again \d+ ms, recovered \d+ ms/);
  expect(people.out).toMatch(/\n1 of 1 proven\n$/);

  const { code, out } = await runHere(NOWHERE, ["drill", "--invariants", "E-02", "--json"]);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({
    proofs: [{ invariant_id: "E-02", outcome: "proven", observed_state: { previous_status: "success" } }],
  });
});

test("without Docker there is no zombie to be had: it says so, and exits with 2", async () => {
  const { code, out } = await runHere(NOWHERE, ["drill", "--invariants", "R-01"]);
  expect(out).toContain("unix:///nowhere/docker.sock does not answer");
  expect(out).toContain("0 of 1 proven, 1 can't be provoked there");
  expect(code).toBe(2);
});

test("Ctrl-C cures what was broken, says what was not tried, and leaves nothing", async () => {
  const folder = await temporaryFolder();
  const args = ["--invariants", "E-02,E-05,S-02,L-03"];
  const { code, out, err } = await drill({ TMPDIR: folder.path }, args, (text, press) => {
    if (text.includes("E-02")) press();
  });
  expect(err).toContain("interrupted: curing what was broken, wait for it");
  expect(out).toMatch(/\d of 4 proven.*, \d not tried\n$/);
  expect(code).toBe(out.includes("failed") ? 1 : 2);
  expect(await readdir(folder.path)).toEqual([]);
  await folder.remove();
});

test("Ctrl-C while its environment starts leaves nothing either", async () => {
  const folder = await temporaryFolder();
  const child = spawn(process.execPath, [...RUNTIME, CLI, "drill", "--invariants", "E-02"], {
    env: { PATH: process.env.PATH, ...NOWHERE, TMPDIR: folder.path },
    stdio: "ignore",
  });
  const exited = once(child, "exit");
  await until(async () => expect(await readdir(folder.path)).not.toEqual([]));
  child.kill("SIGINT");
  expect(await exited).toEqual([2, null]);
  expect(await readdir(folder.path)).toEqual([]);
  await folder.remove();
});

test("a reader that goes away, as head does, keeps nothing from being cured", async () => {
  const folder = await temporaryFolder();
  const child = spawn(process.execPath, [...RUNTIME, CLI, "drill", "--invariants", "E-02,S-02,E-05"], {
    env: { PATH: process.env.PATH, ...NOWHERE, TMPDIR: folder.path },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const exited = once(child, "exit");
  await once(child.stdout, "data");
  child.stdout.destroy();
  const [code, signal] = await exited;
  expect(signal).toBeNull();
  expect(code).not.toBe(0);
  expect(await readdir(folder.path)).toEqual([]);
  await folder.remove();
});
