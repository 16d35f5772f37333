import type { KnownBlock } from "@slack/types";
import { describe, expect, test } from "vitest";
import { advance } from "../../../shared/alerts/advance.ts";
import { type Alert, makeAlert } from "../../../shared/alerts/alert.ts";
import { headline } from "../../../shared/alerts/channels/message.ts";
import { slackMessage } from "../../../shared/alerts/channels/slack.ts";
import { plainMessage } from "../../../shared/alerts/channels/sns.ts";
import type { AlertPolicy } from "../../../shared/alerts/notify.ts";
import type { AlertState } from "../../../shared/alerts/state.ts";
import { type AlertContext, toAlert } from "../../../shared/alerts/to-alert.ts";
import type { Facts } from "../../../shared/facts/facts.ts";
import { INVARIANTS } from "../../../shared/invariants/index.ts";
import type { Severity } from "../../../shared/invariants/invariant.ts";
import { formatDuration } from "../../../shared/time.ts";
import { type AnyFinding, unknownVerdict, type Verdict } from "../../../shared/verdict/evaluate.ts";
import {
  AGENT,
  container,
  containersOf,
  countsOf,
  executionsOf,
  finished,
  judge,
  NOW_MS,
  orphansOf,
  queued,
  rememberedOf,
  rosterOf,
  running,
  runningContainer,
  SNAPSHOT_TIME,
  schedule,
  secondsAgo,
  slot,
  slotsOf,
  zombiesOf,
} from "../../support/facts.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** The id under which the first violation of the cycle was recorded. */
const FIRST_ID = 20261123000021;
const STATUS_URL = "https://canary.example.com/?env=prod&view=all";

const IDS = INVARIANTS.map(({ id }) => id);
const invariantOf = (id: string) => INVARIANTS.find((i) => i.id === id)!;

/** These find one thing, whatever the number of agents. */
const FINDS_ONE = new Set(INVARIANTS.filter((i) => i.discredits).map(({ id }) => id));

/** @returns facts in which that invariant is red once for each name, or once by all, with an execution of the same name */
function redFacts(id: string, names: readonly string[]): Partial<Facts> {
  const roster = rosterOf(Object.fromEntries(names.map((name) => [name, { maxParallelTasks: 1 }])));
  const each = <T>(of: (name: string) => T) => Object.fromEntries(names.map((name) => [name, of(name)]));
  const rows = (of: (name: string) => ReturnType<typeof running>) => executionsOf(names.map(of));
  switch (id) {
    case "H-01":
      return {
        roster: rosterOf({}),
        rosterDoubtSince: NOW_MS - HOUR_MS,
        containers: containersOf(names.map((agent) => runningContainer({ agent }))),
      };
    case "H-02":
      return {
        newestStart: NOW_MS - HOUR_MS,
        slots: slotsOf({ ...each((name) => [slot("1st"), slot(`2nd of ${name}`)]), zed: [slot("3rd")] }),
      };
    case "H-03":
      return {
        executions: executionsOf([...names, "zed"].map((agent) => running(`run of ${agent}`, { agent }))),
        platformKeys: { hasSlotKey: false, hasHeartbeat: false },
      };
    case "S-01":
      return { roster, slots: slotsOf(each((name) => [slot(`run of ${name}`)])) };
    case "S-02":
      return { roster, slots: slotsOf(each((name) => [slot(`1st of ${name}`), slot(`2nd of ${name}`)])) };
    case "S-03":
      return { roster, slots: slotsOf(each((name) => [slot(`run of ${name}`, { ttlSeconds: -1 })])) };
    case "E-01":
      return {
        roster,
        executions: rows((agent) => running(`run of ${agent}`, { agent, ageSeconds: 9000 })),
      };
    case "E-02":
      return {
        executions: rows((agent) => running(`run of ${agent}`, { agent })),
        finishedRuns: rememberedOf(Object.fromEntries(names.map((name) => [`run of ${name}`, "success"]))),
      };
    case "E-03":
      return {
        endedWithoutTime: names.map((agent) => finished(`run of ${agent}`, { agent, endedSecondsAgo: null })),
      };
    case "E-04":
      return {
        backlogDefects: names.map((agent) => ({ id: `run of ${agent}`, agent, defect: "queued_at_null" })),
      };
    case "E-06":
      return {
        roster,
        schedules: names.map((agent) => schedule(`run of ${agent}`, { agent, overdueSeconds: 7_200 })),
      };
    case "G-03":
      return {
        endedBeforeStart: names.map((agent) =>
          finished(`run of ${agent}`, { agent, endedSecondsAgo: 90, startedSecondsAgo: 60 }),
        ),
      };
    case "G-04":
      return {
        credentialsInQueue: names.map((agent) => ({ id: `run of ${agent}`, agent, pattern: "ghp" })),
      };
    case "E-05":
      return { executions: rows((agent) => running(`run of ${agent}`, { agent, ageSeconds: 90 })) };
    case "L-03":
      return {
        roster: rosterOf({ other: {} }),
        orphans: orphansOf(each(() => ({ rows: { schedule_executions: 2 } }))),
      };
    case "B-01":
      return { roster, queueCounts: countsOf(each(() => 7)) };
    case "B-02":
      return {
        roster,
        executions: rows((agent) => queued(`run of ${agent}`, { agent, waitedSeconds: 400 })),
        drainTick: { atSeconds: secondsAgo(300) },
      };
    case "B-08":
      return {
        roster,
        pullPolls: new Map(names.map((name) => [name, secondsAgo(400)])),
        containers: containersOf(names.map((agent) => runningContainer({ agent, isPullMode: true }))),
      };
    case "R-01":
      return {
        roster,
        zombies: zombiesOf(names.map((agent, i) => container([7, 8, 9], { agent, containerId: `c${i}` }))),
      };
    default:
      throw new Error(`there are no red facts for ${id}`);
  }
}

