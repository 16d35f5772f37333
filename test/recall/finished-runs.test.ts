/** What E-02 remembers beyond its journal: the executions that are red. */
import { expect, test } from "vitest";
import { type Coverage, coverageOf, insufficientCoverage } from "../../shared/facts/coverage.ts";
import { noPhantomReversal } from "../../shared/invariants/e-02-no-phantom-reversal.ts";
import { finishedRuns } from "../../shared/recall/finished-runs.ts";
import { hashOf } from "../../shared/recall/run-journal.ts";
import type { Verdict } from "../../shared/verdict/evaluate.ts";
import { NOW_MS } from "../support/facts.ts";

const pinned = ["still-red", "not-seen"].map((id) => ({ hash: hashOf(id), status: "success" }));

/** What stays pinned after a cycle that found one of the two. */
function pinnedAfter(coverage: Coverage): unknown {
  const finding = { subject: "ruby", keys: ["still-red"], observed: {}, signalQuery: "" };
  const verdict: Verdict = {
    invariant: noPhantomReversal,
    status: "red",
    reason: null,
    coverage,
    findings: [finding],
  };
  const recalled = finishedRuns.recall({ endedCursor: null, pinned }, [])!;
  const { part } = recalled.next({ readings: {}, verdicts: [verdict], atMs: NOW_MS });
  return (part as { pinned: unknown }).pinned;
}
const whole = coverageOf({ subjects: ["ruby"], unseen: [] });

test("a red that was looked at and is no more is forgotten", () => {
  expect(pinnedAfter(whole)).toEqual([pinned[0]]);
});

test.each([
  ["a part is unseen", coverageOf({ subjects: ["ruby"], unseen: [{ subject: "opal" }] })],
  ["the roster is too small to prove anything gone", insufficientCoverage(whole, "the roster is empty")],
  ["a table could not be searched", coverageOf({ subjects: ["ruby"], unseen: [], unlisted: "not searched" })],
])("where %s, every red stays remembered", (_, coverage) => {
  expect(pinnedAfter(coverage)).toEqual(expect.arrayContaining(pinned));
});
