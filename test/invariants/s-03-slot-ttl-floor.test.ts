import { describe, expect, test } from "vitest";
import type { Slot, UnreadMembers } from "../../shared/facts/facts.ts";
import { slotTtlFloor as S03 } from "../../shared/invariants/s-03-slot-ttl-floor.ts";
import {
  AGENT,
  judge,
  judgeTwice,
  observedOf,
  readBetween,
  recordOf,
  rosterOf,
  secondsAgo,
  sentinel,
  slot,
  slotsOf,
  testUnreadFacts,
  violationsOf,
} from "../support/facts.ts";

testUnreadFacts(S03);

test("S-03 is of tier A, critical", () => {
  expect(S03).toMatchObject({ tier: "A", severity: "critical" });
});

const timeoutOf = (executionTimeoutSeconds: number | null) =>
  rosterOf({ [AGENT]: { executionTimeoutSeconds } });
const held = (...slots: Slot[]) => slotsOf({ [AGENT]: slots });
/** A slot whose hash has no timeout_seconds, of an agent with a timeout of 60 s. */
const plain = (ttlSeconds: number, ageSeconds: number) => ({
  roster: timeoutOf(60),
  slots: held(slot("s03-eid", { ttlSeconds, ageSeconds, timeoutSeconds: null })),
});
const kindsOf = (...args: [Parameters<typeof judge>[1], Parameters<typeof judge>[2]?]) =>
  observedOf(judge(S03, ...args)).map((o) => o.kind);

describe("a slot's hash lives as long as its execution may, and 300 s more", () => {
  test("slots of any age that were given their floor are green", () => {
    const slots = held(
      ...[0, 0.5, 30, 3600, 3899].map((ageSeconds) => slot(`run-${ageSeconds}`, { ageSeconds })),
    );
    expect(recordOf(judge(S03, { slots }))).toEqual({
      status: "green",
      checked: 1,
      unseen: [],
      reason: null,
    });
  });

  test("EXPIRE of a new slot's hash to 30 s, as in the seed", () => {
    expect(violationsOf(judge(S03, plain(30, 0)))).toEqual([
      {
        invariant_id: "S-03",
        tier: "A",
        severity: "critical",
        subject: AGENT,
        snapshot_time: "2026-11-23T12:00:00.000Z",
        observed_state: {
          agent_name: AGENT,
          execution_id: "s03-eid",
          redis_ttl_seconds: 30,
          execution_timeout_seconds: 60,
          slot_ttl_buffer_seconds: 300,
          floor_seconds: 360,
          kind: "below_floor",
          floor_source: "agent",
          initial_ttl_seconds: 30,
          age_seconds: 0,
          snapshot_time: "2026-11-23T12:00:00.000Z",
        },
        signal_query: `TTL(agent:slot:${AGENT}:s03-eid) = 30 (below_floor); floor = 360s`,
      },
    ]);
  });

  test.each([
    [-2, "missing"],
    [-1, "no_expiry"],
  ])("a TTL of %d is %s, which shows no life that it was given", (ttl, kind) => {
    const [violation] = violationsOf(judge(S03, plain(ttl, 60)));
    expect(violation?.observed_state).toEqual({
      agent_name: AGENT,
      execution_id: "s03-eid",
      redis_ttl_seconds: ttl,
      execution_timeout_seconds: 60,
      slot_ttl_buffer_seconds: 300,
      floor_seconds: 360,
      kind,
      floor_source: "agent",
      snapshot_time: "2026-11-23T12:00:00.000Z",
    });
    expect(violation?.signal_query).toBe(`TTL(agent:slot:${AGENT}:s03-eid) = ${ttl} (${kind}); floor = 360s`);
  });

  test("each broken slot of an agent is a finding of its own", () => {
    const slots = held(slot("gone", { ttlSeconds: -2 }), slot("fine"), slot("eternal", { ttlSeconds: -1 }));
    const verdict = judge(S03, { slots });
    expect(verdict.findings.map((f) => [f.subject, f.keys])).toEqual([
      [AGENT, ["eternal"]],
      [AGENT, ["gone"]],
    ]);
  });

  test("a slot released between two reads is gone at the second look", () => {
    expect(S03.confirm).toBe(true);
    expect(judgeTwice(S03, plain(-2, 60), {}).status).toBe("green");
    expect(judgeTwice(S03, plain(-2, 60), plain(-2, 63)).status).toBe("red");
  });
});