const POLICY: AlertPolicy = {
  routes: [{ name: "slack", minSeverity: "minor", invariants: null, holdsOpen: false }],
  onRecovery: true,
  onSpread: true,
  remindAfterMs: DAY_MS,
  blindAfterCycles: 1,
};
const NOTHING: AlertState = { states: {}, blindSources: {} };

interface Told {
  prior?: AlertState;
  nowMs?: number;
  severity?: Severity;
  context?: Partial<AlertContext>;
}

/** The cycle in which this verdict came about. @returns its alerts, and what is remembered of it */
function tell(verdicts: readonly Verdict[], { prior = NOTHING, nowMs = NOW_MS, context = {} }: Told = {}) {
  const findings = verdicts.flatMap((v) => v.findings);
  const { states, blindSources, notices } = advance(
    prior,
    { verdicts, offInvariants: [], offSources: [], unavailable: [], isFull: true },
    nowMs,
    POLICY,
    [],
  );
  const alerts = notices.map((notice) =>
    toAlert(notice, {
      environment: "production",
      statusUrl: STATUS_URL,
      snapshotTime: SNAPSHOT_TIME,
      nowMs,
      redact: (text) => text,
      idOf: (finding) => FIRST_ID + findings.indexOf(finding),
      ...context,
    }),
  );
  return { alerts, remembered: { states, blindSources } };
}

const withSeverity = (verdict: Verdict, severity: Severity): Verdict => ({
  ...verdict,
  findings: verdict.findings.map((finding): AnyFinding => ({ ...finding, severity })),
});

/** @returns the alert of the first cycle in which the invariant is red for these names */
function brokeAlert(id: string, names: readonly string[] = [AGENT], told: Told = {}): Alert {
  const verdict = judge(invariantOf(id), redFacts(id, names));
  const { alerts } = tell([told.severity ? withSeverity(verdict, told.severity) : verdict], told);
  expect(alerts).toHaveLength(1);
  return alerts[0]!;
}

const agents = (count: number) =>
  Array.from({ length: count }, (_, i) => `agent-${String(i).padStart(3, "0")}`);

// ── Reading a message as Slack does ─────────────────────────────────────────────────────────────────────────────────

