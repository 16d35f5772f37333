import { describe, expect, test } from "vitest";
import type { Facts, Reading, Readings } from "../../shared/facts/facts.ts";
import { rosterBlindness as H01 } from "../../shared/invariants/h-01-roster-blindness.ts";
import { evaluate, whyOff } from "../../shared/verdict/evaluate.ts";
import { toViolation } from "../../shared/wire/serialize.ts";
import {
  AGENT,
  containersOf,
  msAgo,
  readingsOf,
  recordOf,
  rosterOf,
  runningContainer,
  SNAPSHOT_TIME,
  slot,
  slotsOf,
  testUnreadFacts,
} from "../support/facts.ts";

testUnreadFacts(H01);

test("H-01 is of tier A, critical", () => {
  expect(H01).toMatchObject({ tier: "A", severity: "critical" });
});

const UNREAD = { read: false, reason: "no answer within 5000 ms" } as const;
const OFF = { read: false, reason: "left out", off: true } as const;
type Unread = Extract<Reading<unknown>, { read: false }>;

const RUBY = containersOf([runningContainer({ agent: "ruby" })]);
const NO_CONTAINER = containersOf([]);

/** An empty roster that has been in doubt for five minutes, with what the other sources say. */
const doubting = (
  facts: Partial<Facts> = {},
  unread: Partial<Record<"roster" | "slots" | "containers", Unread>> = {},
): Readings => ({
  ...readingsOf({
    roster: rosterOf({}),
    slots: slotsOf({}),
    containers: NO_CONTAINER,
    rosterDoubtSince: msAgo(300),
    ...facts,
  }),
  ...unread,
});
const judged = (...args: Parameters<typeof doubting>) => evaluate(H01, doubting(...args));
const observedIn = (verdict: ReturnType<typeof judged>) =>
  verdict.findings.map((f) => [f.severity, (f.observed as { reason: string }).reason]);

describe("a roster with agents", () => {
  test("is green, whatever the other sources say or do not say", () => {
    const roster = rosterOf({ [AGENT]: {} });
    for (const unread of [{}, { slots: UNREAD }, { containers: UNREAD }, { slots: OFF, containers: OFF }])
      expect(recordOf(judged({ roster }, unread))).toEqual({
        status: "green",
        checked: 1,
        unseen: [],
        reason: null,
      });
  });

  test("is green at once where it was in doubt in the last cycle", () => {
    expect(judged({ roster: rosterOf({ [AGENT]: {} }) }).status).toBe("green");
  });
});

describe("an empty roster beside live agents", () => {
  test("Docker lists containers of agents: critical, with who they are", () => {
    const containers = containersOf(["ruby", "ada"].map((agent) => runningContainer({ agent })));
    const verdict = judged({ containers, slots: slotsOf({ cal: [slot("e-1")], ada: [slot("e-2")] }) });
    expect(verdict.findings.map((f) => toViolation(verdict, f, SNAPSHOT_TIME))).toEqual([
      {
        invariant_id: "H-01",
        tier: "A",
        severity: "critical",
        subject: "roster",
        snapshot_time: SNAPSHOT_TIME,
        observed_state: {
          reason: "roster_empty_contradicted",
          blind_since: "2026-11-23T11:55:00.000Z",
          known_agent_count: 0,
          evidence_agent_count: 3,
          evidence_sample: ["ada", "cal", "ruby"],
          docker_available: true,
          redis_available: true,
          snapshot_time: SNAPSHOT_TIME,
        },
        signal_query:
          "agent roster read returned 0 agents (roster_empty_contradicted); independent sources report 3 live agent(s)",
      },
    ]);
  });

  test("a container that could not be inspected is one all the same", () => {
    const containers = containersOf([], { unseenContainers: [{ agent: "ruby", containerId: "c1" }] });
    expect(observedIn(judged({ containers }))).toEqual([["critical", "roster_empty_contradicted"]]);
  });

  test("only Redis names agents: major, by their slots, readable or not", () => {
    for (const slots of [
      slotsOf({ ruby: [slot("e-1")] }),
      slotsOf({}, ["ruby"]),
      slotsOf({}, [], { unread: { ruby: { unreadable: 1 } } }),
    ])
      expect(observedIn(judged({ slots }))).toEqual([["major", "roster_empty_contradicted"]]);
  });

  test("the sample has ten names, the count all", () => {
    const names = Array.from({ length: 12 }, (_, n) => `agent-${String(n).padStart(2, "0")}`);
    const containers = containersOf(names.map((agent) => runningContainer({ agent })));
    expect(judged({ containers }).findings[0]!.observed).toMatchObject({
      evidence_agent_count: 12,
      evidence_sample: names.slice(0, 10),
    });
  });

  test.each([
    [300, "red"],
    [60, "red"],
    [59, "unknown"],
    [0, "unknown"],
  ])("since %d s: %s", (seconds, status) => {
    const verdict = judged({ containers: RUBY, rosterDoubtSince: msAgo(seconds) });
    expect(verdict.status).toBe(status);
    if (status === "unknown")
      expect(verdict.reason).toBe(
        `roster_empty_contradicted: it counts once it has lasted for 60 s, so far ${seconds} s`,
      );
  });

  test("found for the first time, it has lasted for 0 s", () => {
    expect(judged({ containers: RUBY, rosterDoubtSince: null })).toMatchObject({
      status: "unknown",
      reason: "roster_empty_contradicted: it counts once it has lasted for 60 s, so far 0 s",
    });
  });
});

