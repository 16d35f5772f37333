/**
 * Random histories, told to the alert machine and the outbox, and kept beside them by a model that was written from
 * what operators were promised: loops over everything that is red, no helper of the code. What is compared is what an
 * operator reads, taken from the texts of the alerts.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { advance } from "../../shared/alerts/advance.ts";
import type { Alert, Channel, Pending } from "../../shared/alerts/alert.ts";
import { NotDelivered, type Sender, type Senders } from "../../shared/alerts/channels/channel.ts";
import type { AlertPolicy } from "../../shared/alerts/notify.ts";
import { deliver, enqueue, isDue, pending } from "../../shared/alerts/outbox.ts";
import { routesOf } from "../../shared/alerts/route.ts";
import type { Silence } from "../../shared/alerts/silence.ts";
import type { AlertState } from "../../shared/alerts/state.ts";
import { toAlerts } from "../../shared/alerts/to-alert.ts";
import { coverageOf } from "../../shared/facts/coverage.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import type { Severity } from "../../shared/invariants/invariant.ts";
import { type AnyFinding, statusOf, unknownVerdict, type Verdict } from "../../shared/verdict/evaluate.ts";
import { oneByOne } from "../support/alert.ts";

/** Others in every run of the suite. */
const RUNS = 1000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const START_MS = Date.parse("2026-11-23T10:00:00.000Z");
/** The longest that a channel is left alone after it failed. */
const LONGEST_PAUSE_MS = 2 * HOUR_MS;

// ── Random histories ────────────────────────────────────────────────────────────────────────────────────────────────

const AGENTS = ["__proto__", "ada", "bob"] as const;
const IDS = ["L-03", "S-02"] as const;
const SOURCES = ["docker.exec[ruby]", "redis", "sqlite"] as const;
const CHANNELS = ["slack", "sns"] as const satisfies readonly Channel[];
type Agent = (typeof AGENTS)[number];
type Id = (typeof IDS)[number];
type Source = (typeof SOURCES)[number];

const LOOKS = ["green", "red", "unseen", "gone"] as const;
const MOODS = [
  "takes",
  "takes",
  "takes",
  "is down",
  "is down",
  "asks for a pause",
  "refuses",
  "is slow",
] as const;
const FATES = [
  "ends well",
  "ends well",
  "ends well",
  "ends well",
  "dies before the commit",
  "dies before delivery",
  "dies before marking",
] as const;

/** Unknown: not read. Incomplete: not all was read. Partial: all that is listed was read, but not all may be listed. */
type Sightedness = "clear" | "unknown" | "incomplete" | "partial";

/** What happens to the platform, the canary's settings or its channels between two cycles. */
type Change =
  | { what: "look"; id: Id; agent: Agent; look: (typeof LOOKS)[number] }
  | { what: "severity"; agent: Agent; severity: "critical" | "major" }
  | { what: "sight"; id: Id; sight: Sightedness }
  | { what: "source"; source: Source; reason: string | null }
  | { what: "channel"; channel: Channel; mood: (typeof MOODS)[number] }
  | { what: "configured"; channel: Channel; configured: boolean }
  | { what: "silence"; id: Id; subject: Agent | null; forMs: number }
  | { what: "silence ends" };
interface Cycle {
  /** After the one before. */
  afterMs: number;
  changes: Change[];
  /** Some invariants, or all: only a full cycle is news of how long things have been blind. */
  runs: Id[];
  fate: (typeof FATES)[number];
}

const anId = fc.constantFrom(...IDS);
const anAgent = fc.constantFrom(...AGENTS);
const aChannel = fc.constantFrom(...CHANNELS);
const weighted = <T>(...choices: [number, fc.Arbitrary<T>][]) =>
  fc.oneof(...choices.map(([weight, arbitrary]) => ({ weight, arbitrary })));

