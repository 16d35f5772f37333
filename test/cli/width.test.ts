/** Every view at every width: what an operator reads on half a screen is all of it. */
import { beforeAll, describe, expect, test } from "vitest";
import { widthOf } from "../../shared/cli/layout.ts";
import { isChoiceLine } from "../../shared/invariants/commands.ts";
import { runHere } from "../support/cli.ts";
import { HOUR_MS, START_MS, slot, useCanaries } from "../support/cycle.ts";
import { rosterOf, slotsOf } from "../support/facts.ts";
import { useServedCanaries } from "../support/served-canary.ts";

const canaryOf = useCanaries();
const served = useServedCanaries();
/** As long as a name may be, and wide. */
const LONG = `agent-${"with-a-long-name-".repeat(8)}日本語`;
const SLOTS = Array.from({ length: 12 }, (_, i) => `execution-0123456789abcdef-${i}`);

let env: Record<string, string>;
let violation: number;
beforeAll(async () => {
  const { deps, store, set, unread, cycle } = await canaryOf();
  set({
    roster: rosterOf({ ruby: {}, [LONG]: {} }),
    slots: slotsOf({ ruby: SLOTS.map((id) => slot(id)), [LONG]: SLOTS.map((id) => slot(`${id}-long`)) }),
  });
  unread("zombies", `docker: ECONNREFUSED 10.0.0.5:2376 ${"and a reason that is long ".repeat(6)}`);
  const report = await cycle();
  await cycle();
  violation = report.violations[0]!.id!;
  const times = { createdAtMs: START_MS, untilMs: START_MS + 24 * HOUR_MS };
  await store.silences.put(
    { id: "0a1b2c3d", invariantId: "S-01", subject: LONG, reason: "resizing ".repeat(20), ...times },
    START_MS,
  );
  env = await served(deps);
});

/** What is to be typed is indented most. A word of it is never broken, and nothing is behind a mark; a note is. */
const isCommand = (line: string) => /^ {6,}[^#\s]/.test(line) || isChoiceLine(line.trim());

describe.each([60, 80, 100, 160])("at %i columns", (columns) => {
  test.each([
    ["status"],
    ["status", "-v"],
    ["status", "--utc"],
    ["violations"],
    ["violations", "-v", "--utc"],
    ["cycles"],
    ["cycles", "-v"],
    ["episodes"],
    ["episodes", "-v", "--utc"],
    ["agents"],
    ["silences"],
    ["cycle", "-v"],
    ["--help"],
    ["silence", "--help"],
  ])("canary %s %s %s has no wider line", async (...args) => {
    const { out, err, code } = await runHere({ ...env, COLUMNS: String(columns) }, args.filter(Boolean));
    expect([err, code === 254 || code === 255]).toEqual(["", false]);
    for (const line of out.split("\n")) expect(widthOf(line), line).toBeLessThanOrEqual(columns);
  });

  test("a violation, an agent and an explanation too, but for words of commands", async () => {
    for (const args of [
      ["violation", String(violation)],
      ["agent", LONG],
      ["explain", "S-02", "-v"],
      ["explain", "S-01", "--subject", "ruby"],
    ]) {
      const { out, code } = await runHere({ ...env, COLUMNS: String(columns) }, args);
      expect(code).toBe(0);
      for (const line of out.split("\n"))
        if (!isCommand(line)) expect(widthOf(line), line).toBeLessThanOrEqual(columns);
    }
  });

  test("errors have no wider line: those of a command, and those of the parser", async () => {
    for (const args of [
      ["violations", "--since", `some time ago, ${"a while ".repeat(20)}`],
      ["violations", "--severity", `neither ${"nor ".repeat(40)}`],
      ["explain", "S-02", ...Array.from({ length: 30 }, (_, i) => `word-${i}`)],
    ]) {
      const { err, code } = await runHere({ ...env, COLUMNS: String(columns) }, args);
      expect(code).toBe(254);
      for (const line of err.split("\n")) expect(widthOf(line), line).toBeLessThanOrEqual(columns);
    }
  });

  test("nothing is cut from what is red", async () => {
    const { out } = await runHere({ ...env, COLUMNS: String(columns) }, ["violations"]);
    const plain = out.replace(/\n? +/g, "");
    for (const id of SLOTS) expect(plain).toContain(id);
    expect(plain).toContain(LONG);
  });
});

test("the strip of 24 hours is as long as the line leaves, and says what a character is", async () => {
  const lengthAt = async (columns: number) => {
    const { out } = await runHere({ ...env, COLUMNS: String(columns) }, ["status"]);
    const [, strip] = /^✓ H-01 .*?([▁·]+)$/m.exec(out) ?? [];
    return [strip?.length, /24 h, (\d+ \w+) each/.exec(out)?.[1]];
  };
  expect(await lengthAt(60)).toEqual([16, "90 min"]);
  expect(await lengthAt(80)).toEqual([24, "1 h"]);
  expect(await lengthAt(100)).toEqual([36, "40 min"]);
  expect(await lengthAt(160)).toEqual([96, "15 min"]);
});
