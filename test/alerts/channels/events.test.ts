/** The channels that get one event for each transition, over the wire: each against a receiver that answers well and badly. */
import { createHmac } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Alert, Pending } from "../../../shared/alerts/alert.ts";
import { testAlerts } from "../../../shared/alerts/alert-test.ts";
import { NotDelivered, type Sender, type Senders } from "../../../shared/alerts/channels/channel.ts";
import { requestsOf } from "../../../shared/alerts/channels/eventbridge.ts";
import { configureChannels } from "../../../shared/alerts/channels/index.ts";
import { pagerDutyEvent } from "../../../shared/alerts/channels/pagerduty.ts";
import { signatureOf } from "../../../shared/alerts/channels/webhook.ts";
import { deliver, pending } from "../../../shared/alerts/outbox.ts";
import { MINUTE_MS } from "../../../shared/time.ts";
import { loadConfig } from "../../../shared/variables.ts";
import { AlertEventSchema } from "../../../shared/wire/alert-event.ts";
import { judge, NOW_MS } from "../../support/facts.ts";
import { type Receiver, type ReceiverAnswer, startReceiver } from "../../support/receiver.ts";
import { brokeAlert, hostile, invariantOf, redFacts, tell } from "../../support/told.ts";

const SECRET = "hook-secret-0123456789";
const ROUTING_KEY = "0123456789abcdef0123456789abcdef";
const TOKEN = "path-token-in-the-address";

let receiver: Receiver;
beforeEach(async () => {
  receiver = await startReceiver();
  vi.stubEnv("AWS_ENDPOINT_URL_EVENTBRIDGE", receiver.address);
  vi.stubEnv("AWS_REGION", "eu-west-1");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "local");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "local");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await receiver.close();
});

const variables: Record<string, () => Record<string, string>> = {
  webhook: () => ({ WEBHOOK_URL: `${receiver.address}/hook/${TOKEN}`, WEBHOOK_SECRET: SECRET }),
  pagerduty: () => ({ PAGERDUTY_ROUTING_KEY: ROUTING_KEY, PAGERDUTY_URL: `${receiver.address}/v2/enqueue` }),
  eventbridge: () => ({ EVENT_BUS: "canary" }),
};
const CHANNELS = Object.keys(variables);

/** The senders of that channel, as the variables make them. */
const sendersOf = (channel: string): Senders => configureChannels(loadConfig(variables[channel]!()).channels);

/** EventBridge answers with an id or an error for each entry. */
const entriesIn = (body: string) => (JSON.parse(body) as { Entries: { Detail: string }[] }).Entries;
const taken = (body: string, failing: (key: string) => string | null = () => null) => {
  const answers = entriesIn(body).map(({ Detail }, i) => {
    const code = failing(JSON.parse(Detail).key);
    return code === null ? { EventId: `e${i}` } : { ErrorCode: code, ErrorMessage: "no" };
  });
  return JSON.stringify({
    Entries: answers,
    FailedEntryCount: answers.filter((a) => "ErrorCode" in a).length,
  });
};

function answersWell(channel: string): void {
  receiver.answer = channel === "eventbridge" ? 200 : 202;
  if (channel === "eventbridge") receiver.says = ({ body }) => taken(body);
}

/** The keys, actions and dedup keys that arrived, in order. */
function arrived(channel: string): [string, string][] {
  return receiver.received.flatMap(({ body }): [string, string][] => {
    if (channel === "eventbridge")
      return entriesIn(body).map(({ Detail }) => {
        const { action, dedup_key } = JSON.parse(Detail);
        return [action, dedup_key];
      });
    const { data, event_action, dedup_key } = JSON.parse(body);
    return [data ? [data.action, data.dedup_key] : [event_action, dedup_key]];
  });
}

/** S-02 breaks, and recovers two hours later. */
function story(): [Alert, Alert] {
  const s02 = invariantOf("S-02");
  const first = tell([judge(s02, redFacts("S-02", ["ada"]))]);
  const last = tell([judge(s02)], { prior: first.remembered, nowMs: NOW_MS + 120 * MINUTE_MS });
  return [first.alerts[0]!, { ...last.alerts[0]!, key: `${last.alerts[0]!.key}/2` }];
}

