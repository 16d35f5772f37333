/** A Redis that was flushed under a thousand agents: operators get one message in each channel, not one for each agent. */
import { describe, expect, test } from "vitest";
import type { Alert } from "../../shared/alerts/alert.ts";
import type { Sender } from "../../shared/alerts/channels/channel.ts";
import { configureChannels } from "../../shared/alerts/channels/index.ts";
import { slackMessage } from "../../shared/alerts/channels/slack-blocks.ts";
import { publicationOf } from "../../shared/alerts/channels/sns.ts";
import { loadConfig } from "../../shared/variables.ts";
import { container, live, runningRow, type ScriptedCanary, slot, useCanaries } from "../support/cycle.ts";
import { containersOf, rosterOf, runningContainer, slotsOf, zombiesOf } from "../support/facts.ts";
import { expectNoMarkup, expectWithinSlacksLimits, readSlack } from "../support/slack.ts";

const AGENTS = Array.from({ length: 1_000 }, (_, i) => `agent-${String(i).padStart(4, "0")}`);
const MESSAGES = ["slack", "sns"];
const EVENTS = ["webhook", "pagerduty", "eventbridge"];

const canaryWith = useCanaries();

/** The canary with all five channels, each of which takes everything. Returns the alerts of each message. */
function withChannels(canary: ScriptedCanary): Record<string, Alert[][]> {
  const { channels } = loadConfig({
    SLACK_WEBHOOK_URL: "https://hooks.slack.com/services/T/B/x",
    ALERT_TOPIC_ARN: "arn:aws:sns:eu-west-1:123456789012:canary",
    WEBHOOK_URL: "https://example.com/hook",
    PAGERDUTY_ROUTING_KEY: "0123456789abcdef0123456789abcdef",
    EVENT_BUS: "canary",
    AWS_REGION: "eu-west-1",
  });
  const sent: Record<string, Alert[][]> = {};
  const senders = Object.fromEntries(
    Object.entries(configureChannels(channels)).map(([name, sender]): [string, Sender] => {
      sent[name] = [];
      const send: Sender["send"] = async (alerts) => {
        sent[name]!.push([...alerts]);
        return "ok";
      };
      return [name, { ...sender, send }];
    }),
  );
  const { alerts } = canary.deps;
  Object.assign(canary.deps, { alerts: { ...alerts, senders, statusUrl: "https://canary.example.com/" } });
  return sent;
}

const clear = (sent: Record<string, Alert[][]>) => {
  for (const messages of Object.values(sent)) messages.length = 0;
};

/** Every agent has a run, with its slot. */
const busy = () => ({
  roster: rosterOf(Object.fromEntries(AGENTS.map((name) => [name, { maxParallelTasks: 3 }]))),
  executions: live(...AGENTS.map((agent) => runningRow(`run-of-${agent}`, agent))),
  slots: slotsOf(Object.fromEntries(AGENTS.map((name) => [name, [slot(`run-of-${name}`)]]))),
  containers: containersOf(AGENTS.map((agent) => runningContainer({ agent }))),
  zombies: zombiesOf(AGENTS.map((agent) => container(agent))),
  sessions: new Set(AGENTS.map((agent) => `run-of-${agent}`)),
});

describe("a thousand agents", () => {
  test("whose Redis was flushed: one message in each channel, which names the cause", async () => {
    const canary = await canaryWith();
    const sent = withChannels(canary);
    canary.set(busy());
    await canary.cycle();
    clear(sent);

    canary.set({
      slots: slotsOf({}),
      drainTick: { atSeconds: null },
      platformKeys: { hasSlotKey: false, hasHeartbeat: false },
    });
    await canary.cycle();
    await canary.cycle();
    for (const name of [...MESSAGES, ...EVENTS]) {
      expect([name, sent[name]!.length]).toEqual([name, 1]);
      expect(sent[name]!.flat().map(({ invariantId, kind }) => `${invariantId} ${kind}`)).toEqual([
        "H-03 broke",
      ]);
    }
    const message = slackMessage(sent.slack![0]!);
    expectWithinSlacksLimits(message);
    expect(readSlack(message).header.text).toContain("H-03");
  });

  test("who lost their slots only: one message in Slack and one e-mail, each agent named once", async () => {
    const canary = await canaryWith();
    const sent = withChannels(canary);
    canary.set(busy());
    await canary.cycle();
    clear(sent);

    // The heartbeat is there: this is the platform's Redis.
    canary.set({
      slots: slotsOf(
        Object.fromEntries(AGENTS.map((name) => [name, [slot(`other-of-${name}`, { ttlSeconds: -1 })]])),
      ),
      sessions: new Set(),
      executions: live(...AGENTS.map((agent) => runningRow(`run-of-${agent}`, agent))),
    });
    await canary.cycle();
    for (const name of MESSAGES) expect([name, sent[name]!.length]).toEqual([name, 1]);
    const alerts = sent.slack![0]!;
    const ids = alerts.map(({ invariantId }) => invariantId);
    expect(ids).toEqual(expect.arrayContaining(["S-01", "S-03", "E-05"]));
    for (const name of EVENTS) expect([name, sent[name]!.flat().length]).toEqual([name, ids.length]);

    const message = slackMessage(alerts);
    expectWithinSlacksLimits(message);
    expectNoMarkup(message);
    const { lines, keys } = readSlack(message);
    expect(lines[0]).toBe(
      `• agent-0000: ${ids.filter((id) => ["S-01", "S-03", "E-05"].includes(id!)).join(", ")}`,
    );
    expect(lines).toContain("• and at least 980 more subjects");
    expect(keys.sort()).toEqual(alerts.map(({ key }) => key).sort());
    const { Message } = publicationOf(alerts, "text");
    expect(Buffer.byteLength(Message)).toBeLessThanOrEqual(256_000);
    for (const { key } of alerts) expect(Message).toContain(`alert ${key}`);
  });
});
