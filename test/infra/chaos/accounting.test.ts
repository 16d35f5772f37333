/** The accounting of the chaos can fail: each promise, broken on purpose, is named. */
import { describe, expect, test } from "vitest";
import { account } from "../../../infra/chaos/accounting.ts";
import { type Commit, emptyLedger, type Ledger } from "../../../infra/chaos/ledger.ts";

const LEASE_MS = 60_000;
/** The canary's clock at the start of each cycle, unix ms. */
const CLOCK_MS = Date.parse("2026-11-23T10:00:00.000Z");

type Kept = { -readonly [Field in keyof Commit]: Commit[Field] };

/** A ledger that is written cycle by cycle. Cycle n runs from n seconds on, and takes a tenth of one. */
function story() {
  const ledger = emptyLedger();
  let red: Record<string, readonly string[]> = {};
  let outbox: readonly string[] = [];
  let cycle = 0;
  const at = (part: number) => cycle * 1_000 + part;
  const commit = (part: number, owner = `owner-${cycle}`) => {
    const states = Object.fromEntries(
      ["S-01", "E-05"].map((id) => {
        const subjects = red[id] ?? [];
        return [
          id,
          { status: subjects.length > 0 ? "red" : "green", red: subjects, isBlind: false } as const,
        ];
      }),
    );
    const version = ledger.commits.length + 1;
    ledger.commits.push({
      version,
      runner: "canary",
      owner,
      arrivedMs: at(part),
      states,
      unread: [],
      outbox,
    });
  };
  const world = {
    ledger,
    snapshot: () => new Date(CLOCK_MS + at(0)).toISOString(),
    keyOf: (change: string) => `${world.snapshot()}/${change}`,
    /** Breaks or cures a subject, after the cycle. */
    turn(invariant: string, subject: string, isBroken: boolean) {
      ledger.changes.push({ invariant, subject, isBroken, fromMs: at(500), toMs: at(501) });
    },
    /** One cycle: what is red then, and what changed. Its alerts come into the outbox. */
    cycle(nowRed: typeof red, changes: readonly string[] = [], alerts: readonly string[] = changes) {
      cycle += 1;
      red = nowRed;
      const [owner, clockMs] = [`owner-${cycle}`, CLOCK_MS + at(0)];
      ledger.leases.push({
        runner: "canary",
        owner,
        atMs: at(0),
        untilMs: clockMs + LEASE_MS,
        clockMs,
        replacedUntilMs: null,
      });
      ledger.records.set(world.snapshot(), changes);
      outbox = [...outbox, ...alerts.map(world.keyOf)];
      commit(50);
      return alerts.map(world.keyOf);
    },
    /** The webhook gets an alert, in this cycle. */
    post(key: string, answer: "ok" | "taken" | "refused" = "ok") {
      ledger.posts.push({ key, isTaken: answer !== "refused", isConfirmed: answer === "ok", atMs: at(60) });
    },
    /** The canary strikes alerts off, in this cycle. */
    strikeOff(...keys: readonly string[]) {
      outbox = outbox.filter((key) => !keys.includes(key));
      commit(90);
    },
  };
  return world;
}

const accountOf = (ledger: Ledger, needsRecords = true) =>
  account(ledger, { leaseMs: LEASE_MS, needsRecords });

/** ruby leaks a slot, opal joins, both are cured: three transitions, two of them delivered. */
function goodStory() {
  const world = story();
  world.cycle({});
  world.turn("S-01", "ruby", true);
  const [broke] = world.cycle({ "S-01": ["ruby"] }, ["S-01/broke"]);
  world.post(broke!);
  world.strikeOff(broke!);
  world.turn("S-01", "opal", true);
  const [spread] = world.cycle({ "S-01": ["ruby", "opal"] }, ["S-01/spread"]);
  world.post(spread!, "refused");
  world.turn("S-01", "ruby", false);
  world.turn("S-01", "opal", false);
  const [recovered] = world.cycle({}, ["S-01/recovered"]);
  world.post(spread!);
  world.strikeOff(spread!);
  return { ...world, broke: broke!, spread: spread!, recovered: recovered! };
}

