/** The progress of long commands: one line of a terminal, and nothing in a pipe. */
import { expect, test } from "vitest";
import { progressOn } from "../../shared/cli/progress.ts";

function terminal(isTTY = true) {
  const written: string[] = [];
  let [nowMs, draw] = [0, () => {}];
  const out = { isTTY, columns: 40, write: (text: string) => written.push(text) };
  const progress = progressOn(out as never, {
    now: () => nowMs,
    everySecond: (again) => {
      draw = again;
      return () => {
        draw = () => {};
      };
    },
  });
  const pass = (ms: number) => {
    nowMs += ms;
    draw();
  };
  return { written, progress, pass };
}
const CLEAR = "\r\u001b[K";

test("each text replaces the one before, with how long it has been there", () => {
  const { written, progress, pass } = terminal();
  progress.say("1 of 3: S-01");
  pass(1_000);
  pass(11_000);
  progress.say("2 of 3: S-02");
  expect(written).toEqual([
    `${CLEAR}1 of 3: S-01`,
    `${CLEAR}1 of 3: S-01, 1 s`,
    `${CLEAR}1 of 3: S-01, 12 s`,
    `${CLEAR}2 of 3: S-02`,
  ]);
});

test("cleared, it leaves nothing, and draws no more", () => {
  const { written, progress, pass } = terminal();
  progress.say("working");
  progress.clear();
  pass(5_000);
  progress.clear();
  expect(written).toEqual([`${CLEAR}working`, CLEAR]);
});

test("a name that is too long, or would move the cursor, stays on its line", () => {
  const { written, progress } = terminal();
  progress.say(`1 of 2: ${"ruby\u001b[2J".repeat(20)}`);
  expect(written[0]!.slice(CLEAR.length)).not.toMatch(/\p{Cc}/u);
  expect(written[0]!.slice(CLEAR.length).length).toBeLessThan(40);
});

test("in a pipe there is none", () => {
  const { written, progress, pass } = terminal(false);
  progress.say("working");
  pass(1_000);
  progress.clear();
  expect(written).toEqual([]);
});
