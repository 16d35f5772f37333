/** A short run of each part of the chaos: real processes, the real store over the wire, the real Slack channel. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { account } from "../../../infra/chaos/accounting.ts";
import { failuresOf, PART_NAMES, type PartReport, runChaos } from "../../../infra/chaos/chaos.ts";
import { renderChaos } from "../../../infra/chaos/render.ts";
import { temporaryFolder } from "../../support/live.ts";

const OPTIONS = { kills: 6, minutes: 0.1, seed: 20261126, only: PART_NAMES };

describe("a short run", () => {
  let reports: readonly PartReport[];
  beforeAll(async () => {
    reports = await runChaos({ ...OPTIONS, signal: new AbortController().signal });
  }, 600_000);

  test.for(PART_NAMES)("%s: every transition is accounted for", (name) => {
    const report = reports.find((r) => r.name === name)!;
    expect(failuresOf(report)).toEqual([]);
    const { transitions, sight, delivered, waiting, both } = report.account.atEnd;
    expect(delivered + waiting - both).toBe(transitions + sight);
    // Everything was broken and cured, whatever the machine made of the time in between.
    expect(new Set(report.account.transitions.map(({ kind }) => kind))).toContain("recovered");
    expect(report.ledger.commits.at(-1)).toMatchObject({ outbox: [] });
  });

  test("kills: as many as were asked for, each with a process that takes over", () => {
    const { counts, ledger } = reports.find(({ name }) => name === "kills")!;
    expect(counts).toMatchObject({ kills: OPTIONS.kills, busy: 0, stateless: 0 });
    expect(counts.within).toBeGreaterThan(0);
    expect(ledger.unreadable).toEqual([]);
  });

  test("two, clocks: both processes commit to the same memory", () => {
    for (const part of ["two", "clocks"] as const) {
      const { ledger } = reports.find(({ name }) => name === part)!;
      expect(new Set(ledger.leases.map(({ runner }) => runner))).toEqual(new Set(["first", "second"]));
    }
  });

  test("clocks: the second one's leases are ten minutes ahead, and then ten minutes behind", () => {
    const { ledger } = reports.find(({ name }) => name === "clocks")!;
    // What is left of a clock without the time that has passed, ten times as fast: how far ahead it is.
    const offsets = (runner: string) =>
      ledger.leases.filter((l) => l.runner === runner).map(({ clockMs, atMs }) => clockMs - 10 * atMs);
    const [base] = offsets("first");
    const ahead = offsets("second").map((offset) => Math.round((offset - base!) / 300_000) * 5);
    expect(new Set(ahead)).toEqual(new Set([10, -10]));
  });

  test("an alert whose record is removed from the webhook is named as lost", () => {
    for (const { name, ledger, leaseMs } of reports) {
      const { key } = ledger.posts.find(({ isConfirmed }) => isConfirmed)!;
      const posts = ledger.posts.filter((post) => post.key !== key);
      const { lost } = account(
        { ...ledger, posts },
        { leaseMs, needsRecords: name !== "dynamodb" && name !== "kills" },
      );
      expect(lost).toEqual([expect.stringContaining(key)]);
    }
  });

  test("the table says that everything held, or names what did not, with the seed", () => {
    const options = { ...OPTIONS, only: [...PART_NAMES] };
    const command = "repeat it: npm run chaos -- --kills 6 --minutes 0.1 --seed 20261126";
    expect(renderChaos(reports, options).split("\n").slice(-2)).toEqual(["everything held", command]);
    const onPostgres = renderChaos(reports, { ...options, database: "postgres" });
    expect(onPostgres.split("\n").at(-1)).toBe(`${command} --database postgres`);
    const [first, ...rest] = reports;
    const lost = ["2026-11-23T10:00:02.000Z/S-01/broke: struck off, and the webhook never confirmed it"];
    const failed = renderChaos([{ ...first!, account: { ...first!.account, lost } }, ...rest], options);
    expect(failed.split("\n").slice(-3)).toEqual([
      `kill -9: lost: ${lost[0]}`,
      "1 thing did not hold",
      command,
    ]);
  });
});

describe("the command", () => {
  const MAIN = fileURLToPath(new URL("../../../infra/chaos/main.ts", import.meta.url));
  const RUNTIME = new URL("../../../infra/runtime.mjs", import.meta.url).href;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeAll(async () => {
    folder = await temporaryFolder();
  });
  afterAll(() => folder?.remove());

  /** The command lines of this machine's processes that name the folder. */
  async function processesOf(path: string): Promise<string[]> {
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
    const lines = await Promise.all(
      pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")),
    );
    return lines.filter((line) => line.includes(path));
  }

  function start(...args: string[]) {
    const child = spawn(process.execPath, ["--import", RUNTIME, MAIN, ...args], {
      env: { PATH: process.env.PATH, TMPDIR: folder.path },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const said = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const)
      child[name].setEncoding("utf8").on("data", (text) => {
        said[name] += text;
      });
    return { child, said, closed: once(child, "close") };
  }

  test.for([
    ["--only", "kills,moons", "there is no moons: give some of kills,two,clocks,dynamodb."],
    ["--kills", "0", "give a whole number from 1 to 2000."],
    ["--minutes", "none", "give a number from 0.05 to 120."],
  ])("refuses %s %s", async ([name, value, reason]) => {
    const { said, closed } = start(name!, value!);
    expect(await closed).toEqual([254, null]);
    expect(said.stderr).toContain(reason);
  });

  test("Ctrl-C ends everything that it started", async () => {
    const { child, said, closed } = start("--only", "two", "--minutes", "60", "--seed", "5");
    // The canaries are there once one of them holds the platform's Redis and runs the bundle in the folder.
    while ((await processesOf(folder.path)).length < 3) {
      if (child.exitCode !== null) throw new Error(said.stderr);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    child.kill("SIGINT");
    expect(await closed).toEqual([254, null]);
    expect(said.stderr).toContain("seed 5");
    expect(said.stderr).toContain("stopped by SIGINT before its end");
    expect(await processesOf(folder.path)).toEqual([]);
    expect(await readdir(folder.path)).toEqual([]);
  });
});
