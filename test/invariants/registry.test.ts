import { describe, expect, test } from "vitest";
import type { FactName, Facts, Readings } from "../../shared/facts/facts.ts";
import { DATABASE_FACTS, REDIS_FACTS } from "../../shared/facts/trust.ts";
import { INVARIANT_IDS, INVARIANTS } from "../../shared/invariants/index.ts";
import { type Invariant, invariant } from "../../shared/invariants/invariant.ts";
import { evaluate, whyOff } from "../../shared/verdict/evaluate.ts";
import {
  AGENT,
  container,
  containersOf,
  countsOf,
  executionsOf,
  finished,
  judge,
  msAgo,
  orphansOf,
  queued,
  readBetween,
  readingsOf,
  recordOf,
  rememberedOf,
  rosterOf,
  running,
  runningContainer,
  schedule,
  secondsAgo,
  slot,
  slotsOf,
  violationsOf,
  zombiesOf,
} from "../support/facts.ts";

/** The letters of the ids, in the order of the registry. */
const LETTERS = "HSELBGR";

/** One night on which everything went wrong at once for three agents and a ghost. */
const disaster: Partial<Facts> = {
  roster: rosterOf({
    [AGENT]: { maxParallelTasks: 1, executionTimeoutSeconds: 60 },
    ada: { maxParallelTasks: 2, executionTimeoutSeconds: 60 },
    cal: {},
  }),
  executions: executionsOf([
    running("stuck", { ageSeconds: 7200, hasSession: false }),
    queued("waiting", { agent: "ada", waitedSeconds: 900 }),
  ]),
  slots: slotsOf({
    [AGENT]: [slot("leak-1"), slot("leak-2", { ttlSeconds: -2 })],
    ada: [slot("brief", { ttlSeconds: 5, timeoutSeconds: 60 })],
  }),
  orphans: orphansOf({ ghost: { rows: { agent_tags: 2 } } }),
  queueCounts: countsOf({ ada: 7 }),
  drainTick: { atSeconds: secondsAgo(900) },
  zombies: zombiesOf([container([11, 12, 13])]),
  containers: containersOf([runningContainer({ agent: "cal", isPullMode: true, poolSize: 3 })]),
  pullPolls: new Map([["cal", secondsAgo(400)]]),
  finishedRuns: rememberedOf({ stuck: "success" }),
  endedWithoutTime: [finished("untimed", { status: "failed", startedSecondsAgo: 30, endedSecondsAgo: null })],
  endedBeforeStart: [finished("backward", { startedSecondsAgo: 30, endedSecondsAgo: 45 })],
  backlogDefects: [{ id: "waiting", agent: "ada", defect: "queued_at_null" }],
  credentialsInQueue: [{ id: "waiting", agent: "ada", pattern: "ghp" }],
  schedules: [schedule("nightly", { agent: "ada", overdueSeconds: 7200 })],
};

/** Where the canary looks at another place than the platform's, the rest of that night can't be seen. */
const ELSEWHERE: Record<string, Partial<Facts>> = {
  "H-01": { roster: rosterOf({}), rosterDoubtSince: msAgo(300) },
  "H-02": { ...disaster, executions: executionsOf([]), newestStart: msAgo(5430) },
  "H-03": {
    executions: executionsOf([running("run-1"), running("run-2", { agent: "ada" })]),
    slots: slotsOf({}),
    drainTick: { atSeconds: null },
    platformKeys: { hasSlotKey: false, hasHeartbeat: false },
  },
};
/** The platform on which that invariant is red. */
const worstFor = (id: string) => ELSEWHERE[id] ?? disaster;