describe.each(CHANNELS)("%s", (channel) => {
  test("opens and ends under one key, and each alert arrives once", async () => {
    answersWell(channel);
    const [broke, recovered] = story();
    const outbox = [broke, recovered].map((alert, i) => pending(alert, [channel], NOW_MS + i));
    const delivery = await deliver(outbox, sendersOf(channel), () => NOW_MS + 2, NOW_MS + 60_000);
    expect(delivery).toMatchObject({ outbox: [], delivered: 2, failures: [] });
    expect(arrived(channel)).toEqual([
      ["trigger", "production/S-02"],
      ["resolve", "production/S-02"],
    ]);
  });

  test.each<[ReceiverAnswer, RegExp]>([
    [500, /500|InternalException|UnknownError|Unknown/],
    [503, /503|Unknown|Service/],
    [429, /429|Unknown|TooMany|Throttl|no answer in time/],
    [400, /400|Unknown|Bad/],
    [403, /403|Unknown|Forbidden|Access/],
    ["resets", /ECONNRESET|socket|Error/],
  ])(
    "answers %s: nothing is lost, no secret shows, and the end waits for the beginning",
    async (answer, failure) => {
      receiver.answer = answer;
      receiver.retryAfter = "0";
      const [broke, recovered] = story();
      let nowMs = NOW_MS;
      let outbox: readonly Pending[] = [broke, recovered].map((alert, i) =>
        pending(alert, [channel], NOW_MS + i),
      );
      const senders = sendersOf(channel);
      const bad = await deliver(outbox, senders, () => nowMs, nowMs + 60_000);
      expect(bad.outbox).toHaveLength(2);
      expect(bad.delivered).toBe(0);
      expect(bad.failures.length).toBeGreaterThan(0);
      for (const line of bad.failures) {
        expect(line).toMatch(failure);
        for (const secret of [SECRET, ROUTING_KEY, TOKEN, receiver.address])
          expect(line).not.toContain(secret);
      }
      // The end is not sent before its beginning, whatever the receiver thinks of that.
      expect(arrived(channel).every(([action]) => action === "trigger")).toBe(true);

      receiver.received.length = 0;
      answersWell(channel);
      outbox = JSON.parse(JSON.stringify(bad.outbox));
      for (let round = 0; round < 3 && outbox.length > 0; round += 1) {
        nowMs += 60 * MINUTE_MS;
        outbox = (await deliver(outbox, senders, () => nowMs, nowMs + 60_000)).outbox;
      }
      expect(outbox).toEqual([]);
      expect(arrived(channel).map(([action]) => action)).toEqual(["trigger", "resolve"]);
    },
  );

  test("never answers: it is cut off, and the alert waits", async () => {
    receiver.answer = "hangs";
    const [broke] = story();
    const { send } = sendersOf(channel)[channel]!;
    const signal = AbortSignal.timeout(200);
    await expect(send([broke], signal)).rejects.toThrow(`${channel}: no answer in time`);
  });

  test("an alert of any size fits", async () => {
    answersWell(channel);
    const names = Array.from({ length: 500 }, (_, i) => hostile(`${i} `));
    const alert = brokeAlert("S-02", names);
    const { send } = sendersOf(channel)[channel]!;
    await send([alert], AbortSignal.timeout(10_000));
    expect(Buffer.byteLength(receiver.received[0]!.body)).toBeLessThan(100_000);
  });

  test("can be tried: it says what the channel answered, and leaves nothing open", async () => {
    answersWell(channel);
    const source = {
      alerts: { senders: sendersOf(channel), environment: "production", statusUrl: null },
      redact: (text: string) => text,
      now: () => NOW_MS,
    };
    const { results } = await testAlerts(source, channel);
    expect(results).toMatchObject([{ channel, ok: true, answer: expect.stringContaining("resolved: ") }]);
    expect(arrived(channel)).toEqual([
      ["trigger", "production/blind/test"],
      ["resolve", "production/blind/test"],
    ]);
    receiver.answer = 403;
    const bad = await testAlerts(source, channel);
    expect(bad.results).toMatchObject([{ channel, ok: false }]);
    expect(JSON.stringify(bad)).not.toMatch(new RegExp(`${SECRET}|${ROUTING_KEY}|${TOKEN}`));
    const [sender] = Object.values(source.alerts.senders);
    // What it opened, and could not end again, is said.
    const halves = (ends: readonly boolean[]) => {
      const left = [...ends];
      const send: Sender["send"] = async ([alert]) => {
        if (alert!.action === "resolve" && !left.shift()) throw new NotDelivered(`${channel}: HTTP 500`);
        return "HTTP 202";
      };
      const senders = { [channel]: { ...sender!, send } };
      return testAlerts({ ...source, alerts: { ...source.alerts, senders } }, channel);
    };
    expect((await halves([false, true])).results).toMatchObject([
      { ok: true, answer: "HTTP 202, resolved: HTTP 202" },
    ]);
    expect((await halves([false, false])).results).toMatchObject([
      { ok: false, answer: `HTTP 202, but the test is open still: ${channel}: HTTP 500` },
    ]);
    expect(await testAlerts(source, "fax")).toEqual({ channels: [channel], results: [] });
  });
});

