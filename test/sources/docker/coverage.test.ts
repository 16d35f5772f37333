/** Where the time does not suffice for all containers, successive reads cover all of them. No time passes here. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { UnfinishedDaemon } from "../../../shared/facts/facts.ts";
import { combined } from "../../../shared/sources/docker/combined.ts";
import { aroundRing, planOf, whereToGoOn } from "../../../shared/sources/docker/order.ts";
import { turns } from "../../../shared/sources/docker/turns.ts";

const DEADLINE_MS = 1_000;
/** How long a container may take: half of it. */
const OWN_MS = DEADLINE_MS / 2;

interface Simulated {
  readonly name: string;
  readonly containers: readonly string[];
  /** How long one of its containers takes, in ms. */
  readonly eachMs: number;
  readonly hangs: ReadonlySet<string>;
}

interface Read {
  readonly seen: ReadonlyMap<string, readonly string[]>;
  readonly unfinished: readonly UnfinishedDaemon[] | undefined;
  readonly mostAtOnce: number;
  /** The latest end of a container that did not hang. */
  readonly lastEndMs: number;
}

/** Reads the daemons as `readDaemons` does, on a clock that jumps from one event to the next. */
async function read(
  daemons: readonly Simulated[],
  before: readonly UnfinishedDaemon[] | undefined,
  { most, mostOfOne }: { most: number; mostOfOne: number },
): Promise<Read> {
  let nowMs = 0;
  const events: { atMs: number; settle: () => void }[] = [];
  const seen = new Map<string, string[]>();
  let mostAtOnce = 0;
  let lastEndMs = 0;
  const inTurn = turns({
    most,
    mostOfOne,
    leastMs: DEADLINE_MS / 10,
    leftMs: () => DEADLINE_MS - nowMs,
    clock: () => nowMs,
  });
  const planned = planOf(before);
  const outcomes = daemons.map(async ({ name, containers, eachMs, hangs }) => {
    const { from, rank } = planned(name);
    const ordered = aroundRing(containers, (id) => id, from);
    const own: string[] = [];
    seen.set(name, own);
    const cut = new Set<string>();
    const work = ordered.map(
      (id) => () =>
        new Promise<void>((resolve, reject) => {
          const takesMs = hangs.has(id) ? OWN_MS : eachMs;
          const isCut = nowMs + takesMs > DEADLINE_MS;
          const atMs = Math.min(nowMs + takesMs, DEADLINE_MS);
          const settle = () => {
            if (isCut) cut.add(id);
            if (isCut || hangs.has(id)) return reject(new Error("late"));
            own.push(id);
            lastEndMs = atMs;
            return resolve();
          };
          events.push({ atMs, settle });
          mostAtOnce = Math.max(mostAtOnce, events.length);
        }),
    );
    const begun = await inTurn(rank, work);
    const unfinished = whereToGoOn(ordered, new Set([...cut, ...ordered.slice(begun)]), (id) => id);
    return {
      host: name,
      unfinished,
      running: [],
      uninspected: [],
      processes: [],
      unlisted: [],
      nameless: 0,
      unavailable: [],
      notReached: 0,
    };
  });
  while (events.length > 0) {
    const next = events.reduce((first, event) => (event.atMs < first.atMs ? event : first));
    events.splice(events.indexOf(next), 1);
    nowMs = next.atMs;
    next.settle();
    for (let turn = 0; turn < 5; turn += 1) await null;
  }
  const { readings } = combined(await Promise.all(outcomes), {
    wanted: new Set(["zombies"]),
    unfinished: before,
    time: { fromMs: 0, toMs: 0 },
  });
  if (!readings.zombies?.read) throw new Error("not read");
  return { seen, unfinished: readings.zombies.value.unfinished, mostAtOnce, lastEndMs };
}

/** Each process is cold: all that a read knows of those before it went through the memory, as JSON. */
const remembered = (unfinished: Read["unfinished"]): Read["unfinished"] =>
  unfinished && JSON.parse(JSON.stringify(unfinished));

