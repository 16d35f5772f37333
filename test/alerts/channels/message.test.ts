import { describe, expect, test } from "vitest";
import { advance } from "../../../shared/alerts/advance.ts";
import { type Alert, makeAlert } from "../../../shared/alerts/alert.ts";
import { digestOf, headline } from "../../../shared/alerts/channels/message.ts";
import { plainMessage } from "../../../shared/alerts/channels/plain-text.ts";
import { slackMessage } from "../../../shared/alerts/channels/slack-blocks.ts";
import { publicationOf } from "../../../shared/alerts/channels/sns.ts";
import { type Addressed, toAlerts } from "../../../shared/alerts/to-alert.ts";
import { guidanceOf } from "../../../shared/invariants/guidance.ts";
import { INVARIANTS } from "../../../shared/invariants/index.ts";
import { DAY_MS, formatDuration, HOUR_MS, MINUTE_MS } from "../../../shared/time.ts";
import { unknownVerdict, type Verdict } from "../../../shared/verdict/evaluate.ts";
import { AGENT, container, judge, NOW_MS, orphansOf, SNAPSHOT_TIME, zombiesOf } from "../../support/facts.ts";
import { expectNoMarkup, expectWithinSlacksLimits, readSlack } from "../../support/slack.ts";
import {
  agents,
  brokeAlert,
  FINDS_ONE,
  FIRST_ID,
  hostile,
  IDS,
  invariantOf,
  NOTHING,
  POLICY,
  redFacts,
  STATUS_URL,
  type Told,
  tell,
} from "../../support/told.ts";

const read = (...alerts: Alert[]) => readSlack(slackMessage(alerts));
const mailOf = (...alerts: Alert[]) => plainMessage(digestOf(alerts));

