import { describe, expect, test } from "vitest";
import { readCall, toCall } from "../../shared/cycle/call.ts";

const NOW = Date.parse("2026-11-23T10:00:00Z");
const call = (over: object = {}) => ({
  run_cycle: { trigger: "http", invariants: null, answer_by: NOW + 60_000, ...over },
});

test("a call is read as it was made, with the time that the caller has left", () => {
  let nowMs = NOW;
  for (const invariantIds of [undefined, ["S-01", "R-01"]]) {
    const sent = JSON.parse(JSON.stringify(toCall({ trigger: "page", invariantIds }, NOW + 60_000)));
    const read = readCall(sent, () => nowMs);
    expect(read).toMatchObject({ trigger: "page", invariantIds });
    nowMs = NOW + 45_000;
    expect(read!.timeLeftMs()).toBe(15_000);
    nowMs = NOW;
  }
});

describe("anything else is the event of a schedule", () => {
  test.for<[string, unknown]>([
    ["EventBridge Scheduler's", { source: "aws.scheduler", "detail-type": "Scheduled Event", detail: "{}" }],
    ["an empty one", {}],
    ["none", null],
    ["a text", "run_cycle"],
    ["a list", [call()]],
    ["more beside it", { ...call(), source: "aws.scheduler" }],
    ["more in it", call({ statusUrl: "https://phishing.example.com" })],
    ["less in it", { run_cycle: { trigger: "http", invariants: null } }],
    ["a trigger that is not one of a caller's", call({ trigger: "schedule" })],
    ["no invariant", call({ invariants: [] })],
    ["an invariant that this version does not know", call({ invariants: ["S-01", "S-99"] })],
    ["a number for an invariant", call({ invariants: [1] })],
    ["an instant as a text", call({ answer_by: "2026-11-23T10:00:00Z" })],
    ["an instant that is none", call({ answer_by: Number.NaN })],
  ])("%s", ([, event]) => {
    expect(readCall(event, () => NOW)).toBeNull();
  });
});
