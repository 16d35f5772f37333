/** Random histories with writes that fail, compared with a model: what a reader sees of episodes is what happened. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { EpisodeFilter } from "../../shared/store/episodes.ts";
import { formatInstant } from "../../shared/time.ts";
import { MINUTE_MS, type ScriptedCanary, type StateCall, slot, useCanaries } from "../support/cycle.ts";
import { rosterOf, slotsOf } from "../support/facts.ts";

const canaryOf = useCanaries();

const AGENTS = ["alpha", "beta", "constructor", "__proto__"] as const;
/** What can fail of a cycle: nothing of it keeps the cycle from happening. */
const MAY_FAIL: readonly StateCall[] = [
  "episodes.write",
  "episodes.lookUp",
  "evidence.write",
  "latest.write",
  "latest.read",
];

const stepOf = fc.record({
  /** How many slots each agent leaks. */
  leaks: fc.tuple(...AGENTS.map(() => fc.constantFrom(0, 0, 1, 2))),
  /** "read", or Redis can't be read, or the state can't be written and the cycle does not happen. */
  what: fc.constantFrom("read", "read", "read", "read", "unread", "uncommitted"),
  fails: fc.subarray([...MAY_FAIL]),
  /** Of the episodes only the first is written, and then the process dies. */
  diesInBetween: fc.boolean(),
  isOfSome: fc.boolean(),
  deletes: fc.option(fc.constantFrom(...AGENTS), { nil: null, freq: 8 }),
});
type Step = typeof stepOf extends fc.Arbitrary<infer T> ? T : never;

interface ModelEpisode {
  readonly subject: string;
  readonly since: string;
  until: string | null;
  ended: string | null;
  cycles: number;
}

/** Lists what a reader sees, in the words of the model. */
async function seen(canary: ScriptedCanary, filter: Partial<EpisodeFilter> = {}, limit = 3) {
  const range = { startMs: 0, endMs: canary.now(), nowMs: canary.now() };
  const all = [];
  for (let cursor: string | null = null; ; ) {
    const page = await canary.store.episodes.list({ ...range, ...filter }, limit, cursor);
    all.push(...page.items);
    cursor = page.cursor;
    if (cursor === null) return all;
  }
}
const told = (episodes: Awaited<ReturnType<typeof seen>>) =>
  episodes
    .filter((e) => e.invariant_id === "S-01")
    .map(({ subject, since, until, ended, cycles }) => ({ subject, since, until, ended, cycles }))
    .sort((a, b) => (`${a.since} ${a.subject}` < `${b.since} ${b.subject}` ? -1 : 1));

const inOrder = (model: readonly ModelEpisode[]) =>
  [...model].sort((a, b) => (`${a.since} ${a.subject}` < `${b.since} ${b.subject}` ? -1 : 1));

/** Runs one step, and says what happened in the model. */
async function play(canary: ScriptedCanary, model: ModelEpisode[], roster: Set<string>, step: Step) {
  const leaks = Object.fromEntries(AGENTS.map((name, i) => [name, step.leaks[i]!]));
  if (step.deletes && leaks[step.deletes] === 0) roster.delete(step.deletes);
  for (const name of AGENTS) if (leaks[name]! > 0) roster.add(name);
  canary.set({
    roster: rosterOf(
      Object.fromEntries([...roster, "other"].map((n) => [n, { executionTimeoutSeconds: 7 * 86_400 }])),
    ),
    slots: slotsOf(
      Object.fromEntries(
        AGENTS.flatMap((name): [string, ReturnType<typeof slot>[]][] => {
          const held = Array.from({ length: leaks[name]! }, (_, i) => slot(`${name}-${i}`));
          return held.length > 0 ? [[name, held]] : [];
        }),
      ),
    ),
  });
  if (step.what === "unread") canary.unread("slots", "redis: no answer");
  canary.stateRecovers();
  canary.stateFails(...step.fails);
  if (step.what === "uncommitted") canary.stateFails("lease.commit");
  if (step.diesInBetween && !step.fails.includes("episodes.write"))
    canary.stateCalls("episodes.write", async ([first], ...rest) => {
      await canary.store.episodes.write([first], ...(rest as [number, AbortSignal]));
      throw new Error("it died");
    });
  canary.advance(5 * MINUTE_MS);
  const at = formatInstant(canary.now());
  await canary.run(step.isOfSome ? ["S-01"] : undefined);
  if (step.what !== "read") return;
  for (const subject of AGENTS) {
    const open = model.find((e) => e.subject === subject && e.until === null);
    if (leaks[subject]! > 0) {
      if (open) open.cycles += 1;
      else model.push({ subject, since: at, until: null, ended: null, cycles: 1 });
    } else if (open) Object.assign(open, { until: at, ended: roster.has(subject) ? "recovered" : "gone" });
  }
}

test("whatever fails after the commit, a reader sees each begin, end and count", async () => {
  const calm: Step = {
    leaks: [0, 0, 0, 0],
    what: "read",
    fails: [],
    diesInBetween: false,
    isOfSome: false,
    deletes: null,
  };
  await fc.assert(
    fc.asyncProperty(fc.array(stepOf, { minLength: 4, maxLength: 12 }), async (steps) => {
      const canary = await canaryOf();
      const model: ModelEpisode[] = [];
      const roster = new Set<string>(AGENTS);
      for (const step of steps) {
        await play(canary, model, roster, step);
        expect(told(await seen(canary))).toEqual(inOrder(model));
        const open = await seen(canary, { openOnly: true });
        expect(told(open)).toEqual(inOrder(model.filter(({ until }) => until === null)));
      }
      for (const step of [calm, calm]) await play(canary, model, roster, step);
      // All has ended, and two cycles that could write leave nothing to write.
      expect((await canary.memory()).endings).toEqual([]);
      const all = await seen(canary);
      expect(told(all)).toEqual(inOrder(model));
      expect(await seen(canary, { invariantId: "S-01" })).toEqual(all);
      for (const subject of AGENTS)
        expect(await seen(canary, { subject })).toEqual(all.filter((e) => e.subject === subject));
      for (const one of all) expect(await canary.store.episodes.get(one.id, canary.now())).toEqual(one);
    }),
    { numRuns: 12, endOnFailure: true },
  );
});
