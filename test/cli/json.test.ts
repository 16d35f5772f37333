/** `--json` on a terminal or in a pipe: the same bytes, which no terminal obeys and no reader misreads. */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serve } from "../../infra/local/serve.ts";
import type { Canary } from "../../shared/canary.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { plainJson } from "../../shared/text.ts";
import { createApp } from "../../shared/web/app.ts";
import { ANY_CHARACTER } from "../support/any-text.ts";
import { runHere } from "../support/cli.ts";
import { HOUR_MS, START_MS, slot, useCanaries } from "../support/cycle.ts";
import { rosterOf, slotsOf } from "../support/facts.ts";

const canaryOf = useCanaries();
const TOKEN = "correct-horse-battery-staple";
/** Clears the screen by a C1 control, turns the direction of text, hides behind zero-width characters and a BOM. */
const NAME =
  "ru\u009b2Jby\u202etxt\u2066\u2069\u200e\u061c\u200b\u200c\u200d\u2060\ufeff\u2028\u2029\u007f\u0085\u001b[31m\u{e0041}ש";
const RAW = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

const servers: Awaited<ReturnType<typeof serve>>[] = [];
afterAll(() => Promise.all(servers.map((server) => server.close())));

/** Serves the canary, and gives the variables that name it. */
async function serveCanary(canary: Canary): Promise<Record<string, string>> {
  const server = await serve(
    createApp({
      canary,
      runCycle: (request) => runCycle(canary, request),
      adminToken: TOKEN,
      logError() {},
    }),
    0,
  );
  servers.push(server);
  return { CANARY_URL: server.url, CANARY_TOKEN: TOKEN };
}

/** Runs the command, and gives each text in the JSON that it prints. */
async function textsOf(env: Record<string, string>, args: readonly string[]): Promise<string[]> {
  const { out, err } = await runHere(env, args);
  expect(err).toBe("");
  expect(out).not.toMatch(RAW);
  expect(out).toContain("\\u009b2J");
  const texts: string[] = [];
  JSON.parse(out, (_, value) => {
    if (typeof value === "string") texts.push(value);
    return value;
  });
  return texts;
}

let env: Record<string, string>;
beforeAll(async () => {
  const { deps, store, set, unread, cycle } = await canaryOf();
  set({ roster: rosterOf({ [NAME]: {} }), slots: slotsOf({ [NAME]: [slot(NAME)] }) });
  unread("zombies", `docker: ${NAME}`);
  await cycle();
  const times = { createdAtMs: START_MS, untilMs: START_MS + HOUR_MS };
  const silence = { id: "0a1b2c3d", invariantId: "S-01", subject: NAME, reason: NAME, ...times };
  await store.silences.put(silence, START_MS);
  env = await serveCanary(deps);
});

test.for(["status", "violations", "silences", "cycle"])(
  "canary %s --json: what a terminal would obey is a code, and it is the same JSON",
  async (command) => {
    const texts = await textsOf(env, [command, "--json"]);
    expect(texts.some((text) => text.includes(NAME))).toBe(true);
  },
);

test("canary silence --json answers in the same way", async () => {
  const { deps } = await canaryOf();
  const args = ["silence", "S-01", "--subject", NAME, "--for", "2h", "--reason", `${NAME}.`, "--json"];
  const texts = await textsOf(await serveCanary({ ...deps, now: Date.now }), args);
  // The API takes zero-width spaces out of a subject: alerts put them in.
  expect(texts).toEqual(expect.arrayContaining([NAME.replaceAll("\u200b", ""), `${NAME}.`]));
});

test("any value comes back from its text, which has no raw character that can't be seen", () => {
  const texts = fc.string({ unit: ANY_CHARACTER });
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: ANY_CHARACTER }), fc.dictionary(texts, texts), (value, names) => {
      const given = { value, names };
      const text = plainJson(given);
      expect(text).not.toMatch(RAW);
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(given)));
    }),
  );
});
