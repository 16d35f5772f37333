/** What an operator copies from a message does what it says, whatever an agent is called. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  api,
  type Backend,
  type Command,
  docker,
  NOW,
  noted,
  redis,
  remark,
  renderCommand,
  shell,
  sql,
  sqlName,
} from "../../shared/invariants/commands.ts";
import { guidanceOf } from "../../shared/invariants/guidance.ts";
import { findInvariant, INVARIANTS } from "../../shared/invariants/index.ts";
import { isShellWord, shellWord } from "../../shared/shell.ts";
import { ANY_CHARACTER } from "../support/any-text.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "canary-commands-"));
  // Each prints the words that it was given, and does nothing.
  for (const program of ["redis-cli", "sqlite3", "psql", "docker", "curl", "npm"]) {
    const path = join(folder, program);
    writeFileSync(path, `#!/bin/sh\nprintf '%s\\0' "$@"\nprintf 'END\\0'\n`);
    chmodSync(path, 0o755);
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const VARIABLES = {
  TRINITY_REDIS_URL: "redis://:p w'd@127.0.0.1",
  TRINITY_DATABASE: "/data/tri nity.db",
  TRINITY_URL: "https://trinity.example.com",
  TRINITY_TOKEN: "the token",
  TRINITY_BACKEND: "the-backend",
  TRINITY_SCHEDULER: "the-scheduler",
};

/** Has /bin/sh run the lines. Gives the words that each program was called with. */
function wordsOf(lines: readonly string[]): string[][] {
  const output = execFileSync("/bin/sh", ["-e"], {
    input: lines.join("\n"),
    cwd: folder,
    env: { ...VARIABLES, PATH: `${folder}:/usr/bin:/bin` },
    encoding: "utf8",
  });
  // What some of the names would make, if a shell ran them.
  expect(existsSync(join(folder, "pwned"))).toBe(false);
  return output
    .split("END\0")
    .slice(0, -1)
    .map((words) => words.split("\0").slice(0, -1));
}

const BACKENDS: readonly Backend[] = ["sqlite", "postgres"];

const HOSTILE = [
  "",
  "ruby",
  "zoë 🦀",
  "it's",
  'say "hi"',
  "both ' and \"",
  "$(touch pwned)",
  "`touch pwned`",
  "$HOME",
  "a; rm -rf /",
  "a\nb",
  "\nfirst",
  "tab\there",
  "\u001b[31mred",
  "\u202egnp.exe",
  "zero\u200bwidth",
  "-rf",
  "--help",
  "=ls",
  "~root",
  "*?[a]{b,c}",
  "back\\slash",
  "100%s",
  "!!",
  "a # comment",
  "<agent>",
];

const name = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: ANY_CHARACTER, maxLength: 12 }),
  fc.string({ unit: fc.constantFrom(..."'\"$`\\(); \n\t!-%\u0007\u200d"), maxLength: 8 }),
);

