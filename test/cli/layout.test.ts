/** Text in the columns of a terminal, and commands that are broken into lines. */
import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import { besideOrBelow, padTo, widthOf, wrap } from "../../shared/cli/layout.ts";
import { LEAST_WIDTH, screenOf, whenOf } from "../../shared/cli/screen.ts";
import { wrapCommand } from "../../shared/cli/shell-lines.ts";
import { isChoiceLine, redis, renderCommand } from "../../shared/invariants/commands.ts";
import { examplesOf } from "../../shared/invariants/guidance.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import { shellWord } from "../../shared/shell.ts";

const words = fc.array(fc.stringMatching(/^[a-z日é🚨]{0,30}$/u), { maxLength: 30 });

test.each([
  ["ruby", 4],
  ["日本", 4],
  ["e\u0301", 1],
  ["🚨!", 3],
  ["", 0],
])("%j takes %i columns", (text, columns) => {
  expect(widthOf(text)).toBe(columns);
});

test("wrapped text loses nothing, and no line is wider than the terminal", () => {
  fc.assert(
    fc.property(words, fc.integer({ min: 20, max: 80 }), (some, width) => {
      const text = some.join(" ");
      const lines = wrap(text, width, "    ", "- ");
      for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(width);
      const plain = lines.map((line, i) => line.slice(i === 0 ? 2 : 4)).join("");
      expect(plain.replaceAll(" ", "")).toBe(text.replaceAll(" ", ""));
    }),
  );
});

test("a padded text is exactly so wide, whatever is in it", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z日é🚨]{0,30}$/u), fc.integer({ min: 2, max: 40 }), (text, width) => {
      expect(widthOf(padTo(text, width))).toBe(width);
    }),
  );
});

test("details stand behind the head where they fit, and below it otherwise", () => {
  expect(besideOrBelow("head", "details", 13, "  ")).toEqual(["head  details"]);
  expect(besideOrBelow("head", "details", 12, "  ")).toEqual(["head", "  details"]);
  expect(besideOrBelow("head   ", "", 80, "  ")).toEqual(["head"]);
});

test("a command that is broken into lines is the same command for a shell", () => {
  const word = fc.oneof(
    fc.stringMatching(/^[ -~]{1,24}$/),
    fc.constantFrom("a b", "it's", '"', "\\", "$(id)", "-rf"),
  );
  const commands = fc.sample(fc.array(word, { minLength: 1, maxLength: 12 }), { numRuns: 40, seed: 7 });
  const script = commands
    .map((command) =>
      wrapCommand(`printf '<%s>' ${command.map(shellWord).join(" ")}`, 60, "      ").join("\n"),
    )
    .join("\necho\n");
  const said = execFileSync("/bin/sh", ["-c", script], { encoding: "utf8" });
  expect(said).toBe(commands.map((command) => command.map((one) => `<${one}>`).join("")).join("\n"));
});

test("a broken command keeps its variables, and a note is broken as a note", () => {
  const lines = wrapCommand(
    'redis-cli -u "$TRINITY_REDIS_URL" ZRANGE agent:slots:ruby 0 -1 WITHSCORES',
    50,
    "  ",
  );
  expect(lines).toEqual([
    '  redis-cli -u "$TRINITY_REDIS_URL" ZRANGE \\',
    "    agent:slots:ruby 0 -1 WITHSCORES",
  ]);
  const note = wrapCommand("# only for a run that has ended, and for nothing else at all", 40, "  ");
  expect(note).toEqual(["  # only for a run that has ended, and", "  # for nothing else at all"]);
});

test("a command behind a mark: nothing is run while the mark is there, and without it, it is the whole command", () => {
  const run = (script: string) => execFileSync("/bin/sh", ["-c", script], { encoding: "utf8" });
  const words = ["ZREM", "agent:slots:a name of an agent that is long", "echo", "a chat turn", "one"];
  const command = renderCommand(redis(...words), "sqlite");
  const text = wrapCommand(`# ${command}`, 60, "    ").join("\n");
  const script = text.replace("redis-cli", "TRINITY_REDIS_URL=url; printf '<%s>'");
  expect(run(script)).toBe("");
  const all = ["-u", "url", ...words].map((word) => `<${word}>`).join("");
  expect(run(script.replace("# ", ""))).toBe(all);
});

test("a command behind a mark is told from a note, for every command of every invariant", () => {
  const commands = INVARIANTS.flatMap((invariant) =>
    examplesOf(invariant).flatMap((observed) => [...invariant.verify(observed), ...invariant.fix(observed)]),
  );
  expect(commands.some((command) => "isChoice" in command)).toBe(true);
  for (const command of commands) {
    for (const backend of ["sqlite", "postgres"] as const) {
      const line = renderCommand(command, backend);
      if (command.on === "nothing") expect([line, isChoiceLine(line)]).toEqual([line, false]);
      else if (command.isChoice || command.on !== "shell")
        expect([line, isChoiceLine(`# ${line}`)]).toEqual([line, true]);
    }
    if (command.note !== undefined)
      expect([command.note, isChoiceLine(`# ${command.note}`)]).toEqual([command.note, false]);
  }
});

test("what is to come is rounded up to a minute, and what was is not", () => {
  const nowMs = Date.parse("2026-11-23T10:00:00.000Z");
  const whenIn = (seconds: number) =>
    whenOf({ nowMs, utc: false }, new Date(nowMs + seconds * 1000).toISOString());
  expect([7_199, 7_140, 90, 45, -7_199].map(whenIn)).toEqual([
    "in 2h",
    "in 1h",
    "in 2 min",
    "in 45 s",
    "1h ago",
  ]);
});

test("the width is that of COLUMNS, else of the terminal, at least 60, and a pipe has none", () => {
  const terminal = { isTTY: true, columns: 132 } as const;
  expect(screenOf(terminal, null).width).toBe(132);
  expect(screenOf(terminal, 100).width).toBe(100);
  expect(screenOf(terminal, 20).width).toBe(LEAST_WIDTH);
  expect(screenOf({ ...terminal, isTTY: false }, null).width).toBe(Number.POSITIVE_INFINITY);
  expect(screenOf({ ...terminal, isTTY: false }, 80).width).toBe(80);
});
