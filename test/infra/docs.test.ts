import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { DOCUMENTS, GROUPS } from "../../infra/docs.ts";
import { SETTINGS } from "../../infra/environments.ts";
import type { VariableTable } from "../../shared/config/variable.ts";
import type { Readings } from "../../shared/facts/facts.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import { SOURCES } from "../../shared/sources/index.ts";
import type { SourceSpec } from "../../shared/sources/source.ts";
import { whyOff } from "../../shared/verdict/evaluate.ts";

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));

test.each(Object.entries(DOCUMENTS))(
  "docs/%s is what the code says (npm run docs writes it)",
  (name, page) => {
    expect(readFileSync(`${PROJECT}docs/${name}`, "utf8")).toBe(page());
  },
);

describe("a source that is left out on purpose", () => {
  const first = ({ variables }: SourceSpec) => Object.values(variables)[0]!.name;
  const rowOf = (page: string, start: string) =>
    page.split("\n").find((line) => line.startsWith(`| ${start}`)) ?? "";

  test.each((SOURCES as readonly SourceSpec[]).map((source) => [first(source), source] as const))(
    "%s names what a cycle does not run then",
    (variable, { name, gives }) => {
      const off = { read: false, reason: `${name}: off`, off: true } as const;
      const readings: Readings = Object.fromEntries(gives.map((fact) => [fact, off]));
      const ids = INVARIANTS.filter((invariant) => whyOff(invariant, readings) !== null).map(({ id }) => id);
      const row = rowOf(DOCUMENTS["configuration.md"](), `\`${variable}\``);
      expect(row).toMatch(new RegExp(`\\. \`none\` leaves out ${ids.join(", ")} \\|$`));
    },
  );

  test("is no longer said to be merely used by an invariant that is not run without it", () => {
    const cells = (id: string) => {
      const [, table = ""] = DOCUMENTS["invariants.md"]().split("### What each invariant needs");
      return rowOf(table, `[${id}]`)
        .split("|")
        .map((cell) => cell.trim());
    };
    expect(cells("B-08").slice(3, 5)).toEqual(["containers (list, inspect)", ""]);
    expect(cells("H-01").slice(2, 4)).toEqual(["the canary's memory", "`agent_ownership`"]);
    expect(cells("H-01")[4]).not.toContain("agent_ownership");
    expect(cells("S-02").slice(3, 5)).toEqual(["", ""]);
  });
});

describe("every variable", () => {
  const tables: readonly VariableTable[] = Object.values(GROUPS).flat();
  const names = tables.flatMap((table) => Object.values(table).map(({ name }) => name));

  test("is said once", () => {
    expect(names).toEqual([...new Set(names)]);
  });

  test("that an environment's setting becomes is in a table", () => {
    expect(names).toEqual(expect.arrayContaining([...SETTINGS.keys()]));
  });

  /** Variables of others: the AWS SDK, Node, and whatever starts the canary. */
  const FOREIGN = /^(AWS_|NODE_|LD_|PATH )/;

  test("that the code reads is in a table", () => {
    const files = ["shared", "functions", "infra"].flatMap((folder) =>
      readdirSync(PROJECT + folder, { recursive: true, encoding: "utf8" })
        .filter((file) => /\.(ts|tsx|mjs)$/.test(file))
        .map((file) => `${folder}/${file}`),
    );
    expect(files.length).toBeGreaterThan(100);
    const read = files.flatMap((file) => {
      const source = readFileSync(`${PROJECT}${file}`, "utf8");
      return [...source.matchAll(/\benv(?:\.|\[")([A-Z][A-Z0-9_]*)/g)].map(
        ([, name]) => `${name} in ${file}`,
      );
    });
    expect(read.filter((use) => !FOREIGN.test(use) && !names.includes(use.split(" ")[0]!))).toEqual([]);
    // Variables are declared in tables only.
    const declared = files.flatMap((file) => {
      const source = readFileSync(`${PROJECT}${file}`, "utf8");
      return [
        ...source.matchAll(/\b(?:text|token|wholeNumber|oneOf|onOff|address|pem)\(\s*"([A-Z][A-Z0-9_]+)"/g),
      ];
    });
    expect(names).toEqual(expect.arrayContaining(declared.map(([, name]) => name)));
  });
});