/** What an alert of that night says, by invariant. */
const TEXTS: Record<string, { summary: string; first: string }> = {
  "H-01": {
    summary: "the roster has no agents that can be read (roster_empty_contradicted), other sources name 1",
    first:
      "roster_empty_contradicted since 2026-11-23T11:55:00.000Z; 1 agent by Docker and Redis: cornelius-m",
  },
  "H-02": {
    summary: "slots come and rows don't: 3 slots of 2 agents without a row in this database",
    first:
      "3 slots of 2 agents without a row in this database; newest slot 2026-11-23T11:59:30.000Z, newest row 2026-11-23T10:29:30.000Z: ada/brief, cornelius-m/leak-1, cornelius-m/leak-2",
  },
  "H-03": {
    summary: "2 dispatched runs of 2 agents, and Redis has no key of the platform",
    first: "2 dispatched runs of 2 agents and no key of the platform in Redis: ada/run-2, cornelius-m/run-1",
  },
  "S-01": {
    summary:
      "3 slots without a running row and 1 running row without a slot across 2 agents: ada, cornelius-m",
    first: "ada: 1 slot, 0 running rows; in Redis only: brief; in SQL only: none",
  },
  "S-02": {
    summary: "1 slot above the cap across 1 agent: cornelius-m",
    first: "cornelius-m: 2 slots for a cap of 1: leak-1, leak-2",
  },
  "S-03": {
    summary: "2 slots with a wrong life (1 missing, 1 below_floor) across 2 agents: ada, cornelius-m",
    first: "ada/brief: below_floor, TTL 5 s, floor 360 s (from the slot)",
  },
  "E-01": {
    summary: "1 run past timeout and buffer across 1 agent: cornelius-m",
    first: "cornelius-m/stuck: running for 7200 s, allowed 60 s (by the agent) + 300 s",
  },
  "E-02": {
    summary: "1 finished run came back to life across 1 agent: cornelius-m",
    first: "cornelius-m/stuck: was success, is running",
  },
  "E-05": {
    summary: "1 running row without a session across 1 agent: cornelius-m",
    first: "cornelius-m/stuck: no session after 7200 s",
  },
  "E-03": {
    summary: "1 ended run without completed_at across 1 agent: cornelius-m",
    first: "cornelius-m/untimed: failed, started at 2026-11-23T11:59:30.000Z, without completed_at",
  },
  "E-04": {
    summary: "1 queued row that can't be drained across 1 agent: ada",
    first: "ada/waiting: queued_at_null",
  },
  "E-06": {
    summary: "1 overdue schedule across 1 agent: ada",
    first: "ada/nightly: was due at 2026-11-23T10:00:00.000Z, 7200 s ago",
  },
  "G-03": {
    summary: "1 run ended before it started across 1 agent: cornelius-m",
    first: "cornelius-m/backward: success, ended 15 s before it started",
  },
  "G-04": {
    summary: "1 queued row with what looks like a credential across 1 agent: ada",
    first: "ada/waiting: matches the pattern ghp",
  },
  "L-03": {
    summary: "2 rows and 0 slots of 1 agent that does not exist: ghost",
    first: "ghost: 2 rows and 0 slots in agent_tags",
  },
  "B-01": {
    summary: "the queue accessor is wrong for 1 agent: ada",
    first: "ada: the accessor says 7, 1 row is queued: waiting",
  },
  "B-02": {
    summary: "1 queued run waits beside free slots across 1 agent, the last drain was 900 s ago: ada",
    first: "ada: 1 queued, 1 of 2 slots taken, last drain 900 s ago",
  },
  "B-08": {
    summary: "the pull workers of 1 agent are missing or silent: cal",
    first: "cal: 3 of 3 workers idle, and none asked for work for 400 s",
  },
  "R-01": {
    summary: "3 zombie claude processes across 1 agent: cornelius-m",
    first: "cornelius-m: 3 zombies, pid 11, 12, 13",
  },
};

const byId = (id: string): Invariant => INVARIANTS.find((i) => i.id === id)!;