describe("where Redis says when a hash expires, no clock of ours is part of it", () => {
  /** Acquired so long ago by the platform's clock, and given so long a life by Redis's. */
  const given = (lifeSeconds: number, ageSeconds: number) => {
    const { score } = slot("s", { ageSeconds });
    const expiresAtSeconds = score + lifeSeconds;
    const ttlSeconds = Math.max(0, Math.round(expiresAtSeconds - secondsAgo(0)));
    return held(slot("s", { ageSeconds, timeoutSeconds: 60, ttlSeconds, expiresAtSeconds }));
  };

  test.each([
    [360, []],
    [358, []],
    [357.75, ["below_floor"]],
    [30, ["below_floor"]],
    [100_000, []],
  ])("a life of %d s for a floor of 360 s, at any age and by any clock: %j", (life, kinds) => {
    // Of a platform whose clock is ten minutes ahead, the slots are ten minutes from now.
    for (const ageSeconds of [0, 1, 30, 3600, -600])
      expect(kindsOf({ slots: given(life, ageSeconds) })).toEqual(kinds);
  });

  test("with the TTL alone, a clock ahead of ours made the life of a healthy slot look shorter", () => {
    const [healthy] = given(360, -600).byAgent.get(AGENT)!;
    expect(kindsOf({ slots: held({ ...healthy!, expiresAtSeconds: null, ttlSeconds: 300 }) })).toEqual([
      "below_floor",
    ]);
  });

  test("what is shown is the life that was given, and the age", () => {
    expect(observedOf(judge(S03, { slots: given(30, 20) }))[0]).toMatchObject({
      redis_ttl_seconds: 10,
      initial_ttl_seconds: 30,
      age_seconds: 20,
    });
  });
});

describe("a TTL decays: what is judged is the life that it was given", () => {
  test.each([
    // ttl, age, below the floor of 360 s less 2 s of tolerance
    [359, 0.5, false],
    [358, 0, false],
    [357, 0, true],
    [357, 0.999, true],
    [357, 1, false],
    [100, 258, false],
    [100, 257.75, true],
    [100, 300, false],
    [400, 0, false],
  ])("TTL %d after %d s: below the floor is %j", (ttl, age, below) => {
    expect(kindsOf(plain(ttl, age))).toEqual(below ? ["below_floor"] : []);
  });

  test("a TTL of 0 is a life nearly over, judged like any other", () => {
    expect(kindsOf(plain(0, 358))).toEqual([]);
    expect(kindsOf(plain(0, 357))).toEqual(["below_floor"]);
    expect(observedOf(judge(S03, plain(0, 100.75)))[0]).toMatchObject({
      redis_ttl_seconds: 0,
      initial_ttl_seconds: 100,
      age_seconds: 100,
    });
  });

  test("initial TTL and age are whole seconds, rounded down", () => {
    expect(observedOf(judge(S03, plain(100, 7.75)))[0]).toMatchObject({
      initial_ttl_seconds: 107,
      age_seconds: 7,
    });
  });

  test("a slot from the future (clock skew) has an age of 0, never a negative one", () => {
    expect(kindsOf(plain(358, -30))).toEqual([]);
    expect(observedOf(judge(S03, plain(357, -30)))[0]).toMatchObject({
      initial_ttl_seconds: 357,
      age_seconds: 0,
    });
  });

  test("a slow reading does not make a healthy slot look short-lived", () => {
    // The TTL was read at the end of a reading of 20 s: it has decayed by all of them.
    expect(kindsOf(plain(300, 40), { times: { slots: readBetween(0, 20) } })).toEqual([]);
  });
});

