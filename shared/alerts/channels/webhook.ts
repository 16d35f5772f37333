/** A webhook: one signed CloudEvent for each alert. */
import { createHmac } from "node:crypto";
import { headerToken, text, webAddress } from "../../config/variable.ts";
import type { Alert } from "../alert.ts";
import { type ChannelSpec, NotDelivered, type Send } from "./channel.ts";
import { eventOf } from "./event.ts";
import { isRefusal, post } from "./post.ts";

const MIN_SECRET = 16;

const WEBHOOK = {
  url: text(
    "WEBHOOK_URL",
    "an address that every alert is posted to as a CloudEvent ([alerts.md](alerts.md)). A secret: it may have a token in it",
    {
      secret: true,
      checks: [headerToken, webAddress("give the https:// address of the receiver")],
    },
  ),
  secret: text(
    "WEBHOOK_SECRET",
    `what its posts are signed with (HMAC-SHA256): at least ${MIN_SECRET} characters. Not set: they are not signed`,
    {
      secret: true,
      checks: [
        (value, { problem }) => {
          if (value.length < MIN_SECRET)
            problem(
              `has fewer than ${MIN_SECRET} characters, and could be guessed: make one with \`openssl rand -hex 24\``,
            );
        },
      ],
    },
  ),
};

/** The header with the signature: `t=1732617600,v1=…`. */
export const SIGNATURE_HEADER = "x-canary-signature";

/**
 * Signs a body. The time is signed with it: a receiver refuses what is old, and so what somebody sends again.
 * @param atSeconds unix time
 */
export function signatureOf(body: string, secret: string, atSeconds: number): string {
  const mac = createHmac("sha256", secret).update(`${atSeconds}.${body}`).digest("hex");
  return `t=${atSeconds},v1=${mac}`;
}

/** Makes the CloudEvent of an alert, in structured mode. */
export function cloudEventOf(alert: Alert): object {
  const data = eventOf(alert);
  return {
    specversion: "1.0",
    id: data.key,
    source: `/trinity-canary/${encodeURIComponent(data.environment)}`,
    type: `trinity-canary.alert.${data.action}.v1`,
    subject: data.dedup_key,
    time: data.at,
    datacontenttype: "application/json",
    data,
  };
}

const webhookSender =
  (url: string, secret: string | null): Send =>
  async ([alert], signal) => {
    const body = JSON.stringify(cloudEventOf(alert!));
    const headers = {
      "content-type": "application/cloudevents+json; charset=utf-8",
      ...(secret !== null && {
        [SIGNATURE_HEADER]: signatureOf(body, secret, Math.floor(Date.now() / 1000)),
      }),
    };
    const { status, retryAfterMs } = await post("webhook", url, { body, headers }, signal);
    if (status >= 200 && status < 300) return `HTTP ${status}`;
    throw new NotDelivered(`webhook: HTTP ${status}`, { retryAfterMs, refused: isRefusal(status) });
  };

export const webhook = {
  name: "webhook",
  prefix: "WEBHOOK",
  variables: WEBHOOK,
  named: ["url"],
  check({ url, secret }, problem) {
    if (url === null && secret !== null)
      problem(`${WEBHOOK.url.name} is missing: ${WEBHOOK.secret.name} signs what is posted there`);
  },
  configure: ({ url, secret }) =>
    url === null ? null : { send: webhookSender(url, secret), together: 1, holdsOpen: true },
} as const satisfies ChannelSpec<typeof WEBHOOK>;