const change: fc.Arbitrary<Change> = weighted<Change>(
  [
    10,
    fc.record({
      what: fc.constant("look"),
      id: anId,
      agent: anAgent,
      look: fc.constantFrom(...LOOKS, "red"),
    }),
  ],
  [
    1,
    fc.record({
      what: fc.constant("severity"),
      agent: anAgent,
      severity: fc.constantFrom("critical", "major"),
    }),
  ],
  [
    3,
    fc.record({
      what: fc.constant("sight"),
      id: anId,
      sight: fc.constantFrom("clear", "clear", "clear", "unknown", "incomplete", "partial"),
    }),
  ],
  [
    2,
    fc.record({
      what: fc.constant("source"),
      source: fc.constantFrom(...SOURCES),
      reason: fc.constantFrom(null, "ECONNREFUSED", "no answer within 5000 ms"),
    }),
  ],
  [4, fc.record({ what: fc.constant("channel"), channel: aChannel, mood: fc.constantFrom(...MOODS) })],
  [
    2,
    fc.record({
      what: fc.constant("configured"),
      channel: aChannel,
      configured: fc.constantFrom(true, true, false),
    }),
  ],
  [
    2,
    fc.record({
      what: fc.constant("silence"),
      id: anId,
      subject: fc.constantFrom(null, ...AGENTS),
      forMs: fc.constantFrom(10 * MINUTE_MS, HOUR_MS, 2 * DAY_MS),
    }),
  ],
  [1, fc.record({ what: fc.constant("silence ends") })],
);

const cycle: fc.Arbitrary<Cycle> = fc.record({
  afterMs: weighted(
    [12, fc.constant(5 * MINUTE_MS)],
    [3, fc.constantFrom(HOUR_MS, 6 * HOUR_MS, 12 * HOUR_MS)],
    [2, fc.constantFrom(DAY_MS - 5 * MINUTE_MS, DAY_MS - 1, DAY_MS)],
  ),
  changes: fc.array(change, { maxLength: 4 }),
  runs: weighted([5, fc.constant([...IDS])], [1, fc.subarray([...IDS])]),
  fate: fc.constantFrom(...FATES),
});

const policies = fc.record({
  onRecovery: fc.constantFrom(true, true, true, false),
  onSpread: fc.constantFrom(true, true, true, false),
  remindAfterMs: fc.constantFrom(DAY_MS, DAY_MS, DAY_MS, 0),
  minSeverity: fc.constantFrom<Severity[]>("minor", "minor", "critical"),
  blindAfterCycles: fc.constantFrom(1, 2, 3),
});
const histories = fc.record({
  policy: policies,
  cycles: fc.array(cycle, { minLength: 1, maxLength: 40, size: "max" }),
});

// ── The platform ────────────────────────────────────────────────────────────────────────────────────────────────────

function makeWorld() {
  return {
    looks: Object.fromEntries(
      IDS.map((id) => [id, new Map<Agent, (typeof LOOKS)[number]>(AGENTS.map((agent) => [agent, "green"]))]),
    ) as Record<Id, Map<Agent, (typeof LOOKS)[number]>>,
    severities: new Map<Agent, Severity>(AGENTS.map((agent) => [agent, "critical"])),
    sight: { "L-03": "clear", "S-02": "clear" } as Record<Id, Sightedness>,
    sources: new Map<Source, string | null>(),
    moods: { slack: "takes", sns: "takes" } as Record<Channel, (typeof MOODS)[number]>,
    configured: new Set<Channel>(CHANNELS),
    silences: [] as Silence[],
  };
}
type World = ReturnType<typeof makeWorld>;

function apply(world: World, change: Change, nowMs: number): void {
  switch (change.what) {
    case "look":
      world.looks[change.id].set(change.agent, change.look);
      break;
    case "severity":
      world.severities.set(change.agent, change.severity);
      break;
    case "sight":
      world.sight[change.id] = change.sight;
      break;
    case "source":
      world.sources.set(change.source, change.reason);
      break;
    case "channel":
      world.moods[change.channel] = change.mood;
      break;
    case "configured":
      world.configured[change.configured ? "add" : "delete"](change.channel);
      break;
    case "silence":
      world.silences.push({
        id: `silence-${nowMs}`,
        invariantId: change.id,
        subject: change.subject,
        untilMs: nowMs + change.forMs,
        reason: "",
        createdAtMs: nowMs,
      });
      break;
    case "silence ends":
      world.silences.shift();
  }
}

