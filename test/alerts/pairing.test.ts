/** Whatever happens, what is opened at a channel is ended there, once, and nothing is ended that was not opened. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { advance } from "../../shared/alerts/advance.ts";
import type { Alert, Pending } from "../../shared/alerts/alert.ts";
import { NotDelivered, type Sender, type Senders } from "../../shared/alerts/channels/channel.ts";
import { deliver, enqueue } from "../../shared/alerts/outbox.ts";
import { routesOf } from "../../shared/alerts/route.ts";
import type { Silence } from "../../shared/alerts/silence.ts";
import type { AlertState } from "../../shared/alerts/state.ts";
import { toAlerts } from "../../shared/alerts/to-alert.ts";
import { coverageOf } from "../../shared/facts/coverage.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import type { Severity } from "../../shared/invariants/invariant.ts";
import { HOUR_MS, MINUTE_MS } from "../../shared/time.ts";
import { type AnyFinding, statusOf, unknownVerdict, type Verdict } from "../../shared/verdict/evaluate.ts";

const RUNS = 500;
const START_MS = Date.parse("2026-11-23T10:00:00.000Z");
const IDS = ["H-03", "S-02", "L-03"] as const;
const AGENTS = ["ada", "bob", "constructor"] as const;
const SOURCES = ["redis", "docker.exec[ruby]"] as const;
const CHANNELS = {
  slack: { together: "cycle", holdsOpen: false },
  webhook: { together: 1, holdsOpen: true },
  pagerduty: { together: 1, holdsOpen: true },
  eventbridge: { together: 10, holdsOpen: true },
} as const;
type Name = keyof typeof CHANNELS;
const NAMES = Object.keys(CHANNELS) as Name[];
const MOODS = [
  "takes",
  "takes",
  "refuses what opens",
  "is down",
  "takes a part",
  "takes and is not heard",
] as const;

const aSeverity = fc.constantFrom<Severity>("critical", "major", "minor");
const change = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      what: fc.constant("look" as const),
      id: fc.constantFrom(...IDS),
      agent: fc.constantFrom(...AGENTS),
      look: fc.constantFrom("red", "red", "green", "unseen"),
      severity: aSeverity,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant("sight" as const),
      id: fc.constantFrom(...IDS),
      isUnknown: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant("source" as const),
      source: fc.constantFrom(...SOURCES),
      isDown: fc.boolean(),
      isOff: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant("channel" as const),
      name: fc.constantFrom(...NAMES),
      mood: fc.constantFrom(...MOODS),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant("configured" as const),
      name: fc.constantFrom(...NAMES),
      isThere: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant("turned off" as const),
      id: fc.constantFrom(...IDS),
      isOff: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant("limits" as const),
      name: fc.constantFrom(...NAMES),
      minSeverity: fc.option(aSeverity),
      invariants: fc.option(fc.subarray([...IDS], { minLength: 1 })),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant("silence" as const),
      id: fc.constantFrom(...IDS),
      subject: fc.constantFrom(null, ...AGENTS),
      forMs: fc.constantFrom(10 * MINUTE_MS, 3 * HOUR_MS),
    }),
  },
);
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

const history = fc.record({
  onRecovery: fc.boolean(),
  onSpread: fc.boolean(),
  blindAfterCycles: fc.constantFrom(1, 2),
  cycles: fc.array(
    fc.record({
      changes: fc.array(change, { maxLength: 4 }),
      fate: fc.constantFrom(
        "ends well",
        "ends well",
        "dies before the commit",
        "dies before delivery",
        "dies before marking",
      ),
      runs: fc.constantFrom<readonly string[]>(IDS, IDS, IDS, ["S-02"]),
    }),
    { minLength: 1, maxLength: 15, size: "max" },
  ),
});

function makeWorld() {
  return {
    looks: new Map<string, { look: string; severity: Severity }>(),
    unknown: new Set<string>(),
    down: new Set<string>(),
    off: new Set<string>(),
    moods: Object.fromEntries(NAMES.map((name) => [name, "takes"])) as Record<Name, (typeof MOODS)[number]>,
    limits: {} as Partial<Record<Name, Pick<Sender, "minSeverity" | "invariants">>>,
    silences: [] as Silence[],
    away: new Set<Name>(),
    offIds: new Set<string>(),
  };
}
type World = ReturnType<typeof makeWorld>;

function apply(world: World, one: Change, nowMs: number): void {
  switch (one.what) {
    case "look":
      world.looks.set(`${one.id}/${one.agent}`, one);
      break;
    case "sight":
      world.unknown[one.isUnknown ? "add" : "delete"](one.id);
      break;
    case "source":
      world.down[one.isDown ? "add" : "delete"](one.source);
      world.off[one.isOff ? "add" : "delete"](one.source);
      break;
    case "channel":
      world.moods[one.name] = one.mood;
      break;
    case "configured":
      world.away[one.isThere ? "delete" : "add"](one.name);
      break;
    case "turned off":
      world.offIds[one.isOff ? "add" : "delete"](one.id);
      break;
    case "limits":
      world.limits[one.name] = { minSeverity: one.minSeverity, invariants: one.invariants };
      break;
    case "silence":
      world.silences.push({
        id: `${nowMs}`,
        invariantId: one.id,
        subject: one.subject,
        untilMs: nowMs + one.forMs,
        reason: "",
        createdAtMs: nowMs,
      });
  }
}

function verdictOf(world: World, id: string): Verdict {
  const invariant = { ...INVARIANTS.find((i) => i.id === id)!, summarize: () => "s", explain: () => "e" };
  if (world.unknown.has(id)) return unknownVerdict(invariant, "redis: ECONNREFUSED");
  const of = (look: string) => AGENTS.filter((agent) => world.looks.get(`${id}/${agent}`)?.look === look);
  const findings = of("red").map(
    (subject): AnyFinding => ({
      subject,
      keys: [subject],
      observed: {},
      signalQuery: "",
      severity: world.looks.get(`${id}/${subject}`)!.severity,
    }),
  );
  const unseen = of("unseen").map((subject) => ({ subject }));
  const subjects = AGENTS.filter((agent) => world.looks.get(`${id}/${agent}`)?.look !== "unseen");
  const coverage = coverageOf({ subjects, unseen });
  return { invariant, findings, coverage, ...statusOf(findings, coverage) };
}

interface Arrival {
  readonly key: string;
  readonly action: Alert["action"];
  readonly dedupKey: string;
}

/** Lives a history, and then a day on which everything is well. Returns what each channel took, in order. */
async function live({
  onRecovery,
  onSpread,
  blindAfterCycles,
  cycles,
}: typeof history extends fc.Arbitrary<infer T> ? T : never) {
  const world = makeWorld();
  const arrivals = Object.fromEntries(NAMES.map((name) => [name, [] as Arrival[]])) as Record<
    Name,
    Arrival[]
  >;
  let nowMs = START_MS;
  let memory: AlertState = { states: {}, blindSources: {} };
  let outbox: readonly Pending[] = [];

  const senderOf = (name: Name): Sender => ({
    ...CHANNELS[name],
    ...world.limits[name],
    async send(alerts) {
      const opens = alerts.some(({ action }) => action === "trigger");
      const mood = world.moods[name] === "refuses what opens" && !opens ? "takes" : world.moods[name];
      const took =
        mood === "takes" || mood === "takes and is not heard"
          ? alerts
          : mood === "takes a part"
            ? alerts.slice(1)
            : [];
      arrivals[name].push(...took.map(({ key, action, dedupKey }) => ({ key, action, dedupKey })));
      if (mood === "refuses what opens") throw new NotDelivered("HTTP 400", { refused: true });
      if (mood === "takes a part") throw new NotDelivered("some", { taken: took.map(({ key }) => key) });
      if (mood !== "takes") throw new NotDelivered("HTTP 500");
      return "ok";
    },
  });
  const senders = (): Senders =>
    Object.fromEntries(NAMES.filter((name) => !world.away.has(name)).map((name) => [name, senderOf(name)]));

  async function cycle(fate: string, runs: readonly string[]) {
    const stepped = advance(
      memory,
      {
        verdicts: runs.filter((id) => !world.offIds.has(id)).map((id) => verdictOf(world, id)),
        offInvariants: [...world.offIds],
        offSources: [...world.off].map((name) => name.split(".")[0]!),
        isFull: runs.length === IDS.length,
        unavailable: SOURCES.filter((name) => world.down.has(name) && !world.off.has(name)).map(
          (name) => `${name}: down`,
        ),
      },
      nowMs,
      {
        routes: routesOf(senders(), "minor"),
        onRecovery,
        onSpread,
        remindAfterMs: HOUR_MS,
        blindAfterCycles,
      },
      world.silences,
    );
    if (fate === "dies before the commit") return;
    const addressed = toAlerts(
      { alerts: { environment: "e", statusUrl: null }, backend: "sqlite" as const, redact: (text) => text },
      stepped.notices,
      {
        snapshotTime: new Date(nowMs).toISOString(),
        nowMs,
        idOf: () => undefined,
      },
    );
    for (const { alert } of addressed)
      expect(addressed.filter((other) => other.alert.key === alert.key)).toHaveLength(1);
    const { states, blindSources, blindNotified } = stepped;
    memory = JSON.parse(JSON.stringify({ states, blindSources, blindNotified }));
    outbox = JSON.parse(JSON.stringify(enqueue(outbox, addressed, nowMs).outbox));
    if (fate === "dies before delivery") return;
    const delivery = await deliver(outbox, senders(), () => nowMs, nowMs + 60_000);
    // A beginning that was refused, and its end, are over where a newer beginning was taken.
    for (const { alert, channel } of delivery.dropped)
      expect(arrivals[channel as keyof typeof arrivals]).toContainEqual(
        expect.objectContaining({ dedupKey: alert.dedupKey, action: "trigger" }),
      );
    if (fate !== "dies before marking") outbox = JSON.parse(JSON.stringify(delivery.outbox));
  }

  for (const { changes, fate, runs } of cycles) {
    nowMs += 5 * MINUTE_MS;
    for (const one of changes) apply(world, one, nowMs);
    await cycle(fate, runs);
  }
  Object.assign(world, {
    looks: new Map(),
    unknown: new Set(),
    down: new Set(),
    off: new Set(),
    silences: [],
    away: new Set(),
  });
  for (const name of NAMES) world.moods[name] = "takes";
  for (let round = 0; round < 8; round += 1) {
    nowMs += HOUR_MS;
    await cycle("ends well", IDS);
  }
  expect(outbox).toEqual([]);
  return arrivals;
}

test(`what is opened at a channel is ended there, in ${RUNS} histories`, async () => {
  let ended = 0;
  await fc.assert(
    fc.asyncProperty(history, async (lived) => {
      const arrivals = await live(lived);
      for (const name of NAMES) {
        const open = new Map<string, Set<string>>();
        const endedBy = new Map<string, string>();
        for (const { key, action, dedupKey } of arrivals[name]) {
          if (action === "trigger") {
            open.set(dedupKey, (open.get(dedupKey) ?? new Set()).add(key));
            continue;
          }
          // Nothing is ended that was not opened: but for the same alert once more, after a crash.
          expect([name, dedupKey, open.has(dedupKey) || endedBy.get(dedupKey) === key]).toEqual([
            name,
            dedupKey,
            true,
          ]);
          open.delete(dedupKey);
          endedBy.set(dedupKey, key);
          ended += 1;
        }
        // A channel for messages is not told of the end of what was silenced, and of none where nobody wants it.
        if (CHANNELS[name].holdsOpen) expect([name, [...open.keys()]]).toEqual([name, []]);
      }
    }),
    { numRuns: RUNS },
  );
  expect(ended).toBeGreaterThan(RUNS);
}, 120_000);
