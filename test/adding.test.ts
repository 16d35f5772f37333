/**
 * docs/adding.md is true: in a copy of the project one of each thing is added, in exactly the places that its list names,
 * and the types hold. Where an invariant has no fault they do not.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const PROJECT = fileURLToPath(new URL("..", import.meta.url));
const COPIED = ["functions", "infra", "shared", "test", "package.json", "tsconfig.json", "vitest.config.ts"];

let copy: string;
beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), "canary-adding-"));
  for (const name of COPIED) cpSync(join(PROJECT, name), join(copy, name), { recursive: true });
  symlinkSync(join(PROJECT, "node_modules"), join(copy, "node_modules"));
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

/** Runs the project's own type check in the copy. Gives its errors, one line each. */
function typeErrors(): string[] {
  const tsc = join(PROJECT, "node_modules/.bin/tsc");
  // Several checkers would each work out most types again, and other tests need the processors.
  const args = ["--noEmit", "--checkers", "1"];
  const { stdout, stderr } = spawnSync(tsc, args, { cwd: copy, encoding: "utf8" });
  return (stdout + stderr).split("\n").filter((line) => /^\S/.test(line) && !line.startsWith("import "));
}

interface Place {
  /** As docs/adding.md names it. */
  readonly path: string;
  apply(): void;
}

/** A file that is made. @param named how the docs name it */
const made = (named: string, path: string, text: string): Place => ({
  path: named,
  apply() {
    mkdirSync(dirname(join(copy, path)), { recursive: true });
    writeFileSync(join(copy, path), text, { flag: "wx" });
  },
});

/** A file that gets lines. @param lines each before or after a text that is there once */
const edited = (path: string, ...lines: (readonly ["before" | "after", string, string])[]): Place => ({
  path,
  apply() {
    const before = readFileSync(join(copy, path), "utf8");
    const after = lines.reduce((text, [where, anchor, line]) => {
      expect(text.split(anchor), `${path} has ${anchor} once`).toHaveLength(2);
      return text.replace(anchor, () => (where === "before" ? `${line}\n${anchor}` : `${anchor}\n${line}`));
    }, before);
    writeFileSync(join(copy, path), after);
  },
});

const FAULT_LINE = `  "X-01": [exampleFault],`;