const invariantOf = (id: Id) => INVARIANTS.find((i) => i.id === id)!;

const observedOf = (id: Id, agent: Agent): Record<string, unknown> =>
  id === "S-02"
    ? { agent_name: agent, slot_count: 3, max_parallel_tasks: 2, overbooked_by: 1, slot_ids: ["x", "y", "z"] }
    : { ghost_agent_name: agent, orphan_count: 1, redis_slot_count: 0, tables_hit: ["t"], sample_refs: [] };

function verdictOf(world: World, id: Id): Verdict {
  const invariant = invariantOf(id);
  if (world.sight[id] === "unknown") return unknownVerdict(invariant, "redis: ECONNREFUSED");
  const agents = (...looks: string[]) =>
    AGENTS.filter((agent) => looks.includes(world.looks[id].get(agent)!));
  const findings = agents("red").map(
    (agent): AnyFinding => ({
      subject: agent,
      keys: [agent],
      observed: observedOf(id, agent),
      signalQuery: "",
      ...(id === "L-03" && { severity: world.severities.get(agent)! }),
    }),
  );
  const subjects = agents("green", "red");
  const unseen = agents("unseen").map((subject) => ({ subject }));
  const unlisted = "docker: not read";
  const sawKey = (key: string) => subjects.some((agent) => agent === key);
  const coverage = coverageOf(
    { subjects, unseen, ...(world.sight[id] === "incomplete" && { unlisted, sawKey }) },
    world.sight[id] !== "clear",
  );
  return { invariant, findings, coverage, ...statusOf(findings, coverage) };
}

// ── What an operator reads ──────────────────────────────────────────────────────────────────────────────────────────

/** `broke S-02: ada, bob`, from the text alone. */
function read({ key, kind, invariantId, summary, lines }: Alert): string {
  if (kind === "blind" || kind === "sees")
    return `${kind}: ${lines
      .flatMap((line) => line.slice(0, line.indexOf(": ")).split(", "))
      .sort()
      .join(", ")}`;
  const told =
    kind === "recovered"
      ? (lines[0] ?? "").slice("was red: ".length)
      : summary.slice(summary.lastIndexOf(": ") + 2);
  return `${key.endsWith("/late") ? "late" : kind} ${invariantId}: ${told}`;
}

// ── The model ───────────────────────────────────────────────────────────────────────────────────────────────────────

type Policy = Omit<AlertPolicy, "routes"> & { readonly minSeverity: Severity };

interface Red {
  /** Subjects that were seen red and not seen healthy or gone since, and whether operators know of each. */
  readonly open: Map<Agent, { told: boolean }>;
  /** Everybody whom operators were told of while the invariant was red. */
  readonly everTold: Set<Agent>;
  lastToldMs: number | null;
  /** Who was sent it. */
  readonly sentTo: Set<Channel>;
}
interface Sight {
  unknowns: number;
  told: boolean;
  /** By the reason of its last verdict. */
  byRedis: boolean;
}