describe("a canary that loses nothing", () => {
  test("three transitions: two delivered, one waits", () => {
    const { ledger } = goodStory();
    expect(accountOf(ledger)).toMatchObject({
      atEnd: { transitions: 3, sight: 0, delivered: 2, waiting: 1, both: 0, doubled: 0 },
      lost: [],
      longLeases: [],
      wrong: [],
    });
  });

  test("what was delivered and not struck off counts once, and is a double when it is posted again", () => {
    const world = goodStory();
    world.post(world.recovered);
    expect(accountOf(world.ledger).atEnd).toMatchObject({ delivered: 3, waiting: 1, both: 1, doubled: 0 });
    world.cycle({});
    world.post(world.recovered);
    expect(accountOf(world.ledger)).toMatchObject({ atEnd: { both: 1, doubled: 1 }, lost: [], wrong: [] });
  });

  test("a post that was taken and cut off is a double too, once it is confirmed", () => {
    const world = goodStory();
    world.post(world.recovered, "taken");
    expect(accountOf(world.ledger).atEnd).toMatchObject({ delivered: 2, doubled: 0 });
    world.post(world.recovered);
    expect(accountOf(world.ledger).atEnd).toMatchObject({ delivered: 3, doubled: 1 });
  });

  test("where all that was red is replaced by another subject, the alert may call it broken", () => {
    const world = story();
    world.cycle({ "S-01": ["ruby"] }, ["S-01/broke"]);
    world.cycle({ "S-01": ["opal"] }, ["S-01/spread"], ["S-01/broke"]);
    expect(accountOf(world.ledger).lost).toEqual([]);
    world.cycle({ "S-01": ["opal", "jade"] }, ["S-01/spread"], ["S-01/broke"]);
    expect(accountOf(world.ledger).lost).toEqual(["S-01 spread (jade) in version 3: it has no alert"]);
  });

  test("alerts of what could not be read belong to no transition, and may not be lost either", () => {
    const world = story();
    const [key] = world.cycle({}, [], ["sight/blind"]);
    expect(accountOf(world.ledger)).toMatchObject({
      atEnd: { transitions: 0, sight: 1 },
      lost: [],
      wrong: [],
    });
    world.strikeOff(key!);
    expect(accountOf(world.ledger).lost).toEqual([
      `${key}: an alert, struck off in version 2, and the webhook never confirmed it`,
    ]);
  });
});

describe("a lost alert is named", () => {
  test("it was struck off, and the webhook has no record of it", () => {
    const { ledger, broke } = goodStory();
    const posts = ledger.posts.filter(({ key }) => key !== broke);
    expect(accountOf({ ...ledger, posts }).lost).toEqual([
      `${broke}: S-01 broke (ruby) in version 2, struck off in version 3, and the webhook never confirmed it`,
    ]);
  });

  test("it was struck off before the webhook confirmed it", () => {
    const world = goodStory();
    world.strikeOff(world.recovered);
    world.cycle({});
    world.post(world.recovered);
    expect(accountOf(world.ledger).lost).toEqual([expect.stringContaining(world.recovered)]);
  });

  test("it was struck off after a post that was taken and not confirmed", () => {
    const world = goodStory();
    world.post(world.recovered, "taken");
    world.strikeOff(world.recovered);
    expect(accountOf(world.ledger).lost).toEqual([expect.stringContaining(world.recovered)]);
  });

  test("the state changed, and no alert came into the outbox with it", () => {
    const world = goodStory();
    world.turn("E-05", "jade", true);
    world.cycle({ "E-05": ["jade"] }, ["E-05/broke"], []);
    expect(accountOf(world.ledger).lost).toEqual(["E-05 broke (jade) in version 7: it has no alert"]);
  });
});