describe("the registry", () => {
  test("is in the order in which they are run and shown: by letter, then by number", () => {
    const places = INVARIANT_IDS.map((id) => LETTERS.indexOf(id[0]!) * 100 + Number(id.slice(2)));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(Math.min(...places)).toBeGreaterThan(0);
  });

  test.each(INVARIANT_IDS)(
    "%s tells an operator what it is, what breaks, what to do and what that does",
    (id) => {
      const { title, impact, runbook, safe } = byId(id);
      for (const text of [title, impact, runbook, safe]) expect(text.trim().length).toBeGreaterThan(5);
      for (const text of [impact, runbook, safe]) expect(text).toMatch(/\.$/);
    },
  );

  test.each(INVARIANT_IDS)("%s says so in words, not in names of fields", (id) => {
    const { title, impact, runbook, safe } = byId(id);
    for (const text of [title, impact, runbook, safe]) expect(text).not.toMatch(/[a-z]_[a-z]/);
  });

  test.each(INVARIANT_IDS)("%s counts one thing as one, and two as two", (id) => {
    const { example, otherExamples = [], summarize, explain } = byId(id);
    const found = (subject: string) => ({ subject, keys: [subject], signalQuery: "", observed: example });
    const texts = [
      summarize([found("ruby")]),
      summarize([found("ruby"), found("ada")]),
      ...[example, ...otherExamples].map((observed) => explain(observed)),
    ];
    for (const text of texts) {
      expect(text).not.toMatch(/\(e?s\)|undefined|NaN/);
      expect(text).not.toMatch(
        /\b1 (agents|slots|rows|runs|workers|zombies|schedules|queued rows|running rows)\b/,
      );
      expect(text).not.toMatch(/\b(0|[2-9]|[1-9]\d+) (agent|slot|row|run|worker|schedule|running row)\b/);
    }
  });

  test("no two share a title, an impact or a runbook", () => {
    for (const part of ["title", "impact", "runbook"] as const)
      expect(new Set(INVARIANTS.map((i) => i[part])).size).toBe(INVARIANTS.length);
  });

  test("each reads what it rests on: with one of these unread it must not judge", () => {
    expect(Object.fromEntries(INVARIANTS.map((i) => [i.id, [...i.reads].sort()]))).toEqual({
      "H-01": ["rosterDoubtSince"],
      "H-02": ["executions", "finishedRuns", "newestStart", "roster", "slots"],
      "H-03": ["executions", "platformKeys"],
      "S-01": ["executions", "platformSettings", "roster", "slots"],
      "S-02": ["roster", "slots"],
      "S-03": ["roster", "slots"],
      "E-01": ["executions", "roster", "slots"],
      "E-02": ["ended", "executions", "finishedRuns", "pendingRetries"],
      "E-03": ["endedWithoutTime", "roster"],
      "E-04": ["backlogDefects", "executions"],
      "E-05": ["executions", "sessions"],
      "E-06": ["roster", "schedules"],
      "L-03": ["orphans", "roster", "slots"],
      "B-01": ["executions", "queueCounts", "roster"],
      "B-02": ["drainTick", "executions", "platformSettings", "pullPolls", "roster", "slots"],
      "B-08": ["executions", "pullPolls", "roster"],
      "G-03": ["endedBeforeStart", "roster"],
      "G-04": ["credentialsInQueue", "executions"],
      "R-01": ["roster", "zombieSightings", "zombies"],
    });
  });

  test("some can do without a fact, and say what they miss by it", () => {
    const optional = INVARIANTS.filter((i) => i.optional).map((i) => [i.id, [...i.optional!].sort()]);
    expect(Object.fromEntries(optional)).toEqual({
      "H-01": ["containers", "roster", "slots"],
      "H-02": ["newestSlotSeen"],
      "B-02": ["containers"],
      "B-08": ["containers"],
    });
  });

  test("every invariant whose facts come from more than one source, read or clock is confirmed", () => {
    // H-01 has to hold for a minute instead; E-02 compares with what earlier cycles saw; the others are read at one instant.
    expect(INVARIANTS.filter((i) => !i.confirm).map((i) => i.id)).toEqual([
      "H-01",
      "E-02",
      "E-03",
      "E-04",
      "G-03",
      "G-04",
    ]);
  });

  test("what makes the canary read secrets is off by default, and nothing else", () => {
    expect(INVARIANTS.filter((i) => i.isOffByDefault).map((i) => i.id)).toEqual(["G-04"]);
  });

  test("only the H's say that a source is not the platform's, each of the source that it judges", () => {
    expect(INVARIANTS.filter((i) => i.discredits).map((i) => [i.id, i.discredits!.facts])).toEqual([
      ["H-01", DATABASE_FACTS],
      ["H-02", DATABASE_FACTS],
      ["H-03", REDIS_FACTS],
    ]);
  });
});

describe("a new invariant", () => {
  const nothing = { subjects: [], unseen: [], findings: [] };
  const spec = {
    id: "X-01",
    title: "Example",
    tier: "A",
    severity: "minor",
    impact: "Nothing.",
    safe: "It is.",
    example: {},
    confirm: false,
    summarize: () => "",
    explain: () => "",
    verify: () => [],
    fix: () => [],
  } as const;

  test("gets the facts that it reads, unwrapped, with their times, and no others (or it does not compile)", () => {
    let got: unknown;
    const example = invariant({
      ...spec,
      runbook: "None.",
      reads: ["roster", "slots"],
      check(facts, { times }) {
        // @ts-expect-error: a fact that is not named in `reads`
        got = { facts, times, other: facts.executions };
        return nothing;
      },
    });
    judge(example, disaster);
    expect(got).toEqual({
      facts: { roster: disaster.roster, slots: disaster.slots },
      times: { roster: readBetween(0, 0), slots: readBetween(0, 0) },
      other: undefined,
    });
  });

  test("without a part of it, it does not compile", () => {
    // @ts-expect-error: there is no runbook
    expect(invariant({ ...spec, reads: ["roster"], check: () => nothing }).runbook).toBeUndefined();
  });

  test("that finds its facts unfit for a verdict says why", () => {
    const example = invariant({
      ...spec,
      runbook: "None.",
      reads: ["roster"],
      check: () => "the moon is full",
    });
    expect(judge(example)).toMatchObject({
      status: "unknown",
      reason: "the moon is full",
      coverage: { isWhole: false },
    });
  });
});