function makeModel(policy: Policy) {
  const reds = new Map<Id, Red>(
    IDS.map((id) => [id, { open: new Map(), everTold: new Set(), lastToldMs: null, sentTo: new Set() }]),
  );
  const sights = new Map<string, Sight>(
    [...IDS, ...SOURCES].map((name) => [name, { unknowns: 0, told: false, byRedis: false }]),
  );
  const seen = new Set<string>();
  const sightSentTo = new Set<Channel>();

  /** @returns what operators are promised to read after this cycle; each entry is the readings that are all right */
  function promised(world: World, { runs }: Cycle, nowMs: number): string[][] {
    const isFull = runs.length === IDS.length;
    const hasChannel = world.configured.size > 0;
    const reaches = (sentTo: ReadonlySet<Channel>) => [...sentTo].some((one) => world.configured.has(one));
    const isMissing = (sentTo: ReadonlySet<Channel>) => [...sentTo].some((one) => !world.configured.has(one));
    const isAnyBlind = () => [...sights.values()].some(({ told }) => told);
    const wasBlind = isAnyBlind();
    const isSilenced = (id: string, agent: Agent | null) =>
      world.silences.some(
        (s) => s.invariantId === id && nowMs < s.untilMs! && (s.subject === null || s.subject === agent),
      );
    const promises: string[][] = [];
    const blind: string[] = [];
    const sees: string[] = [];
    const look = (name: string, isUnknown: boolean) => {
      const sight = sights.get(name)!;
      sight.unknowns = isUnknown ? sight.unknowns + (isFull ? 1 : 0) : 0;
      if (isUnknown) sight.byRedis = name in world.looks && world.sight[name as Id] === "unknown";
      if (isUnknown || !sight.told) return;
      sight.told = false;
      // What is blind by a source that operators know of is its effect, and no news.
      const isEffect = sight.byRedis && sights.get("redis")!.told;
      if (!isEffect) sees.push(name);
    };

    for (const id of IDS) {
      if (!runs.includes(id)) continue;
      const verdict = verdictOf(world, id);
      look(id, verdict.status === "unknown");
      if (verdict.status === "unknown") continue;

      const red = reds.get(id)!;
      const wasOpen = [...red.open.keys()];
      const wasTold = wasOpen.filter((agent) => red.open.get(agent)!.told);
      for (const agent of AGENTS) {
        const isLook = world.looks[id].get(agent)!;
        const known = red.open.get(agent);
        if (isLook === "red" && !known) red.open.set(agent, { told: false });
        if (isLook === "green") red.open.delete(agent);
        if (isLook === "gone" && world.sight[id] === "clear") red.open.delete(agent);
      }
      if (red.open.size === 0) {
        const isKnown = red.sentTo.size > 0;
        // What is open at a channel that is away is ended once it is back, also where nobody wants to read of it.
        const isAway = isMissing(red.sentTo);
        red.lastToldMs = null;
        red.sentTo.clear();
        if (isKnown && (isAway || (policy.onRecovery && !isSilenced(id, null))))
          promises.push([`recovered ${id}: ${wasTold.sort().join(", ")}`]);
        continue;
      }
      const isTellable = (agent: Agent) =>
        hasChannel &&
        world.looks[id].get(agent) === "red" &&
        !isSilenced(id, agent) &&
        !(id === "L-03" && policy.minSeverity === "critical" && world.severities.get(agent) === "major");
      const tellable = AGENTS.filter(isTellable);
      // What is silenced while it is red is told when the silence ends, though it was told before.
      for (const agent of AGENTS)
        if (hasChannel && world.looks[id].get(agent) === "red" && isSilenced(id, agent))
          red.open.get(agent)!.told = false;
      const news = tellable.filter((agent) => !red.open.get(agent)!.told);
      for (const agent of AGENTS) if (red.open.has(agent) && !tellable.includes(agent)) seen.add("held back");
      const isFirst = ![...red.open.values()].some(({ told }) => told);
      for (const agent of news) red.open.get(agent)!.told = true;
      const heldBack = news.filter((agent) => wasOpen.includes(agent));
      const isDue =
        policy.remindAfterMs > 0 &&
        red.lastToldMs !== null &&
        nowMs - red.lastToldMs >= policy.remindAfterMs &&
        tellable.length > 0;
      const say = (kind: string, agents: readonly Agent[]) => `${kind} ${id}: ${agents.join(", ")}`;
      const isLate = (channel: Channel) => !isFirst && tellable.length > 0 && !red.sentTo.has(channel);
      const late = [...world.configured].filter(isLate);
      if (late.length > 0) promises.push([say("late", tellable)]);
      for (const channel of late) red.sentTo.add(channel);
      const others = [...world.configured].filter((channel) => !late.includes(channel));
      if (others.length === 0) continue;
      if (news.length > 0 && isFirst) promises.push([say("broke", news)]);
      else if (news.length > 0 && policy.onSpread) promises.push([say("spread", news)]);
      else if (heldBack.length > 0) promises.push([say("spread", heldBack)]);
      else if (isDue) promises.push([say("reminder", tellable)]);
      else continue;
      red.lastToldMs = nowMs;
      for (const channel of others) red.sentTo.add(channel);
    }

    if (isFull) for (const source of SOURCES) look(source, world.sources.get(source) != null);
    for (const name of [...SOURCES, ...IDS]) {
      const sight = sights.get(name)!;
      const isQuiet = name in world.looks && isSilenced(name, null);
      if (sight.told || sight.unknowns < policy.blindAfterCycles || !hasChannel || isQuiet) continue;
      sight.told = true;
      if (!(sight.byRedis && sights.get("redis")!.told)) blind.push(name);
    }
    const isEnd = wasBlind && !isAnyBlind();
    if ((sees.length > 0 && reaches(sightSentTo)) || (isEnd && isMissing(sightSentTo)))
      promises.push([`sees: ${sees.sort().join(", ")}`]);
    // A channel that is new hears of all that is blind.
    if (blind.length === 0 && [...world.configured].some((channel) => !sightSentTo.has(channel)))
      for (const [name, { told, byRedis }] of sights) {
        const isQuiet = name in world.looks && isSilenced(name, null);
        if (told && !isQuiet && !(byRedis && sights.get("redis")!.told)) blind.push(name);
      }
    if (blind.length > 0) for (const channel of world.configured) sightSentTo.add(channel);
    if (!isAnyBlind()) sightSentTo.clear();
    if (blind.length > 0) promises.push([`blind: ${blind.sort().join(", ")}`]);
    return promises;
  }
  return { promised, seen };
}

