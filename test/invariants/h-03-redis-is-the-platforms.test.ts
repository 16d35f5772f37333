import { describe, expect, test } from "vitest";
import type { Execution, Facts } from "../../shared/facts/facts.ts";
import { redisIsThePlatforms as H03 } from "../../shared/invariants/h-03-redis-is-the-platforms.ts";
import {
  executionsOf,
  judge,
  judgeTwice,
  leased,
  queued,
  recordOf,
  running,
  testUnreadFacts,
  violationsOf,
  withoutAgent,
} from "../support/facts.ts";

testUnreadFacts(H03);

test("H-03 is of tier A, critical", () => {
  expect(H03).toMatchObject({ tier: "A", severity: "critical" });
});

const NO_KEYS = { hasSlotKey: false, hasHeartbeat: false };
const dispatched = (id: string, agent: string, differs: Partial<Execution> = {}) =>
  running(id, { agent, ...differs });
/** Two agents at work, and a Redis without a key. */
const flushed = (differs: Partial<Facts> = {}): Partial<Facts> => ({
  platformKeys: NO_KEYS,
  executions: executionsOf([dispatched("e-2", "ruby"), dispatched("e-1", "ada")]),
  ...differs,
});
const statusOf = (differs: Partial<Facts> = {}) => judge(H03, flushed(differs)).status;

describe("runs are dispatched, and Redis knows nothing of the platform", () => {
  test("a flushed Redis, or another one", () => {
    expect(violationsOf(judge(H03, flushed()))).toEqual([
      {
        invariant_id: "H-03",
        tier: "A",
        severity: "critical",
        subject: "redis",
        snapshot_time: "2026-11-23T12:00:00.000Z",
        observed_state: {
          running_row_count: 2,
          agent_count: 2,
          sample: ["ada/e-1", "ruby/e-2"],
          snapshot_time: "2026-11-23T12:00:00.000Z",
        },
        signal_query: "2 dispatched running row(s) of 2 agent(s), 0 slot keys, no canary:drain_tick_at",
      },
    ]);
  });

  test("the sample has ten, the counts all", () => {
    const rows = Array.from({ length: 12 }, (_, n) => dispatched(`e-${n}`, `agent-${n % 3}`));
    const [violation] = violationsOf(judge(H03, flushed({ executions: executionsOf(rows) })));
    expect(violation!.observed_state).toMatchObject({ running_row_count: 12, agent_count: 3 });
    expect((violation!.observed_state as { sample: string[] }).sample).toHaveLength(10);
  });

  test("a heartbeat that comes back before the second look: green", () => {
    expect(H03.confirm).toBe(true);
    const back = flushed({ platformKeys: { hasSlotKey: false, hasHeartbeat: true } });
    expect(judgeTwice(H03, flushed(), back).status).toBe("green");
    expect(judgeTwice(H03, flushed(), flushed()).status).toBe("red");
  });
});

describe("what is the platform's Redis, or can't be told", () => {
  test("the heartbeat alone is enough, and so is one key of a slot", () => {
    expect(statusOf({ platformKeys: { hasSlotKey: false, hasHeartbeat: true } })).toBe("green");
    expect(statusOf({ platformKeys: { hasSlotKey: true, hasHeartbeat: false } })).toBe("green");
  });

  test("an idle platform before its first sweep", () => {
    expect(recordOf(judge(H03, flushed({ executions: executionsOf([]) })))).toMatchObject({
      status: "green",
      unseen: [],
    });
  });

  test.each<[string, Execution[]]>([
    ["runs of one agent", [dispatched("e-1", "ruby"), dispatched("e-2", "ruby"), dispatched("e-3", "ruby")]],
    ["runs that are not dispatched yet", [dispatched("e-1", "ruby"), running("e-2", { hasSession: false })]],
    ["runs of pull workers", [leased("e-1", { agent: "ruby", hasSession: true }), leased("e-2")]],
    ["queued runs", [queued("e-1", { agent: "ruby" }), queued("e-2")]],
  ])("%s prove nothing: green", (_what, rows) => {
    expect(statusOf({ executions: executionsOf(rows) })).toBe("green");
  });

  test("an installation without claude_session_id: unknown, since nobody knows which runs are dispatched", () => {
    const rows = [
      dispatched("e-1", "ruby", { hasSession: null }),
      dispatched("e-2", "ada", { hasSession: null }),
    ];
    expect(judge(H03, flushed({ executions: executionsOf(rows) }))).toMatchObject({
      status: "unknown",
      reason: "column claude_session_id is missing",
    });
    // Where Redis has a key it does not matter.
    const keys = { hasSlotKey: true, hasHeartbeat: false };
    expect(statusOf({ executions: executionsOf(rows), platformKeys: keys })).toBe("green");
  });

  test("a run whose agent can't be read proves no second agent", () => {
    const executions = executionsOf([dispatched("e-1", "ruby")], [withoutAgent(running("e-2"))]);
    expect(statusOf({ executions })).toBe("green");
  });
});
