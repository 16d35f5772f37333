/** Messages that `npm start` prints, as wide as the terminal. */
import { expect, test } from "vitest";
import { TERMINAL, terminalTransport } from "../../../infra/local/terminal.ts";
import { makeAlert } from "../../../shared/alerts/alert.ts";

const printed = async (width: number) => {
  const lines: string[] = [];
  const alert = makeAlert(
    {
      key: "S-02-broke",
      kind: "broke",
      environment: "local",
      invariantId: "S-02",
      title: "Slot overbooking",
      severity: "critical",
      summary: `ruby: ${"three slots for a cap of two, ".repeat(8)}and no more`,
      lines: [`ruby: ${"three slots for a cap of two, ".repeat(8)}and no more`],
      runbook: `Compare ${"the slots with the rows, ".repeat(10)}and remove what is too much`,
      context: [],
      statusUrl: null,
      verify: [`redis-cli ZRANGE agent:slots:${"ruby".repeat(20)} 0 -1 WITHSCORES`],
    },
    (text) => text,
  );
  await terminalTransport(
    (text) => lines.push(...text.split("\n")),
    () => width,
  ).send([alert], new AbortController().signal);
  return lines;
};
const wordsOf = (lines: readonly string[]) =>
  lines.flatMap((line) => line.replace("  | ", "").split(/ +/)).filter((word) => word !== "");

test(`the message on the ${TERMINAL} has no line that is wider, but for the commands, which are there to be copied`, async () => {
  const [narrow, endless] = [await printed(70), await printed(Number.POSITIVE_INFINITY)];
  const commands = narrow.filter((line) => line.startsWith("  |     "));
  expect(commands.join("\n")).toContain(`redis-cli ZRANGE agent:slots:${"ruby".repeat(20)} 0 -1 WITHSCORES`);
  const prose = narrow.filter((line) => !commands.includes(line));
  expect(Math.max(...prose.map((line) => line.length))).toBeLessThanOrEqual(70);
  expect(Math.max(...endless.map((line) => line.length))).toBeGreaterThan(200);
  expect(wordsOf(narrow)).toEqual(wordsOf(endless));
});