const RECIPES: Record<string, readonly Place[]> = {
  "An invariant": [
    made(
      "shared/invariants/<id>-<name>.ts",
      "shared/invariants/x-01-example.ts",
      `import { invariant } from "./invariant.ts";

export const example = invariant({
  id: "X-01",
  title: "Example",
  tier: "A",
  severity: "minor",
  impact: "It is an example.",
  runbook: "There is nothing to do.",
  safe: "It does nothing.",
  example: {},
  reads: ["roster"],
  confirm: false,
  check: ({ roster }) => ({ subjects: roster.keys(), unseen: [], findings: [] }),
  summarize: () => "",
  explain: () => "",
  verify: () => [],
  fix: () => [],
});
`,
    ),
    edited(
      "shared/invariants/index.ts",
      ["before", "const REGISTRY = [", 'import { example } from "./x-01-example.ts";'],
      ["after", "  noZombieClaude,", "  example,"],
    ),
    made(
      "infra/faults/<id>-<name>.ts",
      "infra/faults/x-01-example.ts",
      `import type { Fault } from "./fault.ts";

export const exampleFault: Fault = {
  invariantId: "X-01",
  name: "example",
  title: "an example",
  cured: "it is undone",
  async provoke() {},
  seen: async () => "an example",
  expected: () => ({}),
  async cure() {},
};
`,
    ),
    edited(
      "infra/faults/index.ts",
      ["before", "/** By invariant;", 'import { exampleFault } from "./x-01-example.ts";'],
      ["after", '  "R-01": [zombie],', FAULT_LINE],
    ),
    made("docs/runbooks/<ID>.md", "docs/runbooks/X-01.md", "An example."),
  ],

  "A fact": [
    edited("shared/facts/facts.ts", ["after", "  roster: Roster;", "  exampleFact: number;"]),
    edited("shared/facts/trust.ts", ["after", "export const DATABASE_FACTS = [", '  "exampleFact",']),
    made(
      "shared/sources/sql/facts/<fact>.ts",
      "shared/sources/sql/facts/example-fact.ts",
      `import type { Facts } from "../../../facts/facts.ts";
import { needsExecutions, type SqlFact } from "../fact.ts";
import { rowsOf } from "../rows.ts";

export const exampleFact: SqlFact<Facts["exampleFact"]> = {
  missing: needsExecutions,
  statements: () => ["SELECT 1"],
  parse: ([answer]) => Number(rowsOf(answer)[0]?.[0]),
};
`,
    ),
    edited(
      "shared/sources/sql/reader.ts",
      ["before", "const FACTS = {", 'import { exampleFact } from "./facts/example-fact.ts";'],
      ["after", "const FACTS = {", " exampleFact,"],
    ),
    edited("test/support/facts.ts", ["after", "    sessions: new Set(),", "    exampleFact: 1,"]),
  ],

  "A source": [
    edited("shared/facts/facts.ts", ["after", "  drainTick: DrainTick;", "  weather: string;"]),
    made(
      "shared/sources/<source>/<source>.ts",
      "shared/sources/weather/weather.ts",
      `import { text } from "../../config/variable.ts";
import type { SourceSpec } from "../source.ts";

const WEATHER = { url: text("WEATHER_URL", "where the weather is") };

export const weather = {
  name: "weather",
  gives: ["weather"],
  variables: WEATHER,
  configure({ url }) {
    if (url === null) return "not configured";
    return async ({ now }) => ({
      readings: { weather: { read: true, value: url, time: { fromMs: now(), toMs: now() } } },
      unavailable: [],
    });
  },
} as const satisfies SourceSpec<typeof WEATHER>;
`,
    ),
    edited(
      "shared/sources/index.ts",
      ["before", "export const SOURCES = [", 'import { weather } from "./weather/weather.ts";'],
      ["after", "export const SOURCES = [", "  weather,"],
    ),
    edited("test/support/facts.ts", ["after", "    slots: slotsOf({}),", '    weather: "fine",']),
  ],

  "A channel": [
    made(
      "shared/alerts/channels/<channel>.ts",
      "shared/alerts/channels/pager.ts",
      `import { text } from "../../config/variable.ts";
import type { Alert } from "../alert.ts";
import { type ChannelSpec, NotDelivered } from "./channel.ts";

const PAGER = { key: text("PAGER_KEY", "the key of the pager", { secret: true }) };

export const pager = {
  name: "pager",
  prefix: "PAGER",
  variables: PAGER,
  named: ["key"],
  configure({ key }) {
    if (key === null) return null;
    const send = async ([alert]: readonly Alert[]) => {
      throw new NotDelivered(\`pager: \${alert?.key}\`);
    };
    return { send, together: 1, holdsOpen: true };
  },
} as const satisfies ChannelSpec<typeof PAGER>;
`,
    ),
    edited(
      "shared/alerts/channels/index.ts",
      ["before", "export const CHANNELS = [", 'import { pager } from "./pager.ts";'],
      ["after", "export const CHANNELS = [", "  withLimits(pager),"],
    ),
  ],

  "A variable": [
    edited("shared/config/cycle.ts", [
      "after",
      "export const CYCLE = {",
      `  patience: wholeNumber("PATIENCE_MS", "an example", { fallback: 1, range: [0, 9] }),`,
    ]),
    edited("infra/settings/cycle.ts", [
      "after",
      "export const CYCLE_SETTINGS = {",
      `  patienceMs: numberOf(CYCLE.patience, "milliseconds of patience"),`,
    ]),
  ],

  "A page": [
    made(
      "shared/web/pages/<page>.tsx",
      "shared/web/pages/example.tsx",
      `/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import type { Page } from "./page.ts";

export const examplePage: Page = {
  path: "/example",
  address: /^\\/example()$/,
  reloads: false,
  render: async ({ view }) => \`\${<p>{view.environment}</p>}\`,
};
`,
    ),
    edited(
      "shared/web/pages/index.ts",
      ["before", "export const PAGES: readonly Page[] = [", 'import { examplePage } from "./example.tsx";'],
      ["after", "export const PAGES: readonly Page[] = [", "  examplePage,"],
    ),
  ],

  "A tool of /mcp": [
    made(
      "shared/web/mcp/tools/<tool>.ts",
      "shared/web/mcp/tools/example.ts",
      `import { z } from "@hono/zod-openapi";
import { tool } from "../tool.ts";

export const example = tool({
  name: "example",
  title: "An example",
  description: "An example.",
  role: "reader",
  input: z.object({}),
  output: z.object({ words: z.string() }),
  run: async () => ({ lines: ["words"], data: { words: "words" } }),
});
`,
    ),
    edited(
      "shared/web/mcp/tools.ts",
      ["before", "export const TOOLS: readonly Tool[] = [", 'import { example } from "./tools/example.ts";'],
      ["after", "export const TOOLS: readonly Tool[] = [", "  example,"],
    ),
  ],
};

/** The places that docs/adding.md lists, by the heading that they stand under. */
function listedPlaces(): Record<string, string[]> {
  const sections = readFileSync(join(PROJECT, "docs/adding.md"), "utf8").split(/^## /m).slice(1);
  return Object.fromEntries(
    sections.map((section) => [
      section.slice(0, section.indexOf("\n")),
      [...section.matchAll(/^\d+\. `([^`]+)`/gm)].map(([, path]) => path!),
    ]),
  );
}

test("docs/adding.md lists the places that are touched here, and no other", () => {
  const touched = Object.entries(RECIPES).map(([heading, places]) => [
    heading,
    places.map(({ path }) => path.replace("config/cycle.ts", "config/<user>.ts")),
  ]);
  expect(listedPlaces()).toEqual(Object.fromEntries(touched));
});

test("one of each, added in these places, has sound types; an invariant without its fault has not", () => {
  for (const place of Object.values(RECIPES).flat()) place.apply();
  const faults = join(copy, "infra/faults/index.ts");
  writeFileSync(faults, readFileSync(faults, "utf8").replace(FAULT_LINE, ""));
  // A check of the whole project takes its time, so that one run shows both: nothing else is wrong.
  const errors = typeErrors();
  expect(errors.filter((line) => !line.startsWith("infra/faults/index.ts("))).toEqual([]);
  expect(errors).toContainEqual(expect.stringMatching(/X-01\W+ is missing/));
}, 600_000);