describe("the webhook", () => {
  test("gets a CloudEvent, signed together with its time, of the schema that is documented", async () => {
    answersWell("webhook");
    const [broke] = story();
    await sendersOf("webhook").webhook!.send([broke], AbortSignal.timeout(10_000));
    const [{ headers, body }] = receiver.received as [Receiver["received"][0]];
    expect(headers["content-type"]).toBe("application/cloudevents+json; charset=utf-8");
    const event = JSON.parse(body);
    expect(event).toMatchObject({
      specversion: "1.0",
      id: broke.key,
      source: "/trinity-canary/production",
      type: "trinity-canary.alert.trigger.v1",
      subject: "production/S-02",
      datacontenttype: "application/json",
    });
    expect(AlertEventSchema.parse(event.data)).toEqual(event.data);
    expect(event.data).toMatchObject({ version: 1, severity: "critical", subjects: ["ada"], fix: broke.fix });
    const [, at, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers["x-canary-signature"]))!;
    expect(createHmac("sha256", SECRET).update(`${at}.${body}`).digest("hex")).toBe(mac);
    expect(signatureOf(body, SECRET, Number(at) + 1)).not.toContain(mac!);
  });

  test.each([
    ["1800", 1_800_000],
    ["604800", 3_600_000],
    ["9".repeat(400), 60_000],
    ["Thu, 01 Jan 2099 00:00:00 GMT", 3_600_000],
  ])("asks for a pause of %s, and gets an hour at most", async (retryAfter, pauseMs) => {
    receiver.answer = 429;
    receiver.retryAfter = retryAfter;
    const outbox = [pending(story()[0], ["webhook"], NOW_MS)];
    const { outbox: left } = await deliver(outbox, sendersOf("webhook"), () => NOW_MS, NOW_MS + 60_000);
    expect(left[0]!.channels.webhook!.notBeforeMs).toBe(NOW_MS + pauseMs);
  });

  test("needs an address for its secret", () => {
    expect(() => loadConfig({ WEBHOOK_SECRET: SECRET })).toThrow("WEBHOOK_URL is missing");
    expect(() => loadConfig({ WEBHOOK_URL: "http://127.0.0.1/x", WEBHOOK_SECRET: "short" })).toThrow(
      /WEBHOOK_SECRET has fewer/,
    );
  });
});

describe("PagerDuty", () => {
  test("is sent within its limits: 1,024 characters of a summary, 255 of a key", () => {
    const alert = { ...brokeAlert("S-02"), summary: "x".repeat(5_000), dedupKey: "k".repeat(400) };
    const event = pagerDutyEvent(alert) as {
      dedup_key: string;
      payload: { summary: string; severity: string };
    };
    expect(event.payload.summary).toHaveLength(1024);
    expect(event.dedup_key).toHaveLength(255);
    expect(event.payload.severity).toBe("critical");
  });

  test("is never told to acknowledge", () => {
    const [broke, recovered] = story();
    expect(JSON.stringify([broke, recovered].map(pagerDutyEvent))).not.toContain("acknowledge");
    expect(pagerDutyEvent(recovered)).toEqual({ event_action: "resolve", dedup_key: "production/S-02" });
  });

  test("refuses a key that is none, without showing it", () => {
    const refused = () => loadConfig({ PAGERDUTY_ROUTING_KEY: "not-a-key-but-a-secret" });
    expect(refused).toThrow("PAGERDUTY_ROUTING_KEY is not an integration key");
    expect(refused).not.toThrow("not-a-key-but-a-secret");
  });
});

describe("EventBridge", () => {
  const many = (count: number) =>
    Array.from(
      { length: count },
      (_, i): Alert => ({ ...brokeAlert("S-02"), key: `k${i}`, dedupKey: `d${i}` }),
    );

  test("gets ten entries at once, and no more than 256 kB", () => {
    expect(requestsOf(many(25), "canary").map(({ entries }) => entries.length)).toEqual([10, 10, 5]);
    const big = many(3).map((alert) => ({ ...alert, lines: ["x".repeat(120_000)] }));
    expect(requestsOf(big, "canary").map(({ entries }) => entries.length)).toEqual([2, 1]);
  });

  test("takes some entries and not others: only those are sent again", async () => {
    receiver.answer = 200;
    receiver.says = ({ body }) => taken(body, (key) => (key === "k1" ? "ThrottlingException" : null));
    const outbox = many(3).map((alert) => pending(alert, ["eventbridge"], NOW_MS));
    const delivery = await deliver(outbox, sendersOf("eventbridge"), () => NOW_MS, NOW_MS + 60_000);
    expect(delivery).toMatchObject({ delivered: 2, failures: ["eventbridge: ThrottlingException"] });
    expect(delivery.outbox.map(({ alert }) => alert.key)).toEqual(["k1"]);
  });
});