describe("one cycle", () => {
  test("a clean platform: all green, no violation", () => {
    for (const invariant of INVARIANTS)
      expect([invariant.id, judge(invariant).status, violationsOf(judge(invariant))]).toEqual([
        invariant.id,
        "green",
        [],
      ]);
  });

  test.each(Object.keys(TEXTS))("%s says what went wrong, all in one line and each finding in one", (id) => {
    const { findings, invariant } = judge(byId(id), worstFor(id));
    expect(invariant.summarize(findings)).toBe(TEXTS[id]?.summary);
    expect(invariant.explain(findings[0]!.observed)).toBe(TEXTS[id]?.first);
    for (const finding of findings) {
      const line = invariant.explain(finding.observed);
      expect(line.toLowerCase()).toContain(finding.subject.toLowerCase());
      expect(line).not.toMatch(/undefined|NaN|\[object|\n/);
    }
  });

  test("a B-02 summary says when the drain never ran", () => {
    const { findings, invariant } = judge(byId("B-02"), { ...disaster, drainTick: { atSeconds: null } });
    expect(invariant.summarize(findings)).toBe(
      "1 queued run waits beside free slots across 1 agent, the drain never ran: ada",
    );
    expect(invariant.explain(findings[0]!.observed)).toContain("last drain never");
  });

  test("a summary names five agents and counts the others", () => {
    const agents = ["g", "f", "e", "d", "c", "b", "a"];
    const { findings, invariant } = judge(byId("R-01"), {
      roster: rosterOf(Object.fromEntries(agents.map((agent) => [agent, {}]))),
      zombies: zombiesOf(agents.map((agent) => container([1], { agent, containerId: agent }))),
    });
    expect(invariant.summarize(findings)).toBe(
      "7 zombie claude processes across 7 agents: a, b, c, d, e and 2 more",
    );
  });

  test("a check that throws is unknown with its error, and the others go on", () => {
    const crashing: Invariant = {
      ...byId("S-02"),
      check: () => {
        throw new TypeError("Cannot read properties of undefined (reading 'size')");
      },
    };
    const verdicts = INVARIANTS.map((i) => judge(i.id === "S-02" ? crashing : i, worstFor(i.id)));
    expect(verdicts.map((v) => `${v.invariant.id} ${v.status}`)).toEqual(
      INVARIANT_IDS.map((id) => `${id} ${id === "S-02" ? "unknown" : "red"}`),
    );
    const crashed = verdicts.find((v) => v.invariant.id === "S-02")!;
    expect(recordOf(crashed)).toEqual({
      status: "unknown",
      checked: 0,
      unseen: [],
      reason: "the check failed: Cannot read properties of undefined (reading 'size')",
    });
    expect(crashed.coverage.isWhole).toBe(false);
  });

  test("the roster unread: every check that needs it is unknown, the rest still judge", () => {
    const readings = {
      ...readingsOf(disaster),
      roster: { read: false, reason: "sqlite: no answer" } as const,
    };
    const statuses = INVARIANTS.map((i) => [i.id, evaluate(i, readings).status]);
    expect(statuses.filter(([, status]) => status !== "unknown")).toEqual([
      ["H-03", "green"],
      ["E-02", "red"],
      ["E-04", "red"],
      ["E-05", "red"],
      ["G-04", "red"],
    ]);
  });

  test("a heartbeat that is not a number blinds B-02 and no other", () => {
    const reason = 'redis.drain_tick: "nan" is not a time in seconds';
    const drainTick = { read: false, reason } as const;
    for (const invariant of INVARIANTS)
      expect(evaluate(invariant, { ...readingsOf(worstFor(invariant.id)), drainTick })).toMatchObject(
        invariant.id === "B-02" ? { status: "unknown", reason } : { status: "red" },
      );
  });

  test("a source left out on purpose turns off the invariants that read it, a failed one does not", () => {
    const unread = (facts: readonly FactName[], why: { readonly off?: true } = {}) => ({
      ...readingsOf(),
      ...Object.fromEntries(facts.map((fact) => [fact, { read: false, reason: "not read", ...why }])),
    });
    const turnedOff = (readings: Readings) =>
      INVARIANTS.filter((i) => whyOff(i, readings) === "not read").map(({ id }) => id);
    const docker: readonly FactName[] = ["zombies", "containers"];
    expect(turnedOff(unread(docker, { off: true }))).toEqual(["B-08", "R-01"]);
    expect(turnedOff(unread(REDIS_FACTS, { off: true }))).toEqual([
      ...["H-02", "H-03", "S-01", "S-02", "S-03", "E-01", "L-03", "B-02", "B-08"],
    ]);
    // Without the database there is no roster: no invariant is left but one that reads none of it.
    expect(turnedOff(unread(DATABASE_FACTS, { off: true }))).toEqual(INVARIANT_IDS);
    for (const facts of [docker, REDIS_FACTS, DATABASE_FACTS]) expect(turnedOff(unread(facts))).toEqual([]);
  });
});