type Message = ReturnType<typeof slackMessage>;
const headerOf = ({ blocks }: Message) => (blocks[0] as Extract<KnownBlock, { type: "header" }>).text;
const sectionsOf = ({ blocks }: Message) =>
  blocks.flatMap((block) => (block.type === "section" && block.text ? [block.text] : []));
const contextOf = ({ blocks }: Message) =>
  blocks.flatMap((block) =>
    block.type === "context" ? (block.elements as { type: string; text: string }[]) : [],
  );

/** https://docs.slack.dev/reference/block-kit/blocks: what is longer is refused as `invalid_blocks`. */
function expectWithinSlacksLimits(message: Message): void {
  const { blocks, text } = message;
  expect(blocks.length).toBeLessThanOrEqual(50);
  expect(blocks.map((block) => block.type)).toEqual(expect.arrayContaining(["header", "section", "context"]));
  for (const block of blocks) expect(["header", "section", "context"]).toContain(block.type);
  const header = headerOf(message);
  expect(header.type).toBe("plain_text");
  for (const section of sectionsOf(message)) {
    expect(section.type).toBe("mrkdwn");
    expect(section.text.length).toBeGreaterThan(0);
    expect(section.text.length).toBeLessThanOrEqual(3000);
  }
  expect(header.text.length).toBeGreaterThan(0);
  expect(header.text.length).toBeLessThanOrEqual(150);
  const elements = contextOf(message);
  expect(elements.length).toBeGreaterThan(0);
  expect(elements.length).toBeLessThanOrEqual(10);
  for (const element of elements) {
    expect(element.type).toBe("mrkdwn");
    expect(element.text.length).toBeGreaterThan(0);
    expect(element.text.length).toBeLessThanOrEqual(2000);
  }
  expect(text.length).toBeGreaterThan(0);
  // Slack cuts the text of a post at 40000, and asks for at most 4000.
  expect(text.length).toBeLessThanOrEqual(4000);
  expect(JSON.stringify(message)).not.toMatch(/undefined|NaN|\[object/);
}

/** https://docs.aws.amazon.com/sns/latest/api/API_Publish.html */
function expectWithinSnsLimits({ subject, text }: ReturnType<typeof plainMessage>): void {
  expect(subject).toMatch(/^[!-~][ -~]{0,99}$/);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(262_144);
  expect(text.length).toBeGreaterThan(0);
  expect(text).not.toMatch(/undefined|NaN|\[object/);
}

/** Everything of the message that Slack reads as mrkdwn, but for what the canary itself marks up. */
function mrkdwnOf(message: Message): string[] {
  const elements = contextOf(message).map((e) => e.text);
  const sections = sectionsOf(message).map((s) => s.text.replace(/^\*What to do:\* /, ""));
  return [message.text, ...sections, ...elements.filter((text) => !/^<https:[^<>|]+\|status>$/.test(text))];
}

/** Nothing in it can become a mention, a link, an entity or a format. */
function expectNoMarkup(text: string): void {
  expect(text).not.toMatch(/[<>]/);
  expect(text.replaceAll(/&(amp|lt|gt);/g, "")).not.toContain("&");
  // A mark between two zero-width spaces touches no word, so that it can't open or close anything.
  for (const { index } of text.matchAll(/[*_~`]/g))
    expect([text[index - 1], text[index + 1]]).toEqual(["\u200b", "\u200b"]);
  expectWellFormed(text);
}

/** No half of an emoji: JSON would carry it, and the other side would refuse it. */
const expectWellFormed = (text: string) => expect(text).not.toMatch(/\p{Surrogate}/u);

// ── The tests ───────────────────────────────────────────────────────────────────────────────────────────────────────

describe.each(IDS)("%s", (id) => {
  const { title, severity, runbook } = invariantOf(id);
  const heading = () => {
    const mark = { critical: "🚨", major: "⚠️", minor: "🟡" }[severity];
    return `${mark} ${id} ${title} — ${severity}`;
  };

  test.each(FINDS_ONE.has(id) ? [2, 500] : [])(
    "of %d agents is one violation, and names some of them",
    (count) => {
      const names = agents(count);
      const alert = brokeAlert(id, names);
      const message = slackMessage(alert);
      expectWithinSlacksLimits(message);
      expectWithinSnsLimits(plainMessage(alert));
      expect(headerOf(message).text).toBe(heading());
      expect(alert.lines).toEqual([expect.stringContaining(names[0]!)]);
      for (const text of mrkdwnOf(message)) expectNoMarkup(text);
    },
  );

  test.each(FINDS_ONE.has(id) ? [] : [1, 5, 6, 500])(
    "with %d violation(s) fits in Slack and in SNS, and says what matters",
    (count) => {
      const names = agents(count);
      const verdict = judge(invariantOf(id), redFacts(id, names));
      expect([verdict.status, verdict.findings.length]).toEqual(["red", count]);
      const alert = brokeAlert(id, names);
      const message = slackMessage(alert);
      const plain = plainMessage(alert);
      expectWithinSlacksLimits(message);
      expectWithinSnsLimits(plain);

      expect(headerOf(message).text).toBe(heading());
      expect(plain.subject).toBe(
        `[production] ${id} ${title} - ${severity}`.replaceAll("–", "-").replaceAll("—", "-"),
      );
      const [summary, lines, todo] = sectionsOf(message).map((s) => s.text);
      expect(summary).toContain(names.slice(0, 5).join(", ") + (count > 5 ? ` and ${count - 5} more` : ""));
      expect(summary).not.toContain("\n");
      const shown = lines!.split("\n");
      const most = Math.min(count, 5);
      expect(shown.slice(0, most).every((line, i) => line.startsWith(`• ${names[i]}`))).toBe(true);
      expect(shown.slice(most)).toEqual(count > 5 ? [`… +${count - 5} more`] : []);
      expect(todo).toMatch(/^\*What to do:\* /);
      for (const text of mrkdwnOf(message)) expectNoMarkup(text);

      const ids = count === 1 ? `violation ${FIRST_ID}` : `violations ${FIRST_ID}–${FIRST_ID + count - 1}`;
      expect(contextOf(message).map((e) => e.text)).toEqual([
        "production",
        ids,
        `snapshot ${SNAPSHOT_TIME}`,
        `${count} violation(s)`,
        "first red for this invariant",
        `alert ${SNAPSHOT_TIME}/${id}/broke`,
        "<https://canary.example.com/?env=prod&amp;view=all|status>",
      ]);
      for (const part of [runbook, ids, `${count} violation(s)`, SNAPSHOT_TIME, STATUS_URL, `- ${names[0]}`])
        expect(plain.text).toContain(part);
      expect(plain.text.includes(`… +${count - 5} more`)).toBe(count > 5);
    },
  );

  test.each([1, 500])("with %d agent(s) of hostile names and ids of 500 characters", (count) => {
    const names = Array.from({ length: count }, (_, i) => hostile(`${i} `));
    const alert = brokeAlert(id, names);
    expect(alert.lines.every((line) => line.includes("<!channel>"))).toBe(true);
    const message = slackMessage(alert);
    expectWithinSlacksLimits(message);
    for (const text of mrkdwnOf(message)) expectNoMarkup(text);
    expectWellFormed(headerOf(message).text);
    const plain = plainMessage(alert);
    expectWithinSnsLimits(plain);
    expectWellFormed(plain.text);
  });

  test("its runbook arrives whole", () => {
    const [, , todo] = sectionsOf(slackMessage(brokeAlert(id))).map((s) => s.text);
    const unescaped = todo!
      .slice("*What to do:* ".length)
      .replaceAll("\u200b", "")
      .replaceAll("&lt;", "<")
      .replaceAll("&gt;", ">")
      .replaceAll("&amp;", "&");
    expect(unescaped).toBe(runbook);
  });
});

/** 500 characters of everything that a channel might take for something else. */
function hostile(prefix: string): string {
  const nasty =
    "<!channel> <@U012AB3CD> & &lt; *bold* _it_ ~gone~ `code` ```x``` <http://x|y> 🧟‍♀️\n> \u202e\u200f\t@here ";
  return (prefix + nasty.repeat(10)).slice(0, 500);
}

describe("the first line", () => {
  test.each([
    ["critical", "🚨 S-02 Slot overbooking — critical"],
    ["major", "⚠️ S-02 Slot overbooking — major"],
    ["minor", "🟡 S-02 Slot overbooking — minor"],
  ] as const)("%s", (severity, line) => {
    const alert = brokeAlert("S-02", [AGENT], { severity });
    expect(headline(alert)).toBe(line);
    expect(headerOf(slackMessage(alert))).toEqual({ type: "plain_text", text: line, emoji: false });
    expect(slackMessage(alert).text).toBe(
      `[production] ${line}: 1 slot(s) above the cap across 1 agent(s): ${AGENT}`,
    );
  });

  test("is as severe as the worst of what it names: a ghost that left only a tag is major", () => {
    const orphans = orphansOf({ ghost: { rows: { agent_tags: 1 } } });
    const [alert] = tell([judge(invariantOf("L-03"), { orphans })]).alerts;
    expect(headline(alert!)).toBe("⚠️ L-03 Delete cascades — major");
  });

  test("of an e-mail is plain ASCII, whatever the environment is called", () => {
    const { subject } = plainMessage(
      brokeAlert("S-02", [AGENT], { context: { environment: "Łódź\r\nBcc: all@example.com 🧨" } }),
    );
    expect(subject).toMatch(/^\[[ -~]*\] S-02 Slot overbooking - critical$/);
  });

  test("is cut where titles and environments are absurdly long", () => {
    const alert = { ...brokeAlert("S-02"), title: "🧟".repeat(500), environment: "e".repeat(5000) };
    const message = slackMessage(alert);
    expectWithinSlacksLimits(message);
    expectWellFormed(headerOf(message).text);
    expectWithinSnsLimits(plainMessage(alert));
  });
});

describe("what an operator reads first", () => {
  test("three zombies of one agent", () => {
    const zombies = zombiesOf([container([7, 8, 9])]);
    const [alert] = tell([judge(invariantOf("R-01"), { zombies })]).alerts;
    const summary = "3 zombie claude process(es) across 1 agent(s): cornelius-m";
    expect(sectionsOf(slackMessage(alert!))[0]!.text).toBe(summary);
    expect(plainMessage(alert!).text.split("\n")[2]).toBe(summary);
  });

  test("two containers of one agent are two violations of one agent", () => {
    const zombies = zombiesOf([container([7]), container([8], { containerId: "beef" })]);
    const [alert] = tell([judge(invariantOf("R-01"), { zombies })]).alerts;
    expect(alert!.summary).toBe("2 zombie claude process(es) across 1 agent(s): cornelius-m");
    expect(alert!.context).toContain("2 violation(s)");
  });

  test("an agent whose name is Slack's mention of everybody", () => {
    const message = slackMessage(brokeAlert("S-02", ["<!everyone> & *co*"]));
    expect(sectionsOf(message)[0]!.text).toBe(
      "1 slot(s) above the cap across 1 agent(s): &lt;!everyone&gt; &amp; \u200b*\u200bco\u200b*\u200b",
    );
  });
});

describe("when it was red before", () => {
  const s02 = invariantOf("S-02");
  const red = (...names: string[]) => judge(s02, redFacts("S-02", names));
  const green = judge(s02);

  /** It was red at first, then green, and is red again so long after. */
  function redAgainAfter(ms: number): Alert {
    const first = tell([red(AGENT)]);
    const { remembered } = tell([green], { prior: first.remembered, nowMs: NOW_MS + MINUTE_MS });
    return tell([red(AGENT)], { prior: remembered, nowMs: NOW_MS + ms }).alerts[0]!;
  }

  test.each([
    [5 * MINUTE_MS, "last red 5 min ago"],
    [2 * HOUR_MS, "last red 2h ago"],
    [2 * HOUR_MS + 59 * MINUTE_MS, "last red 2h ago"],
    [47 * HOUR_MS, "last red 47h ago"],
    [3 * DAY_MS, "last red 3d ago"],
  ])("after %d ms: %s", (ms, said) => {
    expect(contextOf(slackMessage(redAgainAfter(ms))).map((e) => e.text)).toContain(said);
  });

  test("durations are shown in their largest unit", () => {
    expect([0, 59_999, 60_000, HOUR_MS - 1, HOUR_MS, 2 * DAY_MS - 1, 2 * DAY_MS].map(formatDuration)).toEqual(
      ["0 s", "59 s", "1 min", "59 min", "1h", "47h", "2d"],
    );
  });

  test("a recovery says how long it was red, and of whom", () => {
    const { remembered } = tell([red("ada", "bob")]);
    const [alert] = tell([green], { prior: remembered, nowMs: NOW_MS + 3 * HOUR_MS }).alerts;
    const message = slackMessage(alert!);
    expectWithinSlacksLimits(message);
    expect(headerOf(message).text).toBe("✅ S-02 Slot overbooking — recovered");
    expect(sectionsOf(message).map((s) => s.text)).toEqual([
      "green again, it was red for 3h",
      "• was red: ada, bob",
    ]);
    expect(plainMessage(alert!).subject).toBe("[production] S-02 Slot overbooking - recovered");
  });

  test("a recovery of 500 agents with hostile names fits as well", () => {
    const { remembered } = tell([red(...Array.from({ length: 500 }, (_, i) => hostile(`${i} `)))]);
    const [alert] = tell([green], { prior: remembered, nowMs: NOW_MS + HOUR_MS }).alerts;
    const message = slackMessage(alert!);
    expectWithinSlacksLimits(message);
    expectWithinSnsLimits(plainMessage(alert!));
    for (const text of mrkdwnOf(message)) expectNoMarkup(text);
  });

  test("a spread says who joined, and counts only those", () => {
    const { remembered } = tell([red("ada")]);
    const [alert] = tell([red("ada", "bob", "cyd")], {
      prior: remembered,
      nowMs: NOW_MS + 2 * HOUR_MS,
    }).alerts;
    const message = slackMessage(alert!);
    expect(headerOf(message).text).toBe("🚨 S-02 Slot overbooking — critical, spreading");
    const [summary, lines] = sectionsOf(message).map((s) => s.text);
    expect(summary).toBe("joined: 2 slot(s) above the cap across 2 agent(s): bob, cyd");
    expect(lines!.split("\n").map((line) => line.slice(0, 5))).toEqual(["• bob", "• cyd"]);
    expect(alert!.context).toEqual([
      `violations ${FIRST_ID + 1}–${FIRST_ID + 2}`,
      `snapshot ${SNAPSHOT_TIME}`,
      "2 violation(s)",
      "red for 2h",
    ]);
  });

  test("a reminder says that it is still red, and for how long", () => {
    const { remembered } = tell([red(AGENT)]);
    const [alert] = tell([red(AGENT)], { prior: remembered, nowMs: NOW_MS + 3 * DAY_MS }).alerts;
    expect(headline(alert!)).toBe("🚨 S-02 Slot overbooking — critical, still red");
    expect(alert!.summary).toBe(`still red: 1 slot(s) above the cap across 1 agent(s): ${AGENT}`);
    expect(alert!.context).toContain("red for 3d");
  });
});

describe("what is blind", () => {
  const blind = INVARIANTS.map((invariant) => unknownVerdict(invariant, "redis: ECONNREFUSED"));

  test("names all in the summary, five with their reasons, and how many more there are", () => {
    const [alert] = tell(blind).alerts;
    const message = slackMessage(alert!);
    expectWithinSlacksLimits(message);
    expectWithinSnsLimits(plainMessage(alert!));
    expect(headerOf(message).text).toBe("🙈 The canary is blind");
    const [summary, lines] = sectionsOf(message).map((s) => s.text);
    expect(summary).toBe(`not read for some cycles: ${IDS.join(", ")}`);
    expect(lines!.split("\n")).toEqual([
      ...IDS.slice(0, 5).map((id) => `• ${id}: redis: ECONNREFUSED (since ${SNAPSHOT_TIME})`),
      `… +${IDS.length - 5} more`,
    ]);
  });

  test("says when it sees again, and for how long it did not", () => {
    const { remembered } = tell(blind);
    const [alert] = tell([judge(invariantOf("S-02"))], {
      prior: remembered,
      nowMs: NOW_MS + 40 * MINUTE_MS,
    }).alerts;
    expect(headline(alert!)).toBe("👀 The canary sees again");
    expect(alert!.summary).toBe("read again: S-02");
    expect(alert!.lines).toEqual(["S-02: was blind for 40 min"]);
    expect(alert!.key).toBe(`${SNAPSHOT_TIME}/sight/sees`);
  });

  test("200 containers with hostile names at once fit as well", () => {
    const names = Array.from({ length: 200 }, (_, i) => hostile(`docker.exec[${i}`).replaceAll(":", ""));
    const { notices } = advance(
      NOTHING,
      {
        verdicts: [],
        offInvariants: [],
        offSources: [],
        isFull: true,
        unavailable: names.map((name) => `${name}: ${hostile("")}`),
      },
      NOW_MS,
      POLICY,
      [],
    );
    const alert = toAlert(notices[0]!, {
      environment: "production",
      statusUrl: null,
      snapshotTime: SNAPSHOT_TIME,
      nowMs: NOW_MS,
      redact: (text) => text,
      idOf: () => undefined,
    });
    expect(alert.more).toBe(195);
    const message = slackMessage(alert);
    expectWithinSlacksLimits(message);
    for (const text of mrkdwnOf(message)) expectNoMarkup(text);
    expectWithinSnsLimits(plainMessage(alert));
  });
});

describe("the link to the status page", () => {
  const linkOf = (statusUrl: string | null) =>
    contextOf(slackMessage(brokeAlert("S-02", [AGENT], { context: { statusUrl } }))).at(-1)!.text;

  test("is left out where there is no page", () => {
    expect(linkOf(null)).toBe(`alert ${SNAPSHOT_TIME}/S-02/broke`);
    const plain = plainMessage(brokeAlert("S-02", [AGENT], { context: { statusUrl: null } }));
    expect(plain.text).not.toContain("null");
  });

  test("can't be broken out of", () => {
    expect(linkOf("https://x/?a=b|c>d<!channel>")).toBe("<https://x/?a=b%7Cc%3Ed%3C!channel%3E|status>");
  });
});

test("an alert is remembered small, whatever it is about", () => {
  const long = hostile("").repeat(20);
  const alert = makeAlert(
    {
      ...brokeAlert("S-02"),
      summary: long,
      lines: Array.from({ length: 500 }, () => long),
      context: [long],
    },
    (text) => text,
  );
  expect([alert.lines.length, alert.more]).toEqual([5, 495]);
  expect(JSON.stringify(alert).length).toBeLessThan(8000);
  for (const text of [alert.summary, ...alert.lines, ...alert.context]) {
    expectWellFormed(text);
    expect(text.endsWith("…")).toBe(true);
  }
});

describe("a whole message, as it is read", () => {
  const s02 = invariantOf("S-02");
  const context = { environment: "production", statusUrl: "https://canary.example.com/" };
  const alertIn = (verdict: Verdict, told: Told = {}) => tell([verdict], { ...told, context }).alerts[0]!;
  const broke = () => alertIn(judge(s02, redFacts("S-02", ["ada"])));

  test("broke, in Slack", () => {
    expect(slackMessage(broke()).blocks.map((block) => JSON.stringify(block))).toMatchInlineSnapshot(`
      [
        "{"type":"header","text":{"type":"plain_text","text":"🚨 S-02 Slot overbooking — critical","emoji":false}}",
        "{"type":"section","text":{"type":"mrkdwn","text":"1 slot(s) above the cap across 1 agent(s): ada","verbatim":true}}",
        "{"type":"section","text":{"type":"mrkdwn","text":"• ada: 2 slots for a cap of 1: 1st of ada, 2nd of ada","verbatim":true}}",
        "{"type":"section","text":{"type":"mrkdwn","text":"*What to do:* Compare slot​_​ids with the agent's running rows: release slots whose execution has ended; if all are alive, find the start that did not go through acquire.","verbatim":true}}",
        "{"type":"context","elements":[{"type":"mrkdwn","text":"production","verbatim":true},{"type":"mrkdwn","text":"violation 20261123000021","verbatim":true},{"type":"mrkdwn","text":"snapshot 2026-11-23T12:00:00.000Z","verbatim":true},{"type":"mrkdwn","text":"1 violation(s)","verbatim":true},{"type":"mrkdwn","text":"first red for this invariant","verbatim":true},{"type":"mrkdwn","text":"alert 2026-11-23T12:00:00.000Z/S-02/broke","verbatim":true},{"type":"mrkdwn","text":"<https://canary.example.com/|status>","verbatim":true}]}",
      ]
    `);
  });

  test("broke, as an e-mail", () => {
    expect(plainMessage(broke()).text).toMatchInlineSnapshot(`
      "[production] 🚨 S-02 Slot overbooking — critical

      1 slot(s) above the cap across 1 agent(s): ada

      - ada: 2 slots for a cap of 1: 1st of ada, 2nd of ada

      What to do: Compare slot_ids with the agent's running rows: release slots whose execution has ended; if all are alive, find the start that did not go through acquire.

      violation 20261123000021
      snapshot 2026-11-23T12:00:00.000Z
      1 violation(s)
      first red for this invariant
      alert 2026-11-23T12:00:00.000Z/S-02/broke
      https://canary.example.com/"
    `);
  });

  test("recovered, as an e-mail", () => {
    const { remembered } = tell([judge(s02, redFacts("S-02", ["ada"]))]);
    const alert = alertIn(judge(s02), { prior: remembered, nowMs: NOW_MS + 2 * HOUR_MS });
    expect(plainMessage(alert).text).toMatchInlineSnapshot(`
      "[production] ✅ S-02 Slot overbooking — recovered

      green again, it was red for 2h

      - was red: ada

      snapshot 2026-11-23T12:00:00.000Z
      red since 2026-11-23T12:00:00.000Z
      alert 2026-11-23T12:00:00.000Z/S-02/recovered
      https://canary.example.com/"
    `);
  });

  test("spread, as an e-mail", () => {
    const { remembered } = tell([judge(s02, redFacts("S-02", ["ada"]))]);
    const verdict = judge(s02, redFacts("S-02", ["ada", "bob"]));
    const alert = alertIn(verdict, { prior: remembered, nowMs: NOW_MS + 5 * MINUTE_MS });
    expect(plainMessage(alert).text).toMatchInlineSnapshot(`
      "[production] 🚨 S-02 Slot overbooking — critical, spreading

      joined: 1 slot(s) above the cap across 1 agent(s): bob

      - bob: 2 slots for a cap of 1: 1st of bob, 2nd of bob

      What to do: Compare slot_ids with the agent's running rows: release slots whose execution has ended; if all are alive, find the start that did not go through acquire.

      violation 20261123000022
      snapshot 2026-11-23T12:00:00.000Z
      1 violation(s)
      red for 5 min
      alert 2026-11-23T12:00:00.000Z/S-02/spread
      https://canary.example.com/"
    `);
  });

  test("blind, as an e-mail", () => {
    expect(plainMessage(alertIn(unknownVerdict(s02, "redis: ECONNREFUSED"))).text).toMatchInlineSnapshot(`
      "[production] 🙈 The canary is blind

      not read for some cycles: S-02

      - S-02: redis: ECONNREFUSED (since 2026-11-23T12:00:00.000Z)

      What to do: What is blind is neither green nor red: see that the canary reaches the source, and that its token or certificate is good.

      snapshot 2026-11-23T12:00:00.000Z
      alert 2026-11-23T12:00:00.000Z/sight/blind
      https://canary.example.com/"
    `);
  });
});
