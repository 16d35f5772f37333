/** What a page asks of the table for episodes, agents and plots, at 1,000 red subjects and 90 days of history. */
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { RedSubject } from "../../shared/alerts/state.ts";
import { NEVER_JUDGED } from "../../shared/alerts/state.ts";
import { EMPTY_MEMORY } from "../../shared/cycle/memory.ts";
import { episodeId, type StoredEpisode } from "../../shared/store/episode.ts";
import type { EpisodeFilter } from "../../shared/store/episodes.ts";
import type { Latest } from "../../shared/store/latest.ts";
import { formatInstant } from "../../shared/time.ts";
import { readAgent } from "../../shared/web/agents.ts";
import { bytesOf, MAX_ANSWER_BYTES } from "../../shared/wire/fit-into.ts";
import {
  commit,
  DAY_MS,
  HOUR_MS,
  MINUTE_MS,
  NO_DEADLINE,
  type ScriptedCanary,
  START_MS,
  useCanaries,
} from "../support/cycle.ts";

const canaryOf = useCanaries();
const RED = 1_000;
const DAYS = 90;

const stateOf = (subject: string) => ({
  agent_name: subject,
  slot_count: 14,
  max_parallel_tasks: 10,
  overbooked_by: 4,
  slot_ids: Array.from({ length: 14 }, (_, i) => `exec-${subject}-${i}`),
});
function episodeOf(
  invariantId: string,
  subject: string,
  sinceMs: number,
  untilMs: number | null,
): StoredEpisode {
  return {
    id: episodeId({ invariantId, subject, sinceMs }),
    invariant_id: invariantId,
    severity: "critical",
    subject,
    since: formatInstant(sinceMs),
    until: untilMs === null ? null : formatInstant(untilMs),
    cycles: 3,
    ended: untilMs === null ? null : "recovered",
    on_roster: true,
    first_violation_id: 20261123000001,
    last_violation_id: 20261123000002,
    first_state: stateOf(subject),
    last_state: stateOf(subject),
    peak: { at: formatInstant(sinceMs), value: 1, words: "4 too many" },
    recorded_at: formatInstant(sinceMs),
  };
}

describe("a page of a fleet in which 1,000 agents are red", () => {
  let canary: ScriptedCanary;
  /** The agents became red in ten cycles of the last hour. */
  const sinceOf = (i: number) => START_MS - HOUR_MS + (i % 10) * 5 * MINUTE_MS;

  beforeAll(async () => {
    canary = await canaryOf();
    const { store } = canary;
    const red = Object.fromEntries(
      Array.from({ length: RED }, (_, i): [string, RedSubject] => [
        `agent-${i}`,
        { sinceMs: sinceOf(i), keys: [`agent-${i}`], episode: [12, 1, sinceOf(i), 0, true, true] },
      ]),
    );
    const lease = await store.lease.acquire("cycle", START_MS, 60_000);
    if ("busyUntilMs" in lease) throw new Error("the lease is another's");
    const state = { ...NEVER_JUDGED, status: "red" as const, sinceMs: sinceOf(0), red };
    await commit(store, lease, { ...EMPTY_MEMORY, states: { "S-02": state } });
    const open = Object.keys(red).map((subject, i) => episodeOf("S-02", subject, sinceOf(i), null));
    const past = Array.from({ length: DAYS * 4 }, (_, i) => {
      const sinceMs = START_MS - (i + 1) * 6 * HOUR_MS;
      return episodeOf(i % 2 ? "S-02" : "S-01", `agent-${i % 5}`, sinceMs, sinceMs + HOUR_MS);
    });
    await store.episodes.write([...open, ...past], START_MS, NO_DEADLINE);
    const latest: Latest = {
      seen_at: formatInstant(START_MS),
      unread: [],
      agents: [],
      red: open.map(({ subject }) => ({
        invariant_id: "S-02",
        subject,
        violation_id: 7,
        states: [stateOf(subject)],
      })),
      has_roster: true,
      left_out: 0,
    };
    await store.latest.write([latest], START_MS, NO_DEADLINE);
  });
  afterEach(() => void vi.restoreAllMocks());

  /** Counts the requests of some reading. */
  async function requests<T>(read: () => Promise<T>): Promise<[T, number]> {
    const send = vi.spyOn(canary.client, "send");
    const result = await read();
    return [result, send.mock.calls.length];
  }
  const filterOf = (filter: Partial<EpisodeFilter>): EpisodeFilter => ({
    startMs: 0,
    endMs: START_MS,
    nowMs: START_MS,
    ...filter,
  });

  test.each([
    ["all", {}],
    ["an invariant's", { invariantId: "S-02" }],
    ["an agent's", { subject: "agent-3" }],
    ["an agent's of one invariant", { subject: "agent-3", invariantId: "S-02" }],
    ["the open ones", { openOnly: true }],
    ["an agent's open ones", { subject: "agent-3", openOnly: true }],
  ])("%s: the memory, the agents as seen, and one query", async (_, filter) => {
    const list = () => canary.store.episodes.list(filterOf(filter), 25, null);
    const [{ items }, count] = await requests(list);
    expect(count).toBe(3);
    const sorted = items
      .map((e) => e.since)
      .sort()
      .reverse();
    expect(items.map((e) => e.since)).toEqual(sorted);
    expect(items[0]).toMatchObject({ until: null, cycles: 12, first_state: { slot_count: 14 } });
  });

  test("what a page has read already is not read again", async () => {
    const { memory } = await canary.store.lease.read();
    const latest = await canary.store.latest.read(START_MS);
    const list = () =>
      canary.store.episodes.list(filterOf({ invariantId: "S-02" }), 25, null, { memory, latest });
    expect((await requests(list))[1]).toBe(1);
  });

  test("page by page, each episode once: the open ones are all that the memory names", async () => {
    const ids: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await canary.store.episodes.list(filterOf({ openOnly: true }), 300, cursor);
      ids.push(...page.items.map((e) => e.id));
      cursor = page.cursor;
    } while (cursor);
    expect(new Set(ids).size).toBe(RED);
    expect(ids.length).toBe(RED);
  });

  test("the largest page is an answer of a function", async () => {
    const { items } = await canary.store.episodes.list(filterOf({}), 1_000, null);
    expect(items.length).toBeGreaterThan(500);
    expect(bytesOf(items)).toBeLessThan(MAX_ANSWER_BYTES);
  });

  test("one agent: the memory and the agents as seen", async () => {
    const { store, checks, now } = canary.deps;
    const [agent, count] = await requests(() => readAgent({ store, checks, now }, "agent-3"));
    expect(agent!.red).toMatchObject([
      { invariant_id: "S-02", cycles: 12, state: { agent_name: "agent-3" } },
    ]);
    expect(agent!.red[0]!.fix.join("\n")).toContain("agent-3");
    expect(count).toBe(2);
  });

  test("a plot of seven days: a query for each day that it touches, and one more for each that seems to have no cycle", async () => {
    const range = { startMs: START_MS - 7 * DAY_MS, endMs: START_MS, nowMs: START_MS };
    expect((await requests(() => canary.store.history.series(range)))[1]).toBe(16);
  });
});