describe("a rendered command", () => {
  test("gives the words that it was made of, whatever is in them", () => {
    const lists = fc.array(fc.array(name, { maxLength: 4 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(lists, (commands) => {
        const possible = commands.filter((words) => words.every(isShellWord));
        const lines = possible.map((words) => renderCommand(redis("ZREM", ...words), "sqlite"));
        for (const line of lines) expect(line).not.toMatch(/[\p{Cc}\u202e\u200b]/u);
        expect(wordsOf(lines)).toEqual(
          possible.map((words) => ["-u", VARIABLES.TRINITY_REDIS_URL, "ZREM", ...words]),
        );
      }),
      { numRuns: 15 },
    );
  });

  test("holds a value of SQL as it is, also between the quotes of a shell", () => {
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 20 }), (names) => {
        const possible = names.filter(isShellWord);
        const calls = wordsOf(possible.map((one) => renderCommand(sql`SELECT ${one} AS name`, "sqlite")));
        const database = new DatabaseSync(":memory:");
        const read = calls.map((words) => database.prepare(words.at(-1)!).get()?.name);
        database.close();
        expect(read).toEqual(possible);
      }),
      { numRuns: 15 },
    );
  });

  test("is left out where no shell can hand over a name", () => {
    // A line break at the end of a value stands inside of the statement, and is handed over.
    for (const impossible of ["a\0b", "half \ud800", "ends with\n"])
      for (const command of [
        redis("ZREM", "key", impossible),
        sql`SELECT ${`${impossible}`}`,
        docker("top", impossible),
      ])
        if (!(command.on === "sql" && impossible.endsWith("\n")))
          for (const backend of BACKENDS) expect(renderCommand(command, backend)).toMatch(/^# left out: /);
    for (const segment of ["", ".", ".."])
      expect(renderCommand(api("GET", ["agents", segment, "schedules"]), "sqlite")).toMatch(/^# left out: /);
  });

  test("reads well where the name is an ordinary one", () => {
    expect(renderCommand(redis("ZREM", "agent:slots:ruby", "exec-1"), "sqlite")).toBe(
      'redis-cli -u "$TRINITY_REDIS_URL" ZREM agent:slots:ruby exec-1',
    );
    const look = sql`SELECT status FROM schedule_executions WHERE id = ${"exec-1"}`;
    expect(renderCommand(look, "sqlite")).toBe(
      `sqlite3 -cmd '.timeout 5000' -header -readonly "$TRINITY_DATABASE" "SELECT status FROM schedule_executions WHERE id = 'exec-1'"`,
    );
    expect(renderCommand(look, "postgres")).toBe(
      `psql -X -q -P pager=off -v ON_ERROR_STOP=1 -d "$TRINITY_DATABASE" -c 'BEGIN READ ONLY' -c "SELECT status FROM schedule_executions WHERE id = 'exec-1'"`,
    );
    expect(renderCommand(docker("restart", { variable: "TRINITY_BACKEND" }), "sqlite")).toBe(
      'docker restart "$TRINITY_BACKEND"',
    );
    expect(renderCommand(shell("date", "+%s"), "sqlite")).toBe("date +%s");
    const put = api("PUT", ["agents", "ru by", "schedules", "s1"], { enabled: false });
    expect(renderCommand(put, "sqlite")).toBe(
      `curl -fsS -X PUT -H "Authorization: Bearer $TRINITY_TOKEN" -H 'Content-Type: application/json' -d '{"enabled":false}' "$TRINITY_URL"/api/agents/ru%20by/schedules/s1`,
    );
    expect(renderCommand(remark("nothing to do"), "sqlite")).toBe("# nothing to do");
  });

  test("takes addresses and tokens from the shell's variables, with a space in them too", () => {
    const calls = wordsOf([
      renderCommand(sql`SELECT 1`, "sqlite"),
      renderCommand(sql`SELECT 1`, "postgres"),
      renderCommand(api("GET", ["agents", "ruby", "schedules"]), "sqlite"),
      renderCommand(docker("logs", { variable: "TRINITY_SCHEDULER" }), "sqlite"),
    ]);
    expect(calls).toEqual([
      ["-cmd", ".timeout 5000", "-header", "-readonly", VARIABLES.TRINITY_DATABASE, "SELECT 1"],
      [
        ...["-X", "-q", "-P", "pager=off", "-v", "ON_ERROR_STOP=1", "-d", VARIABLES.TRINITY_DATABASE],
        ...["-c", "BEGIN READ ONLY", "-c", "SELECT 1"],
      ],
      [
        "-fsS",
        "-H",
        `Authorization: Bearer ${VARIABLES.TRINITY_TOKEN}`,
        "https://trinity.example.com/api/agents/ruby/schedules",
      ],
      ["logs", "the-scheduler"],
    ]);
  });

  test("opens the database for writing only where it writes", () => {
    const update = sql`UPDATE t SET at = ${NOW} WHERE id IN (${["a", "b"]})`;
    expect(renderCommand(update, "sqlite")).toBe(
      `sqlite3 -cmd '.timeout 5000' -header "$TRINITY_DATABASE" "UPDATE t SET at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id IN ('a', 'b')"`,
    );
    expect(renderCommand(update, "postgres")).toBe(
      `psql -X -P pager=off -v ON_ERROR_STOP=1 -d "$TRINITY_DATABASE" -c "UPDATE t SET at = replace(to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), ' ', 'T') || 'Z' WHERE id IN ('a', 'b')"`,
    );
  });

  test("finds nothing where there is nothing to look for, and is no error", () => {
    for (const backend of BACKENDS)
      expect(renderCommand(sql`SELECT 1 WHERE 'a' IN (${[]})`, backend)).toContain("IN (NULL)");
  });

  test("names no table that is not the platform's", () => {
    expect(renderCommand(sql`SELECT 1 FROM ${sqlName("agent_tags")}`, "sqlite")).toMatch(/FROM agent_tags'$/);
    expect(() => sqlName("agent_tags; DROP TABLE agent_ownership")).toThrow(RangeError);
  });
});

test("a word is quoted only where a shell would change it", () => {
  expect(shellWord("agent:slots:ruby")).toBe("agent:slots:ruby");
  expect(shellWord("")).toBe("''");
  expect(shellWord("a b")).toBe("'a b'");
  expect(shellWord("it's")).toBe(`"it's"`);
  expect(shellWord("it's $5")).toBe(`'it'\\''s $5'`);
  expect(shellWord("a\nb")).toBe(`"$(printf 'a\\012b')"`);
});

/** All states that the invariants' files give as examples, with this in place of every name. */
function observedWith(text: string): { id: string; observed: Record<string, unknown> }[] {
  const replaced = (value: unknown): unknown => {
    if (typeof value === "string") return value.replaceAll(/<[a-z_ ]+>/g, () => text);
    if (Array.isArray(value)) return value.map(replaced);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, replaced(field)]));
  };
  return INVARIANTS.flatMap(({ id, example, otherExamples = [] }) =>
    [example, ...otherExamples].map((observed) => ({
      id,
      observed: replaced(observed) as Record<string, unknown>,
    })),
  );
}

