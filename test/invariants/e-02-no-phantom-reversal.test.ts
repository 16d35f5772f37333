import { describe, expect, test } from "vitest";
import { TERMINAL_STATUSES } from "../../shared/facts/facts.ts";
import { noPhantomReversal as E02 } from "../../shared/invariants/e-02-no-phantom-reversal.ts";
import {
  AGENT,
  executionsOf,
  judge,
  NO_STARTED_AT,
  observedOf,
  queued,
  recordOf,
  rememberedOf,
  running,
  testUnreadFacts,
  violationsOf,
  withoutAgent,
  withoutId,
} from "../support/facts.ts";

testUnreadFacts(E02);

test("E-02 is of tier A, critical", () => {
  expect(E02).toMatchObject({ tier: "A", severity: "critical" });
});

describe("a finished run stays finished", () => {
  test("runs that were never seen finished are green, whatever else finished", () => {
    const facts = {
      executions: executionsOf([running("run-1"), queued("run-2")]),
      finishedRuns: rememberedOf({ "run-0": "success", "run-9": "failed" }),
    };
    expect(recordOf(judge(E02, facts))).toEqual({ status: "green", checked: 1, unseen: [], reason: null });
  });

  test("an execution that was success in an earlier cycle and runs now", () => {
    const facts = {
      executions: executionsOf([running("E")]),
      finishedRuns: rememberedOf({ E: "success" }),
    };
    expect(violationsOf(judge(E02, facts))).toEqual([
      {
        invariant_id: "E-02",
        tier: "A",
        severity: "critical",
        subject: AGENT,
        snapshot_time: "2026-11-23T12:00:00.000Z",
        observed_state: {
          agent_name: AGENT,
          execution_id: "E",
          previous_status: "success",
          current_status: "running",
          terminal_statuses_tracked: ["cancelled", "failed", "skipped", "success"],
          snapshot_time: "2026-11-23T12:00:00.000Z",
        },
        signal_query: "execution_id E was success in previous cycle; now running",
      },
    ]);
  });

  test.each(TERMINAL_STATUSES.flatMap((was) => [[was, "running"] as const, [was, "queued"] as const]))(
    "from %s back to %s is a reversal, reported with its real previous status",
    (was, now) => {
      const row = now === "running" ? running("E") : queued("E");
      const [observed] = observedOf(
        judge(E02, { executions: executionsOf([row]), finishedRuns: rememberedOf({ E: was }) }),
      );
      expect(observed).toMatchObject({ previous_status: was, current_status: now });
    },
  );

  test("the age of the row does not matter, nor whether it can be aged", () => {
    for (const differs of [{ ageSeconds: 0 }, { ageSeconds: 259_200 }, NO_STARTED_AT])
      expect(
        judge(E02, {
          executions: executionsOf([running("E", differs)]),
          finishedRuns: rememberedOf({ E: "cancelled" }),
        }).status,
      ).toBe("red");
  });

  test("each reversal is a finding of its own, also those of a deleted agent", () => {
    const verdict = judge(E02, {
      executions: executionsOf([running("b"), queued("a"), running("c", { agent: "ghost" })]),
      finishedRuns: rememberedOf({ a: "failed", b: "success", c: "skipped" }),
    });
    expect(verdict.findings.map((f) => [f.subject, ...f.keys])).toEqual([
      [AGENT, "a"],
      [AGENT, "b"],
      ["ghost", "c"],
    ]);
  });

  test.each(["__proto__", "constructor", "123", "null"])(
    "an execution called %j was never seen before",
    (id) => {
      const executions = executionsOf([running(id)]);
      expect(judge(E02, { executions, finishedRuns: rememberedOf({ "run-1": "success" }) }).status).toBe(
        "green",
      );
    },
  );
});

describe("legal moves", () => {
  test.each(TERMINAL_STATUSES)("what was %s may be neither running nor queued again", (was) => {
    for (const row of [running("E"), queued("E")]) {
      const facts = { executions: executionsOf([row]), finishedRuns: rememberedOf({ E: was }) };
      expect(judge(E02, facts).status).toBe("red");
    }
  });

  test("a failed row may wait for its retry, for ever: the retry is a row of its own", () => {
    const facts = {
      executions: executionsOf([running("E-2", { triggeredBy: "retry" })]),
      pendingRetries: [{ id: "E", agent: AGENT }],
      finishedRuns: rememberedOf({ E: "failed" }),
    };
    expect(recordOf(judge(E02, facts))).toMatchObject({ status: "green", checked: 1 });
  });

  test.each(["success", "cancelled", "skipped"] as const)(
    "what was %s and waits for a retry is a reversal",
    (was) => {
      const facts = {
        pendingRetries: [{ id: "E", agent: AGENT }],
        finishedRuns: rememberedOf({ E: was }),
      };
      const verdict = judge(E02, facts);
      expect(observedOf(verdict)).toMatchObject([
        { agent_name: AGENT, execution_id: "E", previous_status: was, current_status: "pending_retry" },
      ]);
      expect(violationsOf(verdict)[0]?.signal_query).toBe(
        `execution_id E was ${was} in previous cycle; now pending_retry`,
      );
    },
  );

  test("a waiting row whose id can't be read is an unseen part", () => {
    const verdict = judge(E02, { pendingRetries: [{ id: null, agent: AGENT }] });
    expect(recordOf(verdict)).toMatchObject({ status: "unknown", unseen: [`${AGENT}/(unreadable id)`] });
  });

  test("a claim that goes back from running to queued was never finished", () => {
    expect(judge(E02, { executions: executionsOf([queued("E")]) }).status).toBe("green");
  });
});

describe("parts that could not be read", () => {
  test("a row whose id can't be read is unseen, the other rows of its agent are judged all the same", () => {
    const hidden = [withoutId(running("a")), withoutId(queued("b"))];
    const executions = executionsOf([running("E"), running("other", { agent: "fine" })], hidden);
    const verdict = judge(E02, { executions, finishedRuns: rememberedOf({ E: "success" }) });
    const unseen = [`${AGENT}/(unreadable id)`];
    expect(recordOf(verdict)).toMatchObject({ status: "red", checked: 1, unseen });
    expect(verdict.coverage.saw(AGENT, "E")).toBe(true);
    expect(recordOf(judge(E02, { executions }))).toMatchObject({ status: "green", checked: 1, unseen });
    expect(recordOf(judge(E02, { executions: executionsOf([], hidden) })).status).toBe("unknown");
  });

  test("a row whose agent can't be read may be any agent's: its id is unseen for all of them", () => {
    const executions = executionsOf([running("other")], [withoutAgent(running("E"))]);
    const { coverage, ...verdict } = judge(E02, { executions, finishedRuns: rememberedOf({ E: "success" }) });
    expect(recordOf({ ...verdict, coverage })).toMatchObject({
      status: "green",
      unseen: ["(unreadable name)/E"],
    });
    expect(coverage.saw(AGENT, "E")).toBe(false);
    expect(coverage.saw("gone", "E")).toBe(false);
    expect(coverage.saw(AGENT, "other")).toBe(true);
  });

  test("a memory that breaks while it is asked makes the verdict unknown", () => {
    const finishedRuns = {
      statusOf: () => {
        throw new Error("the page is torn");
      },
    };
    expect(judge(E02, { executions: executionsOf([running("E")]), finishedRuns })).toMatchObject({
      status: "unknown",
      reason: "the check failed: the page is torn",
    });
  });
});
