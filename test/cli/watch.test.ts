/** `canary watch` without a terminal: its output, its errors, and its end. */
import { expect, test } from "vitest";
import { watch } from "../../shared/cli/watch.ts";

/** Watches with a stopped clock until all looks are used. */
async function watched(
  looks: (() => Promise<string>)[],
  clears = false,
  renderError?: (error: Error) => string,
) {
  const stopping = new AbortController();
  const written: string[] = [];
  const naps: number[] = [];
  await watch({
    look: () => (looks.shift() ?? (async () => "?"))(),
    ...(renderError && { renderError }),
    everyMs: 30_000,
    signal: stopping.signal,
    write: (text) => written.push(text),
    clears,
    now: () => Date.parse("2026-11-23T10:00:00Z"),
    sleep: async (ms) => {
      naps.push(ms);
      if (looks.length === 0) stopping.abort();
    },
  });
  return { written, naps };
}

test("each look is drawn, with when it was and how to end it", async () => {
  const { written, naps } = await watched([async () => "one", async () => "two"]);
  expect(written).toEqual([
    "one\n\n10:00:00 UTC, every 30 s, Ctrl-C ends it\n\n",
    "two\n\n10:00:00 UTC, every 30 s, Ctrl-C ends it\n\n",
  ]);
  expect(naps).toEqual([30_000, 30_000]);
});

test("what goes wrong is shown, and it goes on", async () => {
  const { written } = await watched([
    () => Promise.reject(new Error("CANARY_URL does not answer")),
    async () => "two",
  ]);
  expect(written[0]).toMatch(/^can't be seen: CANARY_URL does not answer\n/);
  expect(written[1]).toMatch(/^two\n/);
});

test("a terminal is cleared before each, and nothing else is", async () => {
  expect((await watched([async () => "one"], true)).written[0]).toContain("\u001b[H\u001b[2J\u001b[3Jone\n");
  expect((await watched([async () => "one"])).written[0]).not.toContain("\u001b");
});

test("for programs: a line for each look and for each failure, and nothing else, on a terminal too", async () => {
  const looks = [async () => '{"a":1}', () => Promise.reject(new Error("gone")), async () => '{"a":2}'];
  const { written } = await watched(looks, true, ({ message }) => JSON.stringify({ error: message }));
  expect(written).toEqual(['{"a":1}\n', '{"error":"gone"}\n', '{"a":2}\n']);
});

test("ended while it looks, it draws no more", async () => {
  const stopping = new AbortController();
  const written: string[] = [];
  await watch({
    look: async () => {
      stopping.abort();
      throw new Error("aborted");
    },
    everyMs: 1,
    signal: stopping.signal,
    write: (text) => written.push(text),
    clears: false,
    now: () => 0,
    sleep: () => Promise.reject(new Error("it is not to wait")),
  });
  expect(written).toEqual([]);
});