describe("an empty roster that nothing contradicts", () => {
  test("all agree on empty: a platform without agents is green", () => {
    expect(judged().status).toBe("green");
  });

  test("Docker left out, and no slot: green", () => {
    expect(judged({}, { containers: OFF }).status).toBe("green");
  });

  test("Redis left out, and no container: green", () => {
    expect(judged({}, { slots: OFF }).status).toBe("green");
  });

  test("Docker could not be read: nothing can be said", () => {
    expect(judged({}, { containers: UNREAD })).toMatchObject({ status: "unknown", reason: UNREAD.reason });
    expect(judged({}, { slots: UNREAD })).toMatchObject({ status: "unknown", reason: UNREAD.reason });
  });

  test("one of two daemons could not be read: its containers may be there", () => {
    const containers = containersOf([], { unseenDaemons: ["tcp://docker-2:2376"] });
    expect(judged({ containers }).status).toBe("unknown");
  });

  test("neither was read: major, since nobody can say that it is right", () => {
    for (const unread of [UNREAD, OFF]) {
      const verdict = judged({}, { containers: unread, slots: unread });
      expect(observedIn(verdict)).toEqual([["major", "roster_empty_unverifiable"]]);
      expect(verdict.findings[0]!.observed).toMatchObject({
        evidence_agent_count: 0,
        evidence_sample: [],
        docker_available: unread === OFF ? null : false,
        redis_available: unread === OFF ? null : false,
      });
    }
  });
});

describe("a roster that can't be read", () => {
  const roster = { read: false, reason: "table agent_ownership is missing" } as const;

  test("while agents live: as grave as an empty one", () => {
    expect(observedIn(judged({ containers: RUBY }, { roster }))).toEqual([
      ["critical", "roster_read_failed"],
    ]);
    const slots = slotsOf({ ruby: [slot("e-1")] });
    expect(observedIn(judged({ slots }, { roster }))).toEqual([["major", "roster_read_failed"]]);
    expect(observedIn(judged({}, { roster, containers: UNREAD, slots: UNREAD }))).toEqual([
      ["major", "roster_read_failed"],
    ]);
  });

  test("while no agent is seen elsewhere: unknown, with its own reason", () => {
    expect(judged({}, { roster })).toMatchObject({ status: "unknown", reason: roster.reason });
  });

  test("because nobody has named a database: unknown, and no alarm by it", () => {
    const unnamed = { read: false, reason: "sqlite: not configured", notConfigured: true } as const;
    expect(judged({ containers: RUBY }, { roster: unnamed })).toMatchObject({
      status: "unknown",
      reason: unnamed.reason,
    });
  });

  test("because it is left out on purpose: H-01 is not run, though it could be called", () => {
    expect(whyOff(H01, doubting({}, { roster: OFF }))).toBe(OFF.reason);
    expect(whyOff(H01, doubting({}, { slots: OFF, containers: OFF }))).toBeNull();
  });

  test("it has rows, whose names can't be read: unknown, not empty", () => {
    const readings = doubting({ containers: RUBY });
    const unlisted = "sqlite.roster: 2 agent_name can't be read";
    const roster = { ...readings.roster!, unlisted } as NonNullable<Readings["roster"]>;
    expect(evaluate(H01, { ...readings, roster })).toMatchObject({ status: "unknown", reason: unlisted });
  });
});
