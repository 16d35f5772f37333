/** The topic, over the wire: the SDK's own client against a receiver that answers well and badly. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { configureChannels } from "../../../shared/alerts/channels/index.ts";
import { deliver, pending } from "../../../shared/alerts/outbox.ts";
import { MINUTE_MS } from "../../../shared/time.ts";
import { loadConfig } from "../../../shared/variables.ts";
import { judge, NOW_MS } from "../../support/facts.ts";
import { type Receiver, type ReceiverAnswer, startReceiver } from "../../support/receiver.ts";
import { invariantOf, redFacts, tell } from "../../support/told.ts";

const ARN = "arn:aws:sns:eu-west-1:123456789012:canary";
const PUBLISHED =
  "<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>";

let receiver: Receiver;
beforeEach(async () => {
  receiver = await startReceiver();
  vi.stubEnv("AWS_ENDPOINT_URL_SNS", receiver.address);
  vi.stubEnv("AWS_ACCESS_KEY_ID", "local");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "local");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await receiver.close();
});

const senders = () => configureChannels(loadConfig({ ALERT_TOPIC_ARN: ARN }).channels);
const broke = () => tell([judge(invariantOf("S-02"), redFacts("S-02", ["ada"]))]).alerts[0]!;
const messageIn = (body: string) => new URLSearchParams(body).get("Message");

test.each<[ReceiverAnswer, RegExp]>([
  [500, /^sns: /],
  [503, /^sns: /],
  [429, /^sns: /],
  [403, /^sns: /],
  ["resets", /^sns: /],
])(
  "answers %s: the alert waits, no address shows, and it arrives once the topic works",
  async (answer, why) => {
    receiver.answer = answer;
    const alert = broke();
    const first = await deliver([pending(alert, ["sns"], NOW_MS)], senders(), () => NOW_MS, NOW_MS + 60_000);
    expect(first).toMatchObject({ delivered: 0, dropped: [], outbox: [{ alert: { key: alert.key } }] });
    expect(first.failures).toEqual([expect.stringMatching(why)]);
    expect(first.failures[0]).not.toMatch(/127\.0\.0\.1|123456789012/);

    Object.assign(receiver, { answer: 200, says: () => PUBLISHED });
    receiver.received.length = 0;
    const laterMs = NOW_MS + 10 * MINUTE_MS;
    const later = await deliver(first.outbox, senders(), () => laterMs, laterMs + 60_000);
    expect(later).toMatchObject({ delivered: 1, outbox: [], failures: [] });
    expect(receiver.received.map(({ body }) => messageIn(body))).toEqual([
      expect.stringContaining(`alert ${alert.key}`),
    ]);
  },
);

test("never answers: it is cut off, and the alert waits", async () => {
  receiver.answer = "hangs";
  const { delivered, failures, outbox } = await deliver(
    [pending(broke(), ["sns"], NOW_MS)],
    senders(),
    () => NOW_MS,
    NOW_MS + 1_500,
  );
  expect([delivered, failures, outbox.length]).toEqual([0, ["sns: no answer in time"], 1]);
});
