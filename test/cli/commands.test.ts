/** What an operator types at night: who is red, since when, what it means, and who is to be notified. */
import { beforeAll, describe, expect, test } from "vitest";
import { screenHere } from "../../shared/cli/screen.ts";
import { renderAgents } from "../../shared/cli/views/agents.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import { runHere } from "../support/cli.ts";
import { type ScriptedCanary, slot, useCanaries } from "../support/cycle.ts";
import { rosterOf, slotsOf } from "../support/facts.ts";
import { useServedCanaries } from "../support/served-canary.ts";

const canaryOf = useCanaries();
const served = useServedCanaries();
const OVERBOOKED = slotsOf({ ruby: ["a", "b", "c", "d"].map((id) => slot(id)) });

let canary: ScriptedCanary;
let env: Record<string, string>;
const type = (...args: string[]) => runHere(env, args);
const json = async (...args: string[]) => {
  const { out, err } = await type(...args, "--json");
  expect(err).toBe("");
  return JSON.parse(out);
};

beforeAll(async () => {
  canary = await canaryOf();
  canary.set({ roster: rosterOf({ ruby: {}, opal: {} }), slots: OVERBOOKED });
  await canary.cycle();
  await canary.cycle();
  env = await served({ ...canary.deps, now: Date.now });
});

describe("who is red", () => {
  test("violations say it in the words of the alerts, and their query only with -v", async () => {
    const { out } = await type("violations", "--invariant", "s-02", "--limit", "1");
    expect(out).toMatch(
      /^\d{14} {2}\d+d ago +S-02 {2}critical {2}ruby: 4 slots for a cap of \d+: a, b, c, d$/m,
    );
    expect(out).not.toContain("ZCARD");
    expect((await type("violations", "--invariant", "S-02", "-v")).out).toContain("query: ZCARD");
    const [first] = (await json("violations", "--invariant", "S-02")).violations;
    const one = await type("violation", String(first.id));
    expect(one.out).toMatch(/^violation \d+ {2}S-02 Slot overbooking\n {4}ruby: 4 slots/);
    expect(one.out).toContain('"slot_count": 4');
  });

  test("by agent and by time, as a duration or as an instant", async () => {
    expect((await json("violations", "--agent", "opal")).violations).toEqual([]);
    expect((await json("violations", "--agent", "ruby")).violations).not.toEqual([]);
    expect((await json("violations", "--since", "2h")).violations).toEqual([]);
    expect(
      (await json("violations", "--since", "2026-11-23", "--until", "2026-11-24")).violations,
    ).not.toEqual([]);
    const { code, err } = await type("violations", "--since", "yesterday");
    expect(code).toBe(254);
    expect(err).toBe(
      "--since yesterday is no time: give a duration such as 30m, 2h or 3d, or an instant such as 2026-11-23T10:00:00Z\n",
    );
  });

  test("an agent is named in either word, wherever one can be", async () => {
    for (const option of ["--agent", "--subject"]) {
      expect((await json("violations", option, "opal")).violations).toEqual([]);
      expect((await json("episodes", option, "ruby")).episodes).not.toEqual([]);
      expect((await json("episodes", option, "opal")).episodes).toEqual([]);
      expect((await json("explain", "S-02", option, "ruby")).subject).toBe("ruby");
      for (const command of ["violations", "episodes", "explain", "silence"])
        expect((await type(command, "--help")).out.includes(option)).toBe(option === "--agent");
    }
    const both = await type("episodes", "--agent", "ruby", "--subject", "ruby");
    expect([both.code, both.err]).toEqual([254, expect.stringContaining("cannot be used with")]);
  });

  test("episodes --open is what episodes shows, and of a time only what is open", async () => {
    expect(await json("episodes", "--open")).toEqual(await json("episodes"));
    expect(await json("episodes", "--open", "--since", "2026-11-23")).toEqual(await json("episodes"));
    expect((await type("episodes", "--open", "--all")).code).toBe(254);
  });

  test("episodes: one line for what is open, with how many cycles found it", async () => {
    const { out } = await type("episodes", "--invariant", "s-02");
    expect(out).toMatch(/^✗ S-02 {2}critical {2}ruby {2}for \d+d, 2 cycles; ruby: 4 slots/);
    expect(await json("episodes", "--agent", "ruby")).toMatchObject({
      episodes: expect.arrayContaining([expect.objectContaining({ subject: "ruby", until: null })]),
    });
    expect((await type("episodes", "--agent", "opal")).out).toMatch(/no open episodes|opal/);
  });

  test("agents and one agent: the red ones first, and what to type with its names", async () => {
    expect((await type("agents")).out).toMatch(/\n✗ ruby +red in .*S-02.*\n {2}opal +/);
    const { out } = await type("agent", "ruby");
    expect(out).toContain("is it still so?");
    expect(out).toContain("ZRANGE agent:slots:ruby 0 -1");
    expect(await json("agent", "ruby")).toMatchObject({ name: "ruby" });
    const screen = screenHere();
    const one = {
      name: "opal",
      on_roster: true,
      max_parallel_tasks: 1,
      slots_used: 0,
      running: 0,
      queued: 0,
      red: [],
    };
    expect(renderAgents({ seen_at: null, agents: [one], unread: [], left_out: 0 }, screen)).toContain(
      "0 of 1 slot,",
    );
  });

  test("cycles, newest first, with what each found", async () => {
    const { out } = await type("cycles", "--since", "2026-11-23");
    expect(out).toMatch(/^✗ \d+d ago +schedule +\d+ ms {2}\d+ red: .*S-02/m);
    expect(out).toMatch(/broke .*S-02/);
    expect((await json("cycles", "--since", "2026-11-23")).cycles).toHaveLength(2);
  });
});

