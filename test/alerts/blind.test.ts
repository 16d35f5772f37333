import { describe, expect, test } from "vitest";
import { describeBlindness } from "../../shared/alerts/blind.ts";
import { type InvariantState, NEVER_JUDGED } from "../../shared/alerts/state.ts";

const NOW_MS = Date.parse("2026-11-25T22:40:00.000Z");
const at = (clock: string) => Date.parse(`2026-11-25T${clock}:00.000Z`);
const IDS = Array.from({ length: 17 }, (_, i) => `I-${String(i + 1).padStart(2, "0")}`);

const blind = (reason: string, over: Partial<InvariantState> = {}): InvariantState => ({
  ...NEVER_JUDGED,
  sinceMs: at("19:00"),
  blindSinceMs: at("20:05"),
  blindCycles: 3,
  blindReason: reason,
  ...over,
});
const source = (reason: string, over = {}) => ({
  sinceMs: at("20:05"),
  cycles: 3,
  reason,
  announced: false,
  ...over,
});
const describeWith = (
  states: Record<string, InvariantState>,
  blindSources = {},
  options: Partial<Parameters<typeof describeBlindness>[1]> = {},
) => describeBlindness({ states, blindSources }, { invariants: IDS, nowMs: NOW_MS, ...options });

const NO_FILE = "no such file: LIBSQL_URL";
const nine = (over: (i: number) => Partial<InvariantState> = () => ({})) =>
  Object.fromEntries(IDS.slice(0, 9).map((id, i) => [id, blind(`sqlite: ${NO_FILE}`, over(i))]));

describe("the canary is blind", () => {
  test("in a part that no invariant needs: the rest is judged", () => {
    const wordsFor = (count: number) =>
      describeWith({}, { "docker.exec[ruby]": source("down") }, { invariants: IDS.slice(0, count) })!.words;
    expect(wordsFor(1)).toMatch(/The invariant judges the rest\.$/);
    expect(wordsFor(2)).toMatch(/Both invariants judge the rest\.$/);
    expect(wordsFor(3)).toMatch(/All 3 invariants judge the rest\.$/);
  });

  test("by one source: the cause once, and what follows from it as numbers", () => {
    const states = nine((i) => (i < 4 ? { status: "red" } : {}));
    const blindness = describeWith(states, { sqlite: source(NO_FILE) })!;
    expect(blindness.words).toBe(
      "Blind since 20:05: sqlite (no such file: LIBSQL_URL). 9 of 17 invariants can't be judged; 4 that were red stay red.",
    );
    expect(blindness).toMatchObject({
      since: at("20:05"),
      causes: [{ source: "sqlite", reason: NO_FILE, sinceMs: at("20:05") }],
      cannotJudge: IDS.slice(0, 9),
      invariants: 17,
      stayRed: IDS.slice(0, 4),
    });
  });

  test("by two sources: the oldest first", () => {
    const docker = source("ECONNREFUSED 10.0.0.5:2376: DOCKER_HOSTS", { sinceMs: at("19:40") });
    const states = { "I-01": blind(`sqlite: ${NO_FILE}`), "I-02": blind("docker: ECONNREFUSED") };
    expect(describeWith(states, { sqlite: source(NO_FILE), docker })!.words).toBe(
      "Blind since 19:40: docker (ECONNREFUSED 10.0.0.5:2376: DOCKER_HOSTS), sqlite (no such file: LIBSQL_URL). 2 of 17 invariants can't be judged.",
    );
  });

  test("since another day: the date is said", () => {
    const since = Date.parse("2026-11-24T23:05:00.000Z");
    const states = { "I-01": blind("redis: down", { blindSinceMs: since, status: "red" }) };
    expect(describeWith(states, { redis: source("down", { sinceMs: since }) })!.words).toBe(
      "Blind since 2026-11-24 23:05: redis (down). 1 of 17 invariants can't be judged; 1 that was red stays red.",
    );
  });

  test("by no source: the invariants that share a reason are named with it", () => {
    const states = { "I-01": blind("the check failed: boom"), "I-02": blind("the check failed: boom") };
    expect(describeWith(states)!.causes).toEqual([
      { source: "I-01, I-02", reason: "the check failed: boom", sinceMs: at("20:05") },
    ]);
  });

  test("in a part of a source only: all that can be judged still is", () => {
    const part = { "docker.exec[ruby]": source("no answer within 5000 ms") };
    expect(describeWith({}, part)!.words).toBe(
      "Blind since 20:05: docker.exec[ruby] (no answer within 5000 ms). All 17 invariants judge the rest.",
    );
  });

  test("by a source that failed as a whole while its part was known", () => {
    const states = { "I-01": blind("docker[tcp://10.0.0.5:2376]: ECONNREFUSED") };
    const sources = { "docker[tcp://10.0.0.5:2376]": source("ECONNREFUSED") };
    expect(describeWith(states, sources)!.causes).toHaveLength(1);
  });

  test("by two hundred containers: five are named", () => {
    const many = Object.fromEntries(
      Array.from({ length: 200 }, (_, i) => [`docker.exec[a${i}]`, source("no answer")]),
    );
    const { words } = describeWith({}, many)!;
    expect(words).toContain(", 195 more. ");
    expect(words.length).toBeLessThan(600);
  });

  test("by something with a reason of any length: the words stay short", () => {
    const long = "x".repeat(10_000);
    expect(
      describeWith({ "I-01": blind(long) }, { [`docker.exec[${long}]`]: source(long) })!.words.length,
    ).toBeLessThan(900);
  });
});

describe("nothing is blind", () => {
  test("where everything is judged", () => {
    expect(describeWith({ "I-01": { ...NEVER_JUDGED, sinceMs: 0, status: "green" } })).toBeNull();
  });

  test("where a red invariant discredits the source: its own alert says so", () => {
    expect(describeWith({ "I-01": blind("H-03: Redis is another one", { blindCycles: 0 }) })).toBeNull();
  });

  test("where the invariant does not run here", () => {
    expect(describeWith({ "Z-99": blind("redis: down") })).toBeNull();
  });

  test("for long enough", () => {
    const states = { "I-01": blind("redis: down", { blindCycles: 2 }) };
    const sources = { redis: source("down", { cycles: 2 }) };
    expect(describeWith(states, sources, { leastCycles: 3 })).toBeNull();
    expect(describeWith(states, sources, { leastCycles: 2 })).not.toBeNull();
  });
});