describe("the floor", () => {
  test("is the execution's own timeout + 300 where its hash tells one, whatever the agent's is", () => {
    const facts = (timeoutSeconds: number | null, ttlSeconds: number) => ({
      roster: timeoutOf(900),
      slots: held(slot("run-1", { ageSeconds: 0, timeoutSeconds, ttlSeconds })),
    });
    expect(kindsOf(facts(60, 358))).toEqual([]);
    expect(observedOf(judge(S03, facts(60, 357)))[0]).toMatchObject({
      floor_seconds: 360,
      floor_source: "slot",
      execution_timeout_seconds: 60,
    });
    expect(observedOf(judge(S03, facts(7200, 1200)))[0]).toMatchObject({
      floor_seconds: 7500,
      floor_source: "slot",
      execution_timeout_seconds: 7200,
    });
    expect(kindsOf(facts(null, 1198))).toEqual([]);
    expect(observedOf(judge(S03, facts(null, 1197)))[0]).toMatchObject({
      floor_seconds: 1200,
      floor_source: "agent",
      execution_timeout_seconds: 900,
    });
  });

  test("a timeout of 0 in the hash is a timeout, not a missing one", () => {
    const slots = held(slot("run-1", { ageSeconds: 0, timeoutSeconds: 0, ttlSeconds: 297 }));
    expect(observedOf(judge(S03, { slots }))[0]).toMatchObject({ floor_seconds: 300, floor_source: "slot" });
  });

  test("unknown on both sides: that slot is unseen, the agent's other slots are judged", () => {
    const verdict = judge(S03, {
      roster: timeoutOf(null),
      slots: held(
        slot("blurred", { timeoutSeconds: null, ttlSeconds: 5 }),
        slot("short", { timeoutSeconds: 60, ttlSeconds: 5 }),
      ),
    });
    expect(recordOf(verdict)).toMatchObject({ status: "red", unseen: [`${AGENT}/blurred`] });
    expect(verdict.findings.map((f) => f.keys)).toEqual([["short"]]);
  });

  test.each([
    [-2, "missing"],
    [-1, "no_expiry"],
  ])(
    "unknown on both sides, with a TTL of %d: %s all the same, and the floor is said to be unknown",
    (ttl, kind) => {
      const facts = {
        roster: timeoutOf(null),
        slots: held(slot("run-1", { timeoutSeconds: null, ttlSeconds: ttl })),
      };
      const verdict = judge(S03, facts);
      expect(recordOf(verdict)).toEqual({ status: "red", checked: 1, unseen: [], reason: null });
      const [violation] = violationsOf(verdict);
      expect(violation?.observed_state).toEqual({
        agent_name: AGENT,
        execution_id: "run-1",
        redis_ttl_seconds: ttl,
        execution_timeout_seconds: null,
        slot_ttl_buffer_seconds: 300,
        floor_seconds: null,
        kind,
        floor_source: "agent",
        snapshot_time: "2026-11-23T12:00:00.000Z",
      });
      expect(violation?.signal_query).toBe(
        `TTL(agent:slot:${AGENT}:run-1) = ${ttl} (${kind}); floor = unknown`,
      );
      expect(S03.explain(verdict.findings[0]!.observed as never)).toMatch(/floor unknown/);
    },
  );

  test("unknown on both sides, and a hash that was just begun or could not be read, is no violation", () => {
    const facts = (differs: Partial<Slot>, ageSeconds: number) => ({
      roster: timeoutOf(null),
      slots: held(slot("run-1", { timeoutSeconds: null, ageSeconds, ...differs })),
    });
    expect(recordOf(judge(S03, facts({ ttlSeconds: -2 }, 2.999)))).toMatchObject({
      status: "green",
      unseen: [],
    });
    expect(recordOf(judge(S03, facts({ ttlSeconds: null }, 60))).unseen).toEqual([`${AGENT}/run-1`]);
    expect(recordOf(judge(S03, facts({ ttlSeconds: 0 }, 60))).unseen).toEqual([`${AGENT}/run-1`]);
  });
});

describe("ZADD, HSET and EXPIRE are three commands", () => {
  test.each([
    [0, false],
    [2.999, false],
    [3, true],
    [3.001, true],
    [-2.999, false],
    [-3, true],
  ])("a hash that is missing or eternal %d s after ZADD: counts is %j", (age, counts) => {
    expect(kindsOf(plain(-2, age))).toEqual(counts ? ["missing"] : []);
    expect(kindsOf(plain(-1, age))).toEqual(counts ? ["no_expiry"] : []);
  });

  test("a slow reading does not shorten that grace", () => {
    const times = { slots: readBetween(0, 8) };
    expect(kindsOf(plain(-2, -10.999), { times })).toEqual([]);
    expect(kindsOf(plain(-2, 2.999), { times })).toEqual([]);
    expect(kindsOf(plain(-2, 3), { times })).toEqual(["missing"]);
  });

  test("a life given too short needs no grace: it is wrong from its first moment", () => {
    expect(kindsOf(plain(30, 0))).toEqual(["below_floor"]);
  });
});