describe("a name that is mistyped", () => {
  test.each([
    [["agent", "rubi"], "no agent on the roster is called rubi: did you mean ruby?"],
    [["explain", "S-02", "--subject", "Ruby"], "no agent on the roster is called Ruby: did you mean ruby?"],
    [["explain", "s2"], "there is no invariant s2: did you mean S-02?"],
    [["violations", "--invariant", "S02"], "there is no invariant S02: did you mean S-02?"],
    [["silence", "S_02", "--for", "2h", "--reason", "x"], "there is no invariant S_02: did you mean S-02?"],
    [["cycle", "--invariants", "S-01,X-99"], "there is no invariant X-99; there are H-01"],
    [["violatons", "--help"], "(Did you mean violations?)"],
    [["--env", "prod", "nonsense", "-h"], "unknown command 'nonsense'"],
    [["violatons"], "(Did you mean violations?)"],
    [["violations", "--severity", "Critical"], "Allowed choices are critical, major, minor"],
    [["violation", "S-02"], "S-02 is no id of a violation"],
  ])("canary %j: %s", async (args, message) => {
    const { code, err } = await type(...args);
    expect([code, err.includes(message) || err]).toEqual([254, true]);
  });

  test("an agent that has nothing in a list is an empty list, with the one that may be meant", async () => {
    const { code, out, err } = await type("violations", "--agent", "rubi");
    expect([code, out]).toEqual([0, "no violations\n"]);
    expect(err).toBe("no agent on the roster is called rubi: did you mean ruby?\n");
    expect((await type("violations", "--agent", "opal")).err).toBe("");
  });
});