// ── The channels ────────────────────────────────────────────────────────────────────────────────────────────────────

/** Fails where they differ. An `expect` costs more than the comparison, and there are millions of them. */
function same(said: unknown, right: unknown): void {
  if (said !== right) expect(said).toBe(right);
}

interface Attempt {
  readonly key: string;
  readonly channel: Channel;
  readonly atMs: number;
  readonly run: number;
  readonly taken: boolean;
  readonly refused: boolean;
}

function makeChannels(world: World) {
  const attempts: Attempt[] = [];
  const texts = new Map<string, string>();
  const clock = { nowMs: START_MS, run: 0 };
  const sender = (channel: Channel): Sender =>
    oneByOne(async (alert) => {
      const mood = world.moods[channel];
      clock.nowMs += mood === "is slow" ? 4_000 : 10;
      const taken = mood === "takes" || mood === "is slow";
      const refused = mood === "refuses";
      attempts.push({ key: alert.key, channel, atMs: clock.nowMs, run: clock.run, taken, refused });
      const text = JSON.stringify(alert);
      same(texts.get(alert.key) ?? text, text);
      texts.set(alert.key, text);
      if (refused) throw new NotDelivered("HTTP 400", { refused: true });
      if (mood === "asks for a pause") throw new NotDelivered("HTTP 429", { retryAfterMs: LONGEST_PAUSE_MS });
      if (mood === "is down") throw new NotDelivered("HTTP 500");
    });
  const senders = (): Senders =>
    Object.fromEntries([...world.configured].map((channel) => [channel, sender(channel)]));
  return { attempts, clock, senders };
}

// ── The story ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** What the store gives back is what it was given, through JSON. */
const stored = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