/** https://docs.aws.amazon.com/sns/latest/api/API_Publish.html */
function expectWithinSnsLimits(alerts: readonly Alert[]): void {
  for (const format of ["text", "chat"] as const) {
    const { Subject, Message, MessageAttributes } = publicationOf(alerts, format);
    expect(Subject).toMatch(/^[!-~][ -~]{0,99}$/);
    expect(
      Buffer.byteLength(Message) + Buffer.byteLength(JSON.stringify(MessageAttributes)),
    ).toBeLessThanOrEqual(262_144);
    expect(Message).not.toMatch(/undefined|NaN|\[object/);
    expect(Message).not.toMatch(/\p{Surrogate}/u);
    expect(Object.keys(MessageAttributes).length).toBeLessThanOrEqual(10);
  }
}

function expectWithinLimits(...alerts: Alert[]): void {
  const message = slackMessage(alerts);
  expectWithinSlacksLimits(message);
  expectNoMarkup(message);
  expectWithinSnsLimits(alerts);
}

describe.each(IDS)("%s", (id) => {
  const { title, severity, runbook, impact, safe } = invariantOf(id);
  const heading = () => {
    const mark = { critical: "🚨", major: "⚠️", minor: "🟡" }[severity];
    return `${mark} ${id} ${title} — ${severity}`;
  };
  const counts = FINDS_ONE.has(id) ? [2, 500] : [1, 5, 6, 500];

  test.each(counts)("of %d agent(s) fits in Slack and in SNS, and says what matters", (count) => {
    const names = agents(count);
    const found = FINDS_ONE.has(id) ? 1 : count;
    const alert = brokeAlert(id, names);
    expectWithinLimits(alert);

    const { header, lines, context, links, codes } = read(alert);
    expect(header.text).toBe(heading());
    const plain = mailOf(alert);
    expect(plain.subject).toBe(
      `[production] ${id} ${title} - ${severity}`.replaceAll("–", "-").replaceAll("—", "-"),
    );
    if (!FINDS_ONE.has(id)) {
      expect(lines[0]).toContain(names.slice(0, 5).join(", ") + (count > 5 ? ` and ${count - 5} more` : ""));
      const shown = lines.filter((line) => line.startsWith("• "));
      const most = Math.min(count, 5);
      expect(shown.slice(0, most).every((line, i) => line.startsWith(`• ${names[i]}`))).toBe(true);
      expect(shown.slice(most)).toEqual(count > 5 ? [`• … +${count - 5} more`] : []);
      expect(codes).toEqual(expect.arrayContaining(names.slice(0, most)));
    }
    expect(lines).toEqual(expect.arrayContaining([`Impact: ${impact}`, `What to do: ${runbook}`]));
    expect(links).toEqual([
      ["page", `https://canary.example.com/invariants/${id}`],
      ["runbook", `https://canary.example.com/runbooks/${id}`],
      ["status", STATUS_URL],
    ]);
    const ids = found === 1 ? `violation ${FIRST_ID}` : `violations ${FIRST_ID}–${FIRST_ID + found - 1}`;
    const said = found === 1 ? "1 violation" : `${found} violations`;
    expect(context).toEqual([
      "production",
      ids,
      `snapshot ${SNAPSHOT_TIME}`,
      said,
      "first red for this invariant",
      `alert ${SNAPSHOT_TIME}/${id}/broke`,
    ]);
    for (const part of [runbook, impact, safe, ids, said, SNAPSHOT_TIME, STATUS_URL, `- ${alert.lines[0]}`])
      expect(plain.text).toContain(part);
    expect(plain.text).not.toMatch(/\(s\)/);
  });

  test("of one agent gives the commands with its names, whole, in Slack and in the e-mail", () => {
    const verdict = judge(invariantOf(id), redFacts(id, [AGENT]));
    const { verify, fix } = guidanceOf(invariantOf(id), verdict.findings[0]!.observed, "sqlite");
    const alert = brokeAlert(id);
    expect([alert.verify, alert.fix]).toEqual([verify, fix]);
    const { commands, lines } = read(alert);
    expect(commands).toEqual([...verify, ...fix]);
    expect(lines).toContain(`Is it safe? ${safe}`);
    const mail = mailOf(alert).text.split("\n");
    for (const line of [...verify, ...fix]) expect(mail).toContain(`    ${line}`);
  });

  test.each([1, 500])("with %d agent(s) of hostile names and ids of 500 characters", (count) => {
    const names = Array.from({ length: count }, (_, i) => hostile(`${i} `));
    const alert = brokeAlert(id, names);
    expect(alert.lines.every((line) => line.includes("<!channel>"))).toBe(true);
    expectWithinLimits(alert);
    for (const command of [...alert.verify, ...alert.fix]) expect(command).not.toMatch(/[\n\r]/);
  });
});

describe("a name", () => {
  test("that is markup in other places is shown, and copied, as it is", () => {
    const name = "<!everyone> & *co* _x_ `y`";
    const { lines, codes } = read(brokeAlert("S-02", [name]));
    expect(lines[0]).toContain(name);
    expect(codes).toContain(name);
    expect(mailOf(brokeAlert("S-02", [name])).text).toContain(name);
  });

  test("that is the beginning of another is marked as itself", () => {
    const { codes } = read(brokeAlert("S-02", ["ruby", "ruby-2"]));
    expect(codes.slice(0, 2)).toEqual(["ruby", "ruby-2"]);
  });
});

describe("the first line", () => {
  test.each([
    ["critical", "🚨 S-02 Slot overbooking — critical"],
    ["major", "⚠️ S-02 Slot overbooking — major"],
    ["minor", "🟡 S-02 Slot overbooking — minor"],
  ] as const)("%s", (severity, line) => {
    const alert = brokeAlert("S-02", [AGENT], { severity });
    expect(headline(alert)).toBe(line);
    expect(read(alert).header).toEqual({ type: "plain_text", text: line, emoji: false });
    expect(slackMessage([alert]).text).toBe(`[production] ${line}: ${alert.summary}`);
  });

  test("is as severe as the worst of what it names: a ghost that left only a tag is major", () => {
    const orphans = orphansOf({ ghost: { rows: { agent_tags: 1 } } });
    const [alert] = tell([judge(invariantOf("L-03"), { orphans })]).alerts;
    expect(headline(alert!)).toBe("⚠️ L-03 Delete cascades — major");
  });

  test("of an e-mail is plain ASCII, whatever the environment is called", () => {
    const { subject } = mailOf(
      brokeAlert("S-02", [AGENT], { context: { environment: "Łódź\r\nBcc: all@example.com 🧨" } }),
    );
    expect(subject).toMatch(/^\[[ -~]*\] S-02 Slot overbooking - critical$/);
  });

  test("is cut where titles and environments are absurdly long", () => {
    expectWithinLimits({ ...brokeAlert("S-02"), title: "🧟".repeat(500), environment: "e".repeat(5000) });
  });
});

describe("what an operator reads first", () => {
  test("three zombies of one agent", () => {
    const zombies = zombiesOf([container([7, 8, 9])]);
    const [alert] = tell([judge(invariantOf("R-01"), { zombies })]).alerts;
    expect(read(alert!).lines[0]).toBe(alert!.summary);
    expect(alert!.summary).toMatch(/^3 zombie claude processes .*: cornelius-m$/);
    expect(mailOf(alert!).text.split("\n")[2]).toBe(alert!.summary);
  });

  test("two containers of one agent are two violations of one agent", () => {
    const zombies = zombiesOf([container([7]), container([8], { containerId: "beef" })]);
    const [alert] = tell([judge(invariantOf("R-01"), { zombies })]).alerts;
    expect(alert!.subjects).toEqual(["cornelius-m"]);
    expect(alert!.context).toContain("2 violations");
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
    expect(read(redAgainAfter(ms)).context).toContain(said);
  });

  test("durations are shown in their largest unit", () => {
    expect([0, 59_999, 60_000, HOUR_MS - 1, HOUR_MS, 2 * DAY_MS - 1, 2 * DAY_MS].map(formatDuration)).toEqual(
      ["0 s", "59 s", "1 min", "59 min", "1h", "47h", "2d"],
    );
  });

  test("a recovery says how long it was red, and of whom", () => {
    const { remembered } = tell([red("ada", "bob")]);
    const [alert] = tell([green], { prior: remembered, nowMs: NOW_MS + 3 * HOUR_MS }).alerts;
    expectWithinLimits(alert!);
    const { header, lines } = read(alert!);
    expect(header.text).toBe("✅ S-02 Slot overbooking — recovered");
    expect(lines.slice(0, 2)).toEqual(["green again, it was red for 3h", "• was red: ada, bob"]);
    expect(mailOf(alert!).subject).toBe("[production] S-02 Slot overbooking - recovered");
  });

  test("a recovery of 500 agents with hostile names fits as well", () => {
    const { remembered } = tell([red(...Array.from({ length: 500 }, (_, i) => hostile(`${i} `)))]);
    const [alert] = tell([green], { prior: remembered, nowMs: NOW_MS + HOUR_MS }).alerts;
    expectWithinLimits(alert!);
  });

  test("a spread says who joined, and counts only those", () => {
    const { remembered } = tell([red("ada")]);
    const [alert] = tell([red("ada", "bob", "cyd")], {
      prior: remembered,
      nowMs: NOW_MS + 2 * HOUR_MS,
    }).alerts;
    expect(headline(alert!)).toBe("🚨 S-02 Slot overbooking — critical, spreading");
    expect(alert!.summary).toMatch(/^joined: 2 slots above .*: bob, cyd$/);
    expect(alert!.subjects).toEqual(["bob", "cyd"]);
    expect(alert!.context).toEqual([
      `violations ${FIRST_ID + 1}–${FIRST_ID + 2}`,
      `snapshot ${SNAPSHOT_TIME}`,
      "2 violations",
      "red for 2h",
    ]);
  });

  test("a reminder says that it is still red, and for how long", () => {
    const { remembered } = tell([red(AGENT)]);
    const [alert] = tell([red(AGENT)], { prior: remembered, nowMs: NOW_MS + 3 * DAY_MS }).alerts;
    expect(headline(alert!)).toBe("🚨 S-02 Slot overbooking — critical, still red");
    expect(alert!.summary).toMatch(/^still red: 1 slot above .*: cornelius-m$/);
    expect(alert!.context).toContain("red for 3d");
  });
});

test("a digest of so many that their commands do not fit says of each where they are", () => {
  const many = Array.from({ length: 36 }, (_, i) => ({ ...brokeAlert("S-02", ["ada"]), key: `k${i}` }));
  expectWithinLimits(...many);
  expect(read(...many).lines.filter((line) => line === "commands: see the page")).toHaveLength(36);
  expect(read(many[0]!).lines).not.toContain("commands: see the page");
  const { context } = read(...many, many[0]!);
  expect(context).toContain("1 more alert: see the status page");
});

test("a subscription finds by its filter what is in a digest beside worse things", () => {
  const broke = brokeAlert("S-02", ["ada"]);
  const recovered: Alert = {
    ...brokeAlert("B-01", ["ada"], { severity: "minor" }),
    kind: "recovered",
    action: "resolve",
  };
  expect(publicationOf([broke, recovered], "text").MessageAttributes).toMatchObject({
    severity: { DataType: "String.Array", StringValue: '["critical","minor"]' },
    kind: { DataType: "String.Array", StringValue: '["digest","broke","recovered"]' },
  });
  expect(publicationOf([broke], "text").MessageAttributes).toMatchObject({
    severity: { DataType: "String", StringValue: "critical" },
    kind: { DataType: "String", StringValue: "broke" },
  });
});

describe("what is blind", () => {
  const blind = INVARIANTS.map((invariant) => unknownVerdict(invariant, "redis: ECONNREFUSED"));

  test("is told by its cause, once, and what follows from it in numbers", () => {
    const [alert] = tell(blind).alerts;
    expectWithinLimits(alert!);
    const { header, lines } = read(alert!);
    expect(header.text).toBe("🙈 The canary is blind");
    expect(lines[0]).toBe(
      `Blind since ${SNAPSHOT_TIME.slice(11, 16)}: redis (ECONNREFUSED). ${IDS.length} of ${IDS.length} invariants can't be judged.`,
    );
    expect(lines.filter((line) => line.startsWith("• "))).toHaveLength(1);
  });

  test("says when it sees again, and for how long it did not", () => {
    const s02 = invariantOf("S-02");
    const { remembered } = tell([unknownVerdict(s02, "redis: ECONNREFUSED")]);
    const [alert] = tell([judge(s02)], { prior: remembered, nowMs: NOW_MS + 40 * MINUTE_MS }).alerts;
    expect(headline(alert!)).toBe("👀 The canary sees again");
    expect(alert!.summary).toBe("read again: S-02");
    expect(alert!.lines).toEqual(["S-02: was blind for 40 min"]);
    expect(alert!.key).toBe(`${SNAPSHOT_TIME}/sight/sees`);
    expect(alert!.action).toBe("resolve");
  });

  test("sees a part again: what is still blind is said, and nothing is resolved", () => {
    const { remembered } = tell(blind);
    const [alert] = tell([judge(invariantOf("S-02"))], { prior: remembered }).alerts;
    expect(headline(alert!)).toBe("👀 The canary sees more again");
    expect(alert!.action).toBe("trigger");
    expect(alert!.summary).toContain(`${IDS.length - 1} of ${IDS.length} invariants can't be judged`);
  });

  test("200 containers with hostile names at once fit as well", () => {
    const names = Array.from({ length: 200 }, (_, i) => hostile(`docker.exec[${i}`).replaceAll(":", ""));
    const unavailable = names.map((name, i) => `${name}: ${i} ${hostile("")}`);
    const cycle = { verdicts: [], offInvariants: [], offSources: [], isFull: true, unavailable };
    const { notices } = advance(NOTHING, cycle, NOW_MS, POLICY, []);
    const source = {
      alerts: { environment: "production", statusUrl: null },
      backend: "sqlite" as const,
      redact: (text: string) => text,
    };
    const of = { snapshotTime: SNAPSHOT_TIME, nowMs: NOW_MS, idOf: () => undefined };
    const [{ alert }] = toAlerts(source, notices, of) as [Addressed];
    expect(alert.more).toBe(195);
    expectWithinLimits(alert);
  });
});

describe("the links", () => {
  test("are left out where there is no page", () => {
    const alert = brokeAlert("S-02", [AGENT], { context: { statusUrl: null } });
    expect(read(alert).links).toEqual([]);
    expect(mailOf(alert).text).not.toContain("null");
  });

  test("can't be broken out of", () => {
    const alert = brokeAlert("S-02", [AGENT], { context: { statusUrl: "https://x/?a=b|c>d<!channel>" } });
    expectNoMarkup(slackMessage([alert]));
    expect(read(alert).links[0]).toEqual(["page", "https://x/invariants/S-02"]);
  });

  test("lead to the runbooks of the operator, where there are some", () => {
    const alert = brokeAlert("S-02", [AGENT], { context: { runbooksUrl: "https://wiki.example.com/{id}" } });
    expect(alert.links.runbook).toBe("https://wiki.example.com/S-02");
  });
});

test("an alert is remembered small, whatever it is about", () => {
  const long = hostile("").repeat(20);
  const many = Array.from({ length: 500 }, () => long);
  const alert = makeAlert(
    {
      ...brokeAlert("S-02"),
      summary: long,
      impact: long,
      safe: long,
      lines: many,
      subjects: many,
      names: many,
      verify: many,
      fix: many,
      context: [long],
    },
    (text) => text,
  );
  expect([alert.lines.length, alert.more]).toEqual([5, 495]);
  expect(JSON.stringify(alert).length).toBeLessThan(20_000);
  for (const text of [alert.summary, ...alert.lines, ...alert.context]) {
    expect(text).not.toMatch(/\p{Surrogate}/u);
    expect(text.endsWith("…")).toBe(true);
  }
});

describe("a command", () => {
  const commandsIn = (fix: readonly string[], redact = (text: string) => text) =>
    makeAlert({ ...brokeAlert("S-02"), fix }, redact).fix;

  test("is never cut: one that is too long is left out, with its note, and counted", () => {
    const long = `redis-cli ZREM agent:slots:ruby ${"x".repeat(500)}`;
    expect(commandsIn(["# first", long, "# then", "redis-cli PING"])).toEqual([
      "# then",
      "redis-cli PING",
      "# 1 more command: see the page or the runbook",
    ]);
  });

  test("that would change by leaving out a direction mark is left out", () => {
    expect(commandsIn(["docker stop 'a\u202eb'"])).toEqual(["# 1 more command: see the page or the runbook"]);
  });

  test("holds no secret", () => {
    expect(commandsIn(["curl hunter2"], (text) => text.replaceAll("hunter2", "***"))).toEqual(["curl ***"]);
  });
});

describe("a whole message, as it is read", () => {
  const s02 = invariantOf("S-02");
  const context = { environment: "production", statusUrl: "https://canary.example.com/" };
  const alertIn = (verdict: Verdict, told: Told = {}) => tell([verdict], { ...told, context }).alerts[0]!;
  const broke = () => alertIn(judge(s02, redFacts("S-02", ["ada"])));

  test("broke, in Slack", () => {
    expect(slackMessage([broke()]).blocks.map((block) => JSON.stringify(block))).toMatchInlineSnapshot(`
      [
        "{"type":"header","text":{"type":"plain_text","text":"🚨 S-02 Slot overbooking — critical","emoji":false}}",
        "{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"1 slot above the cap across 1 agent: "},{"type":"text","text":"ada","style":{"code":true}}]},{"type":"rich_text_section","elements":[{"type":"text","text":"Impact:","style":{"bold":true}},{"type":"text","text":" "},{"type":"text","text":"The agent runs more tasks at once than it was sized for, which can exhaust its memory and its subscription, or leaked slots block it: get up if it is over its cap by several."}]},{"type":"rich_text_list","style":"bullet","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"ada","style":{"code":true}},{"type":"text","text":": 2 slots for a cap of 1: "},{"type":"text","text":"1st of ada","style":{"code":true}},{"type":"text","text":", "},{"type":"text","text":"2nd of ada","style":{"code":true}}]}]},{"type":"rich_text_section","elements":[{"type":"text","text":"Is it still so?","style":{"bold":true}}]},{"type":"rich_text_preformatted","elements":[{"type":"text","text":"redis-cli -u \\"$TRINITY_REDIS_URL\\" ZRANGE agent:slots:ada 0 -1 WITHSCORES\\nsqlite3 -cmd '.timeout 5000' -header -readonly \\"$TRINITY_DATABASE\\" \\"SELECT id, status, triggered_by, started_at, completed_at FROM schedule_executions WHERE agent_name = 'ada' AND id IN ('1st of ada', '2nd of ada')\\"\\nsqlite3 -cmd '.timeout 5000' -header -readonly \\"$TRINITY_DATABASE\\" \\"SELECT id, status, triggered_by, started_at FROM schedule_executions WHERE agent_name = 'ada' AND status IN ('queued', 'running') ORDER BY started_at\\"\\n# what the agent works on, an agent that can not be reached gives an empty list too\\ncurl -fsS -H \\"Authorization: Bearer $TRINITY_TOKEN\\" \\"$TRINITY_URL\\"/api/agents/ada/executions/running"}]},{"type":"rich_text_section","elements":[{"type":"text","text":"What to do:","style":{"bold":true}},{"type":"text","text":" "},{"type":"text","text":"Compare the agent's slots with its running rows, and give back those whose run has ended. If all are alive, let them end, and find the start that did not ask for a slot."}]},{"type":"rich_text_preformatted","elements":[{"type":"text","text":"# take the mark away before the lines of a run that has ended, and of no other\\n# a chat turn that is alive has a slot under an id that no row has\\n# redis-cli -u \\"$TRINITY_REDIS_URL\\" ZREM agent:slots:ada '1st of ada'\\n# redis-cli -u \\"$TRINITY_REDIS_URL\\" DEL 'agent:slot:ada:1st of ada'\\n# redis-cli -u \\"$TRINITY_REDIS_URL\\" ZREM agent:slots:ada '2nd of ada'\\n# redis-cli -u \\"$TRINITY_REDIS_URL\\" DEL 'agent:slot:ada:2nd of ada'"}]},{"type":"rich_text_section","elements":[{"type":"text","text":"Is it safe?","style":{"bold":true}},{"type":"text","text":" "},{"type":"text","text":"A run that is alive goes on without its slot: the agent stays over its cap until it ends, and may start one run more."}]},{"type":"rich_text_section","elements":[{"type":"link","url":"https://canary.example.com/invariants/S-02","text":"page"},{"type":"text","text":" · "},{"type":"link","url":"https://canary.example.com/runbooks/S-02","text":"runbook"},{"type":"text","text":" · "},{"type":"link","url":"https://canary.example.com/","text":"status"}]}]}",
        "{"type":"context","elements":[{"type":"plain_text","text":"production","emoji":false},{"type":"plain_text","text":"violation 20261123000021","emoji":false},{"type":"plain_text","text":"snapshot 2026-11-23T12:00:00.000Z","emoji":false},{"type":"plain_text","text":"1 violation","emoji":false},{"type":"plain_text","text":"first red for this invariant","emoji":false},{"type":"plain_text","text":"alert 2026-11-23T12:00:00.000Z/S-02/broke","emoji":false}]}",
      ]
    `);
  });

  test("broke, as an e-mail", () => {
    expect(mailOf(broke()).text).toMatchInlineSnapshot(`
      "[production] 🚨 S-02 Slot overbooking — critical

      1 slot above the cap across 1 agent: ada

      Impact: The agent runs more tasks at once than it was sized for, which can exhaust its memory and its subscription, or leaked slots block it: get up if it is over its cap by several.

      - ada: 2 slots for a cap of 1: 1st of ada, 2nd of ada

      Is it still so?
          redis-cli -u "$TRINITY_REDIS_URL" ZRANGE agent:slots:ada 0 -1 WITHSCORES
          sqlite3 -cmd '.timeout 5000' -header -readonly "$TRINITY_DATABASE" "SELECT id, status, triggered_by, started_at, completed_at FROM schedule_executions WHERE agent_name = 'ada' AND id IN ('1st of ada', '2nd of ada')"
          sqlite3 -cmd '.timeout 5000' -header -readonly "$TRINITY_DATABASE" "SELECT id, status, triggered_by, started_at FROM schedule_executions WHERE agent_name = 'ada' AND status IN ('queued', 'running') ORDER BY started_at"
          # what the agent works on, an agent that can not be reached gives an empty list too
          curl -fsS -H "Authorization: Bearer $TRINITY_TOKEN" "$TRINITY_URL"/api/agents/ada/executions/running

      What to do: Compare the agent's slots with its running rows, and give back those whose run has ended. If all are alive, let them end, and find the start that did not ask for a slot.
          # take the mark away before the lines of a run that has ended, and of no other
          # a chat turn that is alive has a slot under an id that no row has
          # redis-cli -u "$TRINITY_REDIS_URL" ZREM agent:slots:ada '1st of ada'
          # redis-cli -u "$TRINITY_REDIS_URL" DEL 'agent:slot:ada:1st of ada'
          # redis-cli -u "$TRINITY_REDIS_URL" ZREM agent:slots:ada '2nd of ada'
          # redis-cli -u "$TRINITY_REDIS_URL" DEL 'agent:slot:ada:2nd of ada'

      Is it safe? A run that is alive goes on without its slot: the agent stays over its cap until it ends, and may start one run more.

      violation 20261123000021
      snapshot 2026-11-23T12:00:00.000Z
      1 violation
      first red for this invariant
      page: https://canary.example.com/invariants/S-02
      runbook: https://canary.example.com/runbooks/S-02
      status: https://canary.example.com/
      alert 2026-11-23T12:00:00.000Z/S-02/broke"
    `);
  });

  test("recovered, as an e-mail", () => {
    const { remembered } = tell([judge(s02, redFacts("S-02", ["ada"]))]);
    const alert = alertIn(judge(s02), { prior: remembered, nowMs: NOW_MS + 2 * HOUR_MS });
    expect(mailOf(alert).text).toMatchInlineSnapshot(`
      "[production] ✅ S-02 Slot overbooking — recovered

      green again, it was red for 2h

      - was red: ada

      snapshot 2026-11-23T12:00:00.000Z
      red since 2026-11-23T12:00:00.000Z
      page: https://canary.example.com/invariants/S-02
      runbook: https://canary.example.com/runbooks/S-02
      status: https://canary.example.com/
      alert 2026-11-23T12:00:00.000Z/S-02/recovered"
    `);
  });

  test("blind, as an e-mail", () => {
    expect(mailOf(alertIn(unknownVerdict(s02, "redis: ECONNREFUSED"))).text).toMatchInlineSnapshot(`
      "[production] 🙈 The canary is blind

      Blind since 12:00: redis (ECONNREFUSED). 1 of 1 invariant can't be judged.

      Impact: What is blind is neither green nor red: a fault there is not noticed.

      - S-02: redis: ECONNREFUSED (since 2026-11-23T12:00:00.000Z)

      What to do: See that the canary reaches each source that is named, by the variable beside it, and that its token or certificate is good.

      snapshot 2026-11-23T12:00:00.000Z
      status: https://canary.example.com/
      alert 2026-11-23T12:00:00.000Z/sight/blind"
    `);
  });
});
