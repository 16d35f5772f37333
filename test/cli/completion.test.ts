/** Completion in the shells themselves: bash always, zsh and fish where this machine has them. */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { completedCommands } from "../../shared/cli/completion/model.ts";
import { fishScript } from "../../shared/cli/completion/shells.ts";
import { INVARIANT_IDS } from "../../shared/invariants/index.ts";
import { runHere } from "../support/cli.ts";

const folder = mkdtempSync(join(tmpdir(), "canary-completion-"));
afterAll(() => rmSync(folder, { recursive: true }));
const has = (shell: string) => spawnSync(shell, ["-c", "true"]).status === 0;

/** What the user has typed, with the word at the cursor last, and what is offered. */
const STORIES: readonly (readonly [string[], string[]])[] = [
  [
    ["canary", "vio"],
    ["violations", "violation"],
  ],
  [
    ["canary", "fleet", ""],
    ["deploy", "status", "remove"],
  ],
  [["canary", "violations", "--inv"], ["--invariant"]],
  [
    ["canary", "violations", "--invariant", "S-0"],
    ["S-01", "S-02", "S-03"],
  ],
  [["canary", "explain", "r"], ["R-01"]],
  [
    ["canary", "violations", "--severity", ""],
    ["critical", "major", "minor"],
  ],
  [["canary", "--env", "status", "explain", "R"], ["R-01"]],
  [
    ["canary", "completion", ""],
    ["bash", "zsh", "fish"],
  ],
  [["canary", "--env", "p"], ["prod"]],
];

const scripts: Record<string, string> = {};
beforeAll(async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const { out, code, err } = await runHere({}, ["completion", shell]);
    expect([code, err]).toEqual([0, ""]);
    scripts[shell] = join(folder, shell);
    writeFileSync(scripts[shell], out);
  }
  // Stands for the built command line: it is asked for the environments only.
  const canary = join(folder, "canary");
  writeFileSync(canary, '#!/bin/sh\n[ "$*" = "completion environments" ] && echo "prod\nstaging"\n');
  chmodSync(canary, 0o755);
});
test("without a shell it names all three", async () => {
  const { out, err, code } = await runHere({}, ["completion"]);
  expect([out, code]).toEqual(["", 254]);
  expect(err).toBe("name the shell, one of bash, zsh, fish: canary completion bash\n");
});

const env = () => ({ PATH: `${folder}:${process.env.PATH}`, HOME: folder });
const sorted = (words: Iterable<string>) => [...words].sort();

describe.runIf(has("bash"))("bash", () => {
  const offered = (typed: readonly string[]) =>
    execFileSync(
      "bash",
      [
        "--norc",
        "-c",
        `. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _canary; printf '%s\\n' "\${COMPREPLY[@]}"`,
        "bash",
        scripts.bash!,
        ...typed,
      ],
      { encoding: "utf8", env: env() },
    )
      .split("\n")
      .filter(Boolean);

  test.each(STORIES)("%j offers %j", (typed, words) => {
    expect(sorted(offered(typed))).toEqual(sorted(words));
  });

  test("ids in any case, also after a comma; what is no id of a list stays as it was typed", () => {
    expect(offered(["canary", "explain", "s-0"])).toEqual(["S-01", "S-02", "S-03"]);
    expect(offered(["canary", "cycle", "--invariants", "S-01,r"])).toEqual(["S-01,R-01"]);
  });

  test("is registered for canary, and for its path", () => {
    const said = execFileSync("bash", ["--norc", "-c", '. "$1"; complete -p canary', "bash", scripts.bash!], {
      encoding: "utf8",
    });
    expect(said).toBe("complete -F _canary canary\n");
  });

  test("--env=p is completed as --env p is", () => {
    expect(offered(["canary", "--env", "=", "p"])).toEqual(["prod"]);
  });
});

describe.runIf(has("zsh"))("zsh", () => {
  /** zsh's own completion needs a terminal: its words are taken where they are offered. */
  const offered = (typed: readonly string[]) => {
    const script = `compdef() {}; compset() {}; compadd() { [[ $1 = -M ]] && shift 2; shift; print -l -- "$@" }
      source "$1"; shift; words=("$@"); CURRENT=$#words; _canary`;
    return execFileSync("zsh", ["-f", "-c", script, "zsh", scripts.zsh!, ...typed], {
      encoding: "utf8",
      env: env(),
    })
      .split("\n")
      .filter((word) => word.toLowerCase().startsWith(typed.at(-1)!.toLowerCase()) && word !== "");
  };

  test.each(STORIES)("%j offers %j", (typed, words) => {
    expect(sorted(offered(typed))).toEqual(sorted(words));
  });
});

describe.runIf(has("fish"))("fish", () => {
  const offered = (typed: readonly string[]) =>
    execFileSync(
      "fish",
      ["--no-config", "-c", 'source $argv[1]; complete -C "$argv[2]"', scripts.fish!, typed.join(" ")],
      { encoding: "utf8", env: env() },
    )
      .split("\n")
      .filter(Boolean)
      .map((line) => line.split("\t")[0]!);

  test.each(STORIES)("%j offers %j", (typed, words) => {
    expect(sorted(offered(typed))).toEqual(sorted(words));
  });
});

test("every command and every option is in each script, and nothing hidden", async () => {
  const { out: help } = await runHere({}, ["--help"]);
  const commands = [...help.matchAll(/^ {2}(\w+)(?: \[| <|$| {2,})/gm)].map(([, name]) => name!);
  expect(commands.length).toBeGreaterThan(15);
  for (const shell of ["bash", "zsh", "fish"]) {
    const { out } = await runHere({}, ["completion", shell]);
    for (const name of commands.filter((name) => name !== "help")) expect(out).toContain(` ${name}`);
    for (const id of INVARIANT_IDS) expect(out).toContain(id);
    expect(out).toContain("until-recovered");
    expect(out).not.toContain("--subject");
  }
});

test("a description can't end the quotes of fish", () => {
  const program = new Command("canary");
  program.command("it").description("it's a \\ 'trap'; touch x");
  expect(fishScript(completedCommands(program))).toContain("-a it -d 'it\\'s a \\\\ \\'trap\\'; touch x'");
});

test("environments are those of the file, without what a shell would read as more than a word", async () => {
  const file = join(folder, "profiles.json");
  writeFileSync(file, JSON.stringify({ prod: {}, "$(touch x)": {}, "two words": {}, "eu-1.b": {} }));
  expect((await runHere({ CANARY_PROFILES: file }, ["completion", "environments"])).out).toBe(
    "prod\neu-1.b\n",
  );
  expect(await runHere({ CANARY_PROFILES: `${file}.none` }, ["completion", "environments"])).toEqual({
    code: 0,
    out: "",
    err: "",
  });
});