async function live({ policy: all, cycles }: { policy: Policy; cycles: Cycle[] }) {
  const { minSeverity, ...policy } = all;
  const world = makeWorld();
  const model = makeModel(all);
  const { attempts, clock, senders } = makeChannels(world);
  let memory: AlertState = { states: {}, blindSources: {} };
  let outbox: readonly Pending[] = [];
  const created = new Map<string, Pending>();
  const dropped: { key: string; channel: Channel; atMs: number }[] = [];
  const deliveries: {
    run: number;
    atMs: number;
    untilMs: number;
    endMs: number;
    channels: Channel[];
    marked: boolean;
  }[] = [];

  async function deliverAll(marked: boolean) {
    const due = isDue(outbox, clock.nowMs);
    const [atMs, untilMs] = [clock.nowMs, clock.nowMs + 12_000];
    clock.run += 1;
    const before = attempts.length;
    const delivery = await deliver(outbox, senders(), () => clock.nowMs, untilMs);
    if (!due) expect([attempts.length - before, delivery.dropped.length]).toEqual([0, 0]);
    if (marked) {
      outbox = delivery.outbox;
      for (const { createdAtMs } of outbox) same(atMs - createdAtMs < DAY_MS, true);
      for (const { alert, channel } of delivery.dropped)
        dropped.push({ key: alert.key, channel, atMs: clock.nowMs });
    }
    const channels = [...world.configured];
    deliveries.push({ run: clock.run, atMs, untilMs, endMs: clock.nowMs, channels, marked });
  }

  let nowMs = START_MS;
  for (const cycle of cycles) {
    outbox = stored(outbox);
    nowMs += cycle.afterMs;
    clock.nowMs = nowMs;
    for (const change of cycle.changes) apply(world, change, nowMs);
    const stepped = advance(
      memory,
      {
        verdicts: cycle.runs.map((id) => verdictOf(world, id)),
        offInvariants: [],
        offSources: [],
        isFull: cycle.runs.length === IDS.length,
        unavailable: SOURCES.flatMap((source) => {
          const reason = world.sources.get(source);
          return reason ? [`${source}: ${reason}`] : [];
        }),
      },
      nowMs,
      { ...policy, routes: routesOf(senders(), minSeverity) },
      world.silences,
    );
    const snapshotTime = new Date(nowMs).toISOString();
    const addressed = toAlerts(
      {
        alerts: { environment: "test", statusUrl: null },
        backend: "sqlite" as const,
        redact: (text) => text,
      },
      stepped.notices,
      {
        snapshotTime,
        nowMs,
        idOf: () => undefined,
      },
    );
    const alerts = addressed.map(({ alert }) => alert);
    // Nothing of such a cycle is left, and nobody was told of it: it did not happen.
    if (cycle.fate === "dies before the commit") continue;

    const said = alerts.map(read).sort();
    const promises = model.promised(world, cycle, nowMs);
    const found = promises.map((right) => right.find((reading) => said.includes(reading)) ?? right.at(-1)!);
    expect(said).toEqual(found.filter((reading) => reading !== "").sort());

    const { states, blindSources, blindNotified } = stepped;
    memory = stored({ states, blindSources, ...(blindNotified && { blindNotified }) });
    for (const { alert, channels } of addressed) {
      same(created.has(alert.key), false);
      created.set(alert.key, pending(alert, channels, nowMs));
      model.seen.add(alert.key.endsWith("/late") ? "late" : alert.kind);
    }
    outbox = enqueue(outbox, addressed, nowMs).outbox;
    if (cycle.fate !== "dies before delivery") await deliverAll(cycle.fate !== "dies before marking");
  }

  // The platform says nothing new, and every channel is well again: what waits is told, or was too old.
  for (const channel of CHANNELS) {
    world.configured.add(channel);
    world.moods[channel] = "takes";
  }
  for (let round = 0; round < 8; round += 1) {
    outbox = stored(outbox);
    nowMs += HOUR_MS / 2;
    clock.nowMs = nowMs;
    await deliverAll(true);
  }
  expect(outbox).toEqual([]);
  return { created, attempts, dropped, deliveries, seen: model.seen };
}