describe("the guidance of every invariant", () => {
  const commandsOf = (id: string, observed: Record<string, unknown>): readonly Command[] => {
    const invariant = findInvariant(id)!;
    return [...invariant.verify(observed), ...invariant.fix(observed)];
  };

  test("has something to look at and something to do, and an example of each way in which it is red", () => {
    for (const invariant of INVARIANTS) {
      const { verify, fix } = guidanceOf(invariant, null, null);
      expect(verify.filter((line) => !line.startsWith("#")).length, invariant.id).toBeGreaterThan(0);
      expect(fix.length, invariant.id).toBeGreaterThan(0);
    }
  });

  test("looks only, until it comes to the fix", () => {
    const reads = {
      redis: /^(--scan|TTL|HGETALL|ZSCORE|ZRANGE|GET|DBSIZE)$/,
      docker: /^(ps|top|logs|exec|-H)$/,
      shell: /^(npm|date)$/,
    };
    for (const invariant of INVARIANTS)
      for (const { id, observed } of observedWith("ruby").filter((one) => one.id === invariant.id))
        for (const command of invariant.verify(observed)) {
          if (command.on === "sql") {
            expect(renderCommand(command, "sqlite"), id).toContain(" -readonly ");
            expect(renderCommand(command, "postgres"), id).toContain(" -c 'BEGIN READ ONLY' -c ");
          } else if (command.on === "api") expect(command.method, id).toBe("GET");
          else if (command.on !== "nothing") expect(command.words[0], id).toMatch(reads[command.on]);
        }
  });

  test("says nothing in a note that a shell would act on", () => {
    for (const { id, observed } of observedWith("$(touch pwned)'"))
      for (const command of commandsOf(id, observed))
        if ("note" in command && command.note) expect(command.note, id).toMatch(/^[\w ,.:-]+$/);
  });

  test.each(["ruby", 'it\'s "$HOME"', "$(touch pwned)`id`", "a\nb\u001b[31m", "-rf; --help", "zoë 🦀 %s\\"])(
    "stays what it is for the name %j",
    (hostile) => {
      // Of a database that is not known, each statement is there for both.
      for (const { id, observed } of observedWith(hostile)) {
        const { verify, fix } = guidanceOf(findInvariant(id)!, observed, null);
        for (const line of [...verify, ...fix]) expect(line, id).not.toMatch(/[\p{Cc}\u202e\u200b]/u);
      }
      const lines = observedWith(hostile).flatMap(({ id, observed }) => {
        const { verify, fix } = guidanceOf(findInvariant(id)!, observed, null);
        return [...verify, ...fix].filter((line) => !line.startsWith("date "));
      });
      const calls = wordsOf(lines);
      expect(calls).toHaveLength(lines.filter((line) => !line.startsWith("#")).length);
      expect(calls).toContainEqual([
        "-u",
        VARIABLES.TRINITY_REDIS_URL,
        "ZREM",
        `agent:slots:${hostile}`,
        hostile,
      ]);
    },
  );

  test("writes into no row that has moved on", () => {
    for (const { id, observed } of observedWith("ruby"))
      for (const command of commandsOf(id, observed).filter(({ on }) => on === "sql"))
        for (const backend of BACKENDS) {
          const line = renderCommand(command, backend);
          if (line.includes("UPDATE ")) expect(line, id).toMatch(/ AND status (= |IN )/);
          if (line.includes("DELETE "))
            expect(line, id).toContain("NOT EXISTS (SELECT 1 FROM agent_ownership");
        }
  });

  test("of a state that an older version stored has placeholders at least", () => {
    for (const invariant of INVARIANTS)
      for (const stored of [{}, { agent_name: "ruby" }, { agent_name: 7, tables_hit: ["x'; --"] }]) {
        const { verify, fix } = guidanceOf(invariant, stored, "postgres");
        expect(verify.length + fix.length, invariant.id).toBeGreaterThan(0);
      }
  });

  test("takes a queue that an older version found without a mode for one that the platform drains", () => {
    const { mode, ...stored } = findInvariant("B-02")!.example;
    expect(mode).toBe("push");
    expect(guidanceOf(findInvariant("B-02")!, stored, "sqlite").fix.at(-1)).toBe(
      'docker restart "$TRINITY_BACKEND"',
    );
  });

  test("gives commands for the first ids of many, and no more", () => {
    const ids = Array.from({ length: 500 }, (_, i) => `run-${i}`);
    const { fix } = guidanceOf(
      findInvariant("S-02")!,
      {
        ...findInvariant("S-02")!.example,
        agent_name: "ruby",
        slot_ids: ids,
      },
      "sqlite",
    );
    expect(fix.filter((line) => line.includes(" ZREM "))).toHaveLength(10);
  });

  test("is for the platform's own database; where that is not known, for each, and says which is which", () => {
    const programsOf = (backend: Backend | null) => {
      const { verify, fix } = guidanceOf(findInvariant("E-01")!, null, backend);
      return [...verify, ...fix].flatMap((line) => /^(sqlite3|psql|# on \w+)/.exec(line)?.[0] ?? []);
    };
    expect(new Set(programsOf("sqlite"))).toEqual(new Set(["sqlite3"]));
    expect(new Set(programsOf("postgres"))).toEqual(new Set(["psql"]));
    expect(programsOf(null).slice(0, 4)).toEqual(["# on SQLite", "sqlite3", "# on PostgreSQL", "psql"]);
  });

  test("fits into an alert for a run with a long name, also on PostgreSQL", () => {
    const id = "0f8fad5b-d9cb-469f-a165-70867728950e";
    const observed = {
      ...findInvariant("E-01")!.example,
      agent_name: "customer-support-triage-eu-west",
      execution_id: id,
    };
    for (const backend of BACKENDS)
      for (const line of guidanceOf(findInvariant("E-01")!, observed, backend).fix)
        expect(line.length, line).toBeLessThanOrEqual(500);
  });

  test("keeps a note with its command, also where another command has the same", () => {
    const note = noted("look twice", redis("GET", "a"));
    const invariant = {
      ...INVARIANTS[0]!,
      example: {},
      verify: () => [note, noted("look twice", redis("GET", "b"))],
    };
    expect(guidanceOf(invariant, {}, "sqlite").verify.map((line) => line.split(" ").at(-1))).toEqual([
      "twice",
      "a",
      "twice",
      "b",
    ]);
  });
});

test.each(["E-01", "E-02", "E-05"])(
  "%s gives a slot back only where its row was changed, and says so",
  (id) => {
    const invariant = INVARIANTS.find((one) => one.id === id)!;
    const { fix } = guidanceOf(invariant, invariant.example, "sqlite");
    const note = fix.indexOf("# the next two lines only where a row was printed");
    expect(fix.slice(note + 1).map((line) => /ZREM|DEL/.exec(line)?.[0])).toEqual(["ZREM", "DEL"]);
    expect(invariant.safe).toMatch(/slot .*only where a row was printed/);
  },
);