describe("explain", () => {
  test.each(INVARIANTS.map(({ id }) => id))(
    "%s without a canary: what breaks, what to type, and whether it is safe",
    async (id) => {
      const { code, out, err } = await runHere({}, ["explain", id.toLowerCase()]);
      expect([code, err]).toEqual([0, ""]);
      for (const part of [id, "What breaks", "What to do", "Is that safe?", `docs/runbooks/${id}.md`])
        expect(out).toContain(part);
    },
  );

  const SQLITE = { LIBSQL_URL: "file:/data/trinity.db" };
  const POSTGRES = { DATABASE_URL: "postgres://canary@db.example.com/trinity" };
  test.each<[string, Readonly<Record<string, string>>, readonly string[]]>([
    ["none", {}, ["# on SQLite", "sqlite3", "# on PostgreSQL", "psql"]],
    [
      "none, on purpose",
      { LIBSQL_URL: "none", DATABASE_URL: " " },
      ["# on SQLite", "sqlite3", "# on PostgreSQL", "psql"],
    ],
    ["SQLite", SQLITE, ["sqlite3"]],
    ["PostgreSQL", { ...POSTGRES, LIBSQL_URL: "none" }, ["psql"]],
    [
      "one, and a canary elsewhere",
      { ...SQLITE, CANARY_URL: "https://canary.example.com", CANARY_TOKEN: "x" },
      ["# on SQLite", "sqlite3", "# on PostgreSQL", "psql"],
    ],
  ])(
    "where the variables name %s: its statements alone, or those of both with their names",
    async (_, env, shown) => {
      const { out } = await runHere(env, ["explain", "S-02"]);
      const all = ["# on SQLite", "sqlite3", "# on PostgreSQL", "psql"];
      expect(all.filter((text) => out.includes(text))).toEqual(shown);
    },
  );

  test("with -v: the whole runbook", async () => {
    const { out } = await runHere({}, ["explain", "S-02", "-v"]);
    expect(out).toMatch(/^# S-02/m);
  });

  test("with an agent: the names that were found", async () => {
    const { out } = await type("explain", "S-02", "--subject", "ruby");
    expect(out).toMatch(/^ruby is red for \d+d: ruby: 4 slots/m);
    expect(out).toContain("ZRANGE agent:slots:ruby 0 -1");
    expect(out).not.toContain("<agent>");
    expect((await type("explain", "S-02", "--agent", "opal")).out).toContain(
      "opal is not red, and no violation of it is kept",
    );
    expect((await json("explain", "S-02", "--subject", "ruby")).verify.join("\n")).toContain(
      "agent:slots:ruby",
    );
  });
});

describe("status --exit-code", () => {
  const exitCode = async (some: ScriptedCanary, now: () => number) => {
    const variables = await served({ ...some.deps, now });
    return (await runHere(variables, ["status", "--exit-code"])).code;
  };

  test("red is 1, and without the option a status that could be read is 0", async () => {
    expect((await type("status", "--exit-code")).code).toBe(1);
    expect((await type("status")).code).toBe(0);
    const { invariants } = await json("status", "--exit-code");
    expect(invariants).toHaveLength(INVARIANTS.length);
  });

  test("green that is old is 2, and so is what nobody has checked", async () => {
    const green = await canaryOf();
    expect(await exitCode(green, Date.now)).toBe(2);
    await green.cycle();
    // Its clock is that of the scripts, days ago.
    expect(await exitCode(green, Date.now)).toBe(2);
  });
});

describe("silences", () => {
  test("until it recovers, by somebody; then the list, and its end", async () => {
    const made = await json(
      "silence",
      "s-02",
      "--agent",
      "ruby",
      "--until-recovered",
      "--by",
      "alice",
      "--reason",
      "known",
    );
    expect(made).toMatchObject({ invariant_id: "S-02", subject: "ruby", until: null, until_recovered: true });
    const { out } = await type("silences");
    expect(out).toMatch(/^silence \w{8} {2}S-02 for ruby, ends when it recovers, by .*alice.*: known$/m);
    expect((await type("unsilence", made.id)).out).toBe(`silence ${made.id} has ended\n`);
    expect((await type("silences")).out).toBe("no silences\n");
  });

  test("for a while, and an end has to be given", async () => {
    const made = await type("silence", "S-02", "--for", "2h", "--reason", "resizing");
    expect(made.out).toMatch(/^silence \w{8} {2}S-02, ends in (1h|2h|119 min), by /);
    const { code, err } = await type("silence", "S-02", "--reason", "x");
    expect([code, err]).toEqual([
      254,
      "say when it ends: --for 2h, --until-recovered, or both for whichever is first\n",
    ]);
  });
});

describe("open", () => {
  test.each([
    [[], "/"],
    [["s-02"], "/invariants/S-02"],
    [["ruby"], "/agents/ruby"],
    [["a1"], "/agents/a1"],
    [["S-99"], "/agents/S-99"],
    [["2026-11-23T10:00:00.000Z"], "/cycles/2026-11-23T10%3A00%3A00.000Z"],
    [["cycles"], "/cycles"],
    [["../$(id)"], "/agents/..%2F%24(id)"],
  ])("canary open %j prints the address, and in a pipe nothing else happens", async (what, path) => {
    expect(await type("open", ...what)).toEqual({ code: 0, out: `${env.CANARY_URL}${path}\n`, err: "" });
  });

  test("an agent whose name is like an id can be opened, and the invariant that may be meant is said", async () => {
    const out = `${env.CANARY_URL}/agents/s2\n`;
    const err = "the page of an agent called s2: for the invariant, open S-02\n";
    expect(await type("open", "s2")).toEqual({ code: 0, out, err });
  });

  test("without a canary there is no page", async () => {
    expect(await runHere({}, ["open"])).toMatchObject({
      code: 254,
      err: expect.stringContaining("give --env"),
    });
  });
});