describe("what S-03 does not judge", () => {
  test("a drain sentinel has no hash, however old it is", () => {
    expect(kindsOf({ slots: held(sentinel("x", 0), sentinel("y", 3600)) })).toEqual([]);
    const withTtl = slot("drain-z", { ageSeconds: 3600, ttlSeconds: -2 });
    expect(kindsOf({ slots: held(withTtl) })).toEqual([]);
  });

  test("slots of an agent that is not on the roster", () => {
    expect(kindsOf({ slots: slotsOf({ ghost: [slot("a", { ttlSeconds: -2 })] }) })).toEqual([]);
  });

  test("a hash that could not be read is unseen, not missing", () => {
    const verdict = judge(S03, {
      roster: rosterOf({ [AGENT]: {}, other: {} }),
      slots: held(slot("blurred", { ttlSeconds: null })),
    });
    expect(recordOf(verdict)).toEqual({
      status: "green",
      checked: 1,
      unseen: [`${AGENT}/blurred`],
      reason: null,
    });
  });

  test("an agent whose slots were not read is unseen, alone it makes the verdict unknown", () => {
    const slots = slotsOf({}, [AGENT]);
    expect(recordOf(judge(S03, { slots }))).toMatchObject({ status: "unknown", unseen: [AGENT] });
  });
});

describe("members that could not be read", () => {
  const withUnread = (unread: Partial<UnreadMembers>, ...slots: Slot[]) =>
    slotsOf({ [AGENT]: slots }, [], { unread: { [AGENT]: unread } });

  test("one that can't be read is unseen, and the others are judged", () => {
    const slots = withUnread({ unreadable: 1 }, slot("gone", { ttlSeconds: -2 }), slot("fine"));
    const verdict = judge(S03, { slots });
    expect(recordOf(verdict)).toMatchObject({ status: "red", unseen: [`${AGENT}/(unreadable)`] });
    expect(verdict.findings.map(({ keys }) => keys)).toEqual([["gone"]]);
    expect(verdict.coverage.saw(AGENT, "fine")).toBe(true);
  });

  test("beyond those that are read there may be any slot", () => {
    const verdict = judge(S03, { slots: withUnread({ beyond: 7 }, slot("gone", { ttlSeconds: -2 })) });
    expect(recordOf(verdict)).toMatchObject({ status: "red", unseen: [AGENT] });
    expect(verdict.coverage.saw(AGENT, "another")).toBe(false);
  });

  test("a set whose agent can't be read is an unseen part", () => {
    const slots = slotsOf({}, [], { unreadKeys: ["od\ufffd"] });
    expect(recordOf(judge(S03, { slots }))).toMatchObject({ status: "green", unseen: ["od\ufffd"] });
  });
});

describe("scores of any size", () => {
  const scores = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e300, -1e300, 2 ** 53, -(2 ** 53)];

  test.each(scores)(
    "a score of %d says nothing of a slot's age: the life that it was given is unseen",
    (score) => {
      const slots = held(slot("odd", { score, ttlSeconds: 30 }));
      expect(recordOf(judge(S03, { slots })).unseen).toEqual([`${AGENT}/odd`]);
    },
  );

  test.each(scores)("a score of %d: a hash that is gone or eternal is wrong at any age", (score) => {
    for (const ttlSeconds of [-2, -1])
      expect(kindsOf({ slots: held(slot("odd", { score, ttlSeconds })) })).toHaveLength(1);
  });

  test.each([0, -5, 1e15, 2 ** 53 - 1])(
    "a score of %d is an instant, and what is shown of it is whole",
    (score) => {
      for (const observed of observedOf(judge(S03, { slots: held(slot("odd", { score, ttlSeconds: 30 })) })))
        for (const value of Object.values(observed))
          if (typeof value === "number") expect(Number.isSafeInteger(value)).toBe(true);
    },
  );
});