const daemon = (name: string, count: number, eachMs: number, hangs: readonly number[] = []): Simulated => {
  const containers = Array.from({ length: count }, (_, n) => `${name}/${n}`);
  return { name, containers, eachMs, hangs: new Set(hangs.map((n) => `${name}/${n % count}`)) };
};

test("every container that lasts is looked at in some read, whatever hangs, comes and goes beside it", async () => {
  const fleets = fc.record({
    sizes: fc.array(
      fc.record({
        count: fc.integer({ min: 1, max: 30 }),
        eachMs: fc.integer({ min: 20, max: 0.9 * OWN_MS }),
        hangs: fc.array(fc.nat(), { maxLength: 3 }),
      }),
      { minLength: 1, maxLength: 8 },
    ),
    most: fc.integer({ min: 1, max: 12 }),
    mostOfOne: fc.integer({ min: 1, max: 4 }),
    /** Containers that end, and others that begin, from one read to the next. */
    churn: fc.integer({ min: 0, max: 2 }),
  });
  await fc.assert(
    fc.asyncProperty(fleets, async ({ sizes, most, mostOfOne, churn }) => {
      const lasting = sizes.map(({ count, eachMs, hangs }, i) => daemon(`d${i}`, count, eachMs, hangs));
      const waiting = new Map(
        lasting.map(({ name, containers, hangs }) => [
          name,
          new Set(containers.filter((id) => !hangs.has(id))),
        ]),
      );
      let unfinished: Read["unfinished"];
      for (let cycle = 0; [...waiting.values()].some(({ size }) => size > 0); cycle += 1) {
        const now = lasting.map((one) => ({
          ...one,
          containers: [
            ...one.containers,
            ...Array.from({ length: churn }, (_, n) => `${one.name}/new ${cycle}.${n}`),
          ],
        }));
        const result = await read(now, remembered(unfinished), { most, mostOfOne });
        unfinished = result.unfinished;
        for (const [name, ids] of result.seen) for (const id of ids) waiting.get(name)!.delete(id);
        // Even with one turn in the time of two, each daemon soon leads.
        const largest = Math.max(...now.map(({ containers }) => containers.length));
        expect(cycle).toBeLessThanOrEqual(3 * now.length * largest);
      }
    }),
    { numRuns: 40 },
  );
});

test("40 daemons with 50 containers, of which a read can look at two in five: all are seen in three reads", async () => {
  const daemons = Array.from({ length: 40 }, (_, n) => daemon(`d${n}`, 50, 75));
  const all = new Set<string>();
  let unfinished: Read["unfinished"];
  const counts: number[] = [];
  for (let cycle = 0; cycle < 3; cycle += 1) {
    const result = await read(daemons, remembered(unfinished), { most: 64, mostOfOne: 6 });
    for (const ids of result.seen.values()) for (const id of ids) all.add(id);
    unfinished = result.unfinished;
    counts.push([...result.seen.values()].reduce((sum, ids) => sum + ids.length, 0));
    expect(result.mostAtOnce).toBe(64);
  }
  expect(counts[0]).toBeLessThan(900);
  expect(all.size).toBe(2_000);
});

test("daemons whose containers all hang hold no more turns than others", async () => {
  const everyOne = Array.from({ length: 50 }, (_, n) => n);
  const daemons = Array.from({ length: 40 }, (_, n) => daemon(`d${n}`, 50, 10, n < 8 ? everyOne : []));
  const { seen, unfinished } = await read(daemons, undefined, { most: 64, mostOfOne: 6 });
  for (let n = 8; n < 40; n += 1) expect(seen.get(`d${n}`)).toHaveLength(50);
  expect(unfinished).toHaveLength(8);
});

test("nothing is begun that its daemon would not end in time", async () => {
  const { seen, unfinished, lastEndMs } = await read([daemon("slow", 10, 400)], undefined, {
    most: 64,
    mostOfOne: 2,
  });
  // Two and two; a third pair would end at 1,200 ms.
  expect(seen.get("slow")).toHaveLength(4);
  expect(lastEndMs).toBe(800);
  expect(unfinished).toHaveLength(1);
});