describe("what else must not be is named", () => {
  const wrongOf = (world: { ledger: Ledger }, needsRecords = true) =>
    accountOf(world.ledger, needsRecords).wrong;

  test("a second alert under another key, though nothing changed", () => {
    const world = goodStory();
    const [again] = world.cycle({}, [], ["S-01/recovered"]);
    expect(wrongOf(world)).toEqual([`${again}: an alert in version 7 in which nothing of it changed`]);
  });

  test("one key for two alerts", () => {
    const world = goodStory();
    world.turn("S-01", "ruby", true);
    const { snapshot } = world;
    const [key] = world.cycle({ "S-01": ["ruby"] }, ["S-01/broke"]);
    world.post(key!);
    world.strikeOff(key!);
    const { commits } = world.ledger;
    const healthy = {
      ...commits.at(-1)!.states,
      "S-01": { status: "green", red: [], isBlind: false } as const,
    };
    const [again, last] = [commits.at(-2)!, commits.at(-1)!];
    const recovery = `${snapshot()}/S-01/recovered`;
    commits.push(
      { ...last, version: 9, states: healthy, outbox: [...last.outbox, recovery] },
      { ...again, version: 10, outbox: [...last.outbox, recovery, key!] },
    );
    expect(wrongOf(world, false)).toEqual([`${key}: stands for two alerts, in versions 7 and 10`]);
  });

  test("a post of what was never committed", () => {
    const world = goodStory();
    world.post("2026-11-23T10:00:09.000Z/S-01/broke");
    expect(wrongOf(world)).toEqual([
      "2026-11-23T10:00:09.000Z/S-01/broke: posted, but no committed version has it",
    ]);
  });

  test("a subject that stays green while it is broken, and one that is red while it is whole", () => {
    const world = goodStory();
    world.turn("E-05", "jade", true);
    world.cycle({ "S-01": ["onyx"] }, ["S-01/broke"]);
    expect(wrongOf(world)).toEqual([
      "version 7: S-01 onyx is red, and the platform was whole",
      "version 7: E-05 jade is not red, and the platform was broken",
    ]);
  });

  test("but not one that changed while the cycle ran, or that could not be judged", () => {
    const world = story();
    world.cycle({});
    world.turn("S-01", "ruby", true);
    world.cycle({});
    const change = world.ledger.changes[0]!;
    const last = world.ledger.commits.at(-1)! as Kept;
    expect(wrongOf(world)).toHaveLength(1);
    world.ledger.changes[0] = { ...change, toMs: 2_010 };
    expect(wrongOf(world)).toEqual([]);
    world.ledger.changes[0] = change;
    const { states } = last;
    last.states = { ...states, "S-01": { status: "green", red: [], isBlind: true } };
    expect(wrongOf(world)).toEqual([]);
    last.states = states;
    last.unread = ["sqlite.orphans[agent_tags]: database is locked"];
    expect(wrongOf(world)).toEqual([]);
  });

  test("a lease that stands longer than one lasts", () => {
    const world = goodStory();
    const lease = world.ledger.leases[1]!;
    world.ledger.leases[1] = { ...lease, untilMs: lease.untilMs + 1 };
    expect(accountOf(world.ledger)).toMatchObject({
      lost: [],
      wrong: [],
      longLeases: ["lease owner-2 of canary stands 60001 ms ahead of its clock; a lease lasts 60000 ms"],
    });
    world.ledger.leases[1] = { ...lease, untilMs: Number.NaN };
    expect(accountOf(world.ledger).longLeases).toHaveLength(1);
  });

  test("a lease that was taken from one that still stood, unless its end is further ahead than a lease lasts", () => {
    const world = goodStory();
    const lease = world.ledger.leases[1]!;
    world.ledger.leases[1] = { ...lease, replacedUntilMs: lease.clockMs + 5_000 };
    expect(wrongOf(world)).toEqual(["lease owner-2 of canary was taken from one that had 5000 ms to go"]);
    world.ledger.leases[1] = { ...lease, replacedUntilMs: lease.clockMs };
    expect(wrongOf(world)).toEqual([]);
    world.ledger.leases[1] = { ...lease, replacedUntilMs: lease.clockMs + LEASE_MS + 1 };
    expect(wrongOf(world)).toEqual([]);
  });

  test("a commit by one who did not hold the lease, and a version that is left out", () => {
    const world = goodStory();
    world.ledger.commits[1] = { ...world.ledger.commits[1]!, runner: "second" };
    world.ledger.commits[2] = { ...world.ledger.commits[2]!, owner: null };
    const last = world.ledger.commits.at(-1)! as Kept;
    last.version = 8;
    expect(wrongOf(world)).toEqual([
      "version 2 is by second, and the lease was canary's",
      "version 3 is by canary, and the lease was nobody's",
      "version 8 follows on version 5",
    ]);
  });

  test("a memory that can't be read", () => {
    const world = goodStory();
    world.ledger.unreadable.push("the MEMORY item can't be read");
    expect(wrongOf(world)).toEqual(["the memory could not be read: the MEMORY item can't be read"]);
  });

  test("a transition of which the table has no record, unless the table failed", () => {
    const world = goodStory();
    const snapshot = world.spread.split("/")[0]!;
    world.ledger.records.set(snapshot, ["E-05/broke"]);
    expect(wrongOf(world)).toEqual([`${world.spread}: the cycle's record does not have it`]);
    world.ledger.records.delete(snapshot);
    expect(wrongOf(world)).toEqual([`${world.spread}: the cycle left no record`]);
    expect(wrongOf(world, false)).toEqual([]);
  });
});