/** At least once, never twice but under the same key after a crash, in order, and given up only after a day. */
function checkDelivery({ created, attempts, dropped, deliveries, seen }: Awaited<ReturnType<typeof live>>) {
  const runs = new Map(deliveries.map((d) => [d.run, d]));
  for (const [key, { createdAtMs, channels }] of created) {
    for (const channel of CHANNELS) {
      const mine = attempts.filter((a) => a.key === key && a.channel === channel);
      const drops = dropped.filter((d) => d.key === key && d.channel === channel);
      if (!(channel in channels)) {
        same(mine.length + drops.length, 0);
        continue;
      }
      const taken = mine.filter((a) => a.taken);
      const markedAt = mine.findIndex((a) => a.taken && runs.get(a.run)!.marked);
      same(taken.length + drops.length > 0, true);
      // What was taken and marked is over: nothing comes after it.
      same(drops.length, markedAt >= 0 ? 0 : 1);
      if (markedAt >= 0) same(mine.length - 1, markedAt);
      if (taken.length > 1) seen.add("double");

      for (const { atMs } of drops) {
        seen.add("dropped");
        // One that was refused is over as soon as a newer one of its invariant was taken: it would be read as the last word.
        const isOfInvariant = (a: Attempt) => a.key !== key && a.key.split("/")[1] === key.split("/")[1];
        const isPassed = attempts.some(
          (a) =>
            a.channel === channel && a.taken && isOfInvariant(a) && a.atMs >= createdAtMs && a.atMs <= atMs,
        );
        if (isPassed && atMs - createdAtMs < DAY_MS) continue;
        expect(atMs - createdAtMs).toBeGreaterThanOrEqual(DAY_MS);
        // Nobody neglected it: whenever it could have been told, it was tried, or the channel had just failed.
        for (const d of deliveries) {
          if (d.atMs < createdAtMs || d.endMs >= createdAtMs + DAY_MS || !d.channels.includes(channel))
            continue;
          const wasTried = mine.some((a) => a.run === d.run);
          const justFailed = attempts.some(
            (a) => a.channel === channel && !a.taken && a.run <= d.run && d.atMs - a.atMs <= LONGEST_PAUSE_MS,
          );
          same(wasTried || justFailed || d.endMs > d.untilMs - 1000, true);
        }
      }
    }
  }
  const marked = new Set(deliveries.filter((d) => d.marked).map((d) => d.run));
  const isStubborn = ({ key, channel, run }: Attempt) =>
    attempts.filter(
      (a) => a.key === key && a.channel === channel && a.run < run && !a.taken && marked.has(a.run),
    ).length >= 3;
  for (const { run } of deliveries) {
    for (const channel of CHANNELS) {
      const inRun = attempts.filter((a) => a.run === run && a.channel === channel);
      // Oldest first.
      const ages = inRun.map((a) => created.get(a.key)!.createdAtMs);
      same(ages.join(), [...ages].sort((a, b) => a - b).join());
      // A channel that is down is left alone for the rest of the run; what has failed three times before may itself be
      // what fails, and one more tells which it is.
      const failures = inRun.filter((a) => !a.taken && !a.refused);
      const suspects = failures.filter(isStubborn).slice(0, 1);
      const [lastFailure] = failures.filter((a) => !suspects.includes(a));
      if (lastFailure) same(inRun.indexOf(lastFailure), inRun.length - 1);
    }
  }
}

test("whatever happens, operators read what they were promised: no more, no less, and nothing is lost", async () => {
  const seen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(histories, async (history) => {
      const lived = await live(history);
      checkDelivery(lived);
      for (const what of lived.seen) seen.set(what, (seen.get(what) ?? 0) + 1);
    }),
    { numRuns: RUNS },
  );
  // A generator that hardly ever makes a kind of story proves nothing of it.
  const kinds = [
    "broke",
    "spread",
    "reminder",
    "recovered",
    "blind",
    "sees",
    "late",
    "held back",
    "double",
    "dropped",
  ];
  for (const what of kinds) expect([what, (seen.get(what) ?? 0) > RUNS / 60]).toEqual([what, true]);
});
