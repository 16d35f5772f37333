/** The tables of `canary status` and `canary cycle`. */
import { expect, test } from "vitest";
import { renderCycle } from "../../shared/cli/cycle-table.ts";
import type { Screen } from "../../shared/cli/screen.ts";
import { renderStatus } from "../../shared/cli/views/status.ts";
import { EMPTY_MEMORY, type Memory } from "../../shared/cycle/memory.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import { describeStatus } from "../../shared/web/describe-status.ts";
import type { CycleReport, VerdictRecord } from "../../shared/wire/schemas/cycles.ts";
import type { StatusBody } from "../../shared/wire/schemas/status.ts";
import { someChecks } from "../support/cycle.ts";

const NOW = Date.parse("2026-11-23T10:00:00.000Z");
const MINUTE_MS = 60_000;
/** A pipe. */
const PIPE: Screen = {
  width: Number.POSITIVE_INFINITY,
  colour: false,
  nowMs: NOW,
  utc: false,
  verbose: false,
};
const VERBOSE = { ...PIPE, verbose: true };

const green = { status: "green", sinceMs: NOW, lastRedAtMs: null, red: {} } as const;
const red = { ...green, status: "red", red: { ruby: { sinceMs: NOW, keys: ["a"] } } } as const;

/** Renders the status of a canary whose last full cycle was that many minutes ago. */
function shown(
  minutesAgo: number,
  more: Partial<Memory["lastFullCycle"] & object> = {},
  silenced = false,
  checks = someChecks(),
) {
  const states = Object.fromEntries(INVARIANTS.map(({ id }) => [id, id === "S-02" ? red : green]));
  const memory = {
    ...EMPTY_MEMORY,
    states,
    lastFullCycle: {
      atMs: NOW - minutesAgo * MINUTE_MS,
      durationMs: 100,
      checksOff: [],
      sourcesUnavailable: [],
      latencyMsBySource: {},
      ...more,
    },
  } as unknown as Memory;
  const silence = {
    id: "1",
    invariantId: "S-02",
    subject: "ruby",
    untilMs: NOW + 1,
    reason: "r",
    createdAtMs: 0,
  };
  const status = describeStatus(checks, memory, silenced ? [silence] : [], NOW);
  return { status, text: renderStatus(status, [], PIPE), verbose: renderStatus(status, [], VERBOSE) };
}

test("a canary that has not looked for a quarter of an hour is called stale before anything green", () => {
  expect(shown(14).text).not.toContain("STALE");
  const lines = shown(16).text.split("\n");
  expect(lines[1]).toBe("STALE: the last full cycle was 16 min ago; what follows is as it was then");
});

test("silenced subjects are named next to red ones", () => {
  expect(shown(1).text).not.toContain("silenced");
  expect(shown(1, {}, true).text).toMatch(/✗ S-02 {2}red .*red: ruby, silenced: ruby$/m);
});

test("a check that was turned off while it was red is off, and red of nobody", () => {
  const { status, text } = shown(1, { checksOff: ["S-02"] });
  expect(status.invariants.find(({ id }) => id === "S-02")).toMatchObject({
    status: "off",
    since: null,
    red_subjects: [],
  });
  expect(text).toMatch(/– S-02 {2}off/);
  expect(text).not.toContain("red: ruby");
});

test("what is not run says why: by the environment's settings, or by the last full cycle", () => {
  const last = { checksOff: ["R-01", "B-01"], checksOffReasons: { "R-01": "docker: off" } };
  const { text } = shown(1, last, false, someChecks({ off: ["S-02"] }));
  expect(text).toMatch(/– S-02 {2}off .* {2}off by CHECKS_OFF$/m);
  expect(text).toMatch(/– R-01 {2}off .* {2}docker: off$/m);
  // A memory of a version that kept no reasons.
  expect(text).toMatch(/– B-01 {2}off .*·$/m);
});

test("an environment's own severity is named, with that of the invariant", () => {
  const { text } = shown(1, {}, false, someChecks({ severities: { "S-01": "minor" } }));
  expect(text).toMatch(/S-01 .* {2}minor \(critical by default\)$/m);
  expect(text.match(/by default/g)).toHaveLength(1);
});

test("the table of a cycle says why a check was not run", () => {
  const report = {
    snapshot_time: "2026-11-23T10:00:00.000Z",
    cycle_duration_ms: 1,
    ...{ checks_run: [], checks_off: ["R-01", "B-01"], checks_off_reasons: { "R-01": "off by CHECKS_OFF" } },
    ...{ sources_unavailable: [], violations: [], violations_total: 0 },
    ...{ transitions: [], spreads: [], recoveries: [], verdicts: {} },
  } satisfies CycleReport;
  const table = renderCycle(report, PIPE);
  expect(table).toMatch(/^– R-01 {2}off .* {2}off by CHECKS_OFF$/m);
  // The answer of an older canary has no reasons.
  expect(table).toMatch(/^– B-01 {2}off {6}Queue-status coherence$/m);
});

test.each([
  [{ status: "green", checked: 12 }, "12 checked"],
  [{ status: "green", checked: 40_000 }, "40,000 checked"],
  [{ status: "green", checked: 0 }, "nothing to check"],
  [{ status: "unknown", checked: 0 }, "none checked"],
  [{ status: "red", checked: 0 }, "none checked"],
] as const)("of %o both tables say: %s", (given, words) => {
  const { status } = shown(1);
  const invariants = status.invariants.map((i) => (i.id === "E-05" ? { ...i, ...given } : i));
  const table = renderStatus({ ...status, invariants } as StatusBody, [], VERBOSE);
  expect(table).toMatch(new RegExp(` E-05 {2}${given.status} .*since \\S+, ${words}$`, "m"));

  const verdict: VerdictRecord = { ...given, unseen: [], reason: null };
  const report = {
    snapshot_time: "2026-11-23T10:00:00.000Z",
    cycle_duration_ms: 1,
    ...{ checks_run: ["E-05"], checks_off: [], sources_unavailable: [], violations: [], violations_total: 0 },
    ...{ transitions: [], spreads: [], recoveries: [] },
    verdicts: { "E-05": verdict },
  } satisfies CycleReport;
  expect(renderCycle(report, PIPE)).toMatch(new RegExp(` E-05 {2}${given.status} .* {2}${words}$`, "m"));
});

test("a canary whose memory does not know how many were checked says nothing of it", () => {
  const { status, text } = shown(1);
  expect(status.invariants.map(({ checked }) => checked)).toEqual(INVARIANTS.map(() => null));
  expect(text).not.toMatch(/\d checked|none checked|nothing to check/);
});
