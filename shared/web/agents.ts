/** The agents as API and pages show them: as the last full cycle saw them, with what is red of them now. */
import { redSubjectOf, type Tally } from "../alerts/state.ts";
import { backendOf, type Memory } from "../cycle/memory.ts";
import type { Checks } from "../invariants/checks.ts";
import type { Backend } from "../invariants/commands.ts";
import { type Guidance, guidanceOf } from "../invariants/guidance.ts";
import type { Invariant } from "../invariants/invariant.ts";
import { episodeId, severityIn } from "../store/episode.ts";
import { wordsOf } from "../store/episode-reader.ts";
import type { Latest } from "../store/latest.ts";
import { formatInstant } from "../time.ts";
import type { AgentBody, AgentSummaryRecord, AgentsBody } from "../wire/schemas/agents.ts";
import type { CanaryView } from "./view.ts";

/** Lines of commands for one invariant. */
const MAX_LINES = 60;

/** An agent of which nothing is known but its name. */
const UNSEEN = {
  on_roster: null,
  max_parallel_tasks: null,
  slots_used: null,
  running: null,
  queued: null,
  slots: null,
  rows: null,
} as const;

const redOf = (
  { id, severity }: Invariant,
  subject: string,
  { sinceMs, episode }: { readonly sinceMs: number; readonly episode?: Tally },
): AgentSummaryRecord["red"][number] => ({
  invariant_id: id,
  severity: episode ? severityIn(episode) : severity,
  since: formatInstant(sinceMs),
  cycles: episode?.[0] ?? 0,
  episode_id: episodeId({ invariantId: id, subject, sinceMs }),
});

/** The invariants that run, in the registry's order. What is off looks at nothing, and its earlier red is not shown. */
function running(checks: Checks, { lastFullCycle }: Memory): readonly Invariant[] {
  const off = new Set(lastFullCycle?.checksOff);
  return checks.all.filter(({ id }) => !checks.off.has(id) && !off.has(id));
}

/** Lists every agent of the roster and every red subject, the red ones first. */
export function describeAgents(checks: Checks, memory: Memory, latest: Latest | null): AgentsBody {
  const red = new Map<string, AgentSummaryRecord["red"][number][]>();
  for (const invariant of running(checks, memory))
    for (const [subject, state] of Object.entries(memory.states[invariant.id]?.red ?? {}))
      red.set(subject, [...(red.get(subject) ?? []), redOf(invariant, subject, state)]);
  const seen = new Map(latest?.agents.map((agent) => [agent.name, agent]));
  const names = [...new Set([...red.keys(), ...seen.keys()])].sort(
    (a, b) => Number(red.has(b)) - Number(red.has(a)) || (a < b ? -1 : 1),
  );
  return {
    seen_at: latest?.seen_at ?? null,
    unread: latest?.unread ?? [],
    agents: names.map((name) => {
      const { slots: _slots, rows: _rows, ...counts } = { ...UNSEEN, ...seen.get(name) };
      return { ...counts, name, red: red.get(name) ?? [] };
    }),
    left_out: latest?.left_out ?? 0,
  };
}

/**
 * Describes one agent. What is red of it has the state in which it was last found: that of the last full cycle, or, where
 * that had no place, the one that its episode's item has.
 * @returns null where there is no such agent, and never was one with an episode
 */
export async function readAgent(
  { store, checks, now }: Pick<CanaryView, "store" | "checks" | "now">,
  name: string,
): Promise<AgentBody | null> {
  const nowMs = now();
  const [{ memory }, latest] = await Promise.all([store.lease.read(), store.latest.read(nowMs)]);
  const agent = latest?.agents.find((one) => one.name === name);
  const red = await Promise.all(
    running(checks, memory).flatMap((invariant) => {
      const state = redSubjectOf(memory.states[invariant.id], name);
      return state
        ? [readRed({ store, nowMs, memory, latest }, invariant, name, redOf(invariant, name, state))]
        : [];
    }),
  );
  if (!agent && red.length === 0) {
    const filter = { subject: name, startMs: 0, endMs: nowMs, nowMs };
    const { items } = await store.episodes.list(filter, 1, null, { memory, latest });
    if (items.length === 0) return null;
  }
  return {
    ...UNSEEN,
    // Where the roster was read whole and every agent of it is listed, one that is not listed was not on it. One of which
    // something became red since may be new.
    ...(!agent &&
    latest?.left_out === 0 &&
    latest.has_roster &&
    !red.some(({ since }) => since > latest.seen_at)
      ? { on_roster: false }
      : {}),
    ...agent,
    name,
    seen_at: latest?.seen_at ?? null,
    unread: latest?.unread ?? [],
    red,
  };
}

interface Read {
  readonly store: CanaryView["store"];
  readonly nowMs: number;
  readonly memory: Memory;
  readonly latest: Latest | null;
}

async function readRed(
  { store, nowMs, memory, latest }: Read,
  invariant: Invariant,
  subject: string,
  red: AgentSummaryRecord["red"][number],
): Promise<AgentBody["red"][number]> {
  const { id, title } = invariant;
  const seen = latest?.red.find((one) => one.invariant_id === id && one.subject === subject);
  const stored = seen ? null : await store.episodes.get(red.episode_id, nowMs, { memory, latest });
  const states = seen?.states ?? (stored?.last_state ? [stored.last_state] : []);
  const state = states[0] ?? null;
  return {
    ...red,
    title,
    words: wordsOf(id, state),
    state,
    ...commandsOf(invariant, states, backendOf(memory)),
  };
}

/** The commands for what was found; with placeholders for names where that is not known. */
function commandsOf(
  invariant: Invariant,
  states: readonly Record<string, unknown>[],
  backend: Backend | null,
) {
  const found = (states.length > 0 ? states : [null]).map((state) => guidanceOf(invariant, state, backend));
  // A line may be a note on the next one: what two findings share is there once as a whole.
  const linesOf = (kind: keyof Guidance) =>
    [...new Set(found.map((guidance) => guidance[kind].join("\n")))]
      .flatMap((text) => (text === "" ? [] : text.split("\n")))
      .slice(0, MAX_LINES);
  return { verify: linesOf("verify"), fix: linesOf("fix"), safe: invariant.safe };
}
