/** What E-02 remembers beyond its journal: the executions that are red. */
import { expect, test } from "vitest";
import { type Coverage, coverageOf, insufficientCoverage } from "../../shared/facts/coverage.ts";
import { noPhantomReversal } from "../../shared/invariants/e-02-no-phantom-reversal.ts";
import { databaseIsThePlatforms } from "../../shared/invariants/h-02-database-is-the-platforms.ts";
import { finishedRuns } from "../../shared/recall/finished-runs.ts";
import { hashOf } from "../../shared/recall/run-journal.ts";
import type { Verdict } from "../../shared/verdict/evaluate.ts";
import { cursorAt, judge, NOW_MS, readingsOf } from "../support/facts.ts";

const pinned = ["still-red", "not-seen"].map((id) => ({ hash: hashOf(id), status: "success" }));
const BEFORE = { endedCursor: cursorAt(NOW_MS - 600_000), pinned };

/** What is remembered after a cycle with these verdicts, in which one more run was read as finished. */
function after(...verdicts: Verdict[]) {
  const { ended } = readingsOf({
    ended: { rows: [{ id: "new", status: "success" }], cursor: cursorAt(NOW_MS) },
  });
  const recalled = finishedRuns.recall(BEFORE, [])!;
  const { part, entries } = recalled.next({ readings: { ended: ended! }, verdicts, atMs: NOW_MS });
  return { ...(part as typeof BEFORE), remembersMore: entries.length > 0 };
}
/** E-02 found one of the two. */
const foundOne = (coverage: Coverage): Verdict => ({
  invariant: noPhantomReversal,
  status: "red",
  reason: null,
  coverage,
  findings: [{ subject: "ruby", keys: ["still-red"], observed: {}, signalQuery: "" }],
});
const pinnedAfter = (coverage: Coverage) => after(foundOne(coverage)).pinned;
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

test("H-02 asks what was seen finished as well: what it says of the database forgets no run", () => {
  expect(after(judge(databaseIsThePlatforms), foundOne(whole)).pinned).toEqual([pinned[0]]);
  expect(after(judge(databaseIsThePlatforms)).pinned).toEqual(pinned);
});

test("what is read as finished is remembered, and read on from there", () => {
  expect(after(foundOne(whole))).toMatchObject({ endedCursor: cursorAt(NOW_MS), remembersMore: true });
});

test("where the database is not the platform's, nothing of it is remembered, and nothing is passed over", () => {
  const discredited: Verdict = {
    ...judge(noPhantomReversal),
    status: "unknown",
    reason: "H-02: the database is not the one that the platform writes",
    discreditedBy: "H-02",
  };
  expect(after(judge(databaseIsThePlatforms), discredited)).toMatchObject(BEFORE);
});
