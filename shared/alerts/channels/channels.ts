/** The ways to operators: a Slack incoming webhook, and an SNS topic. */
import { PublishCommand, type SNSClient } from "@aws-sdk/client-sns";
import type { Alert, Channel } from "../alert.ts";
import { plainMessage, slackMessage } from "./message.ts";

/** A channel did not take an alert. Its text holds no address and no token. */
export class NotDelivered extends Error {
  override readonly name = "NotDelivered";
  /** How long the channel asked to be left alone, in ms. */
  readonly retryAfterMs: number | null;
  /** The channel is there, but did not want this alert: others may still arrive. */
  readonly refused: boolean;
  constructor(message: string, { retryAfterMs = null as number | null, refused = false } = {}) {
    super(message);
    this.retryAfterMs = retryAfterMs;
    this.refused = refused;
  }
}

/** Gives one alert to one channel. @throws NotDelivered unless the channel said that it has it */
export type Send = (alert: Alert, signal: AbortSignal) => Promise<void>;
export type Senders = Readonly<Partial<Record<Channel, Send>>>;

/** @returns the header's time in ms: seconds, or a date */
function parseRetryAfter(header: string | null, nowMs: number): number | null {
  if (header === null) return null;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}

/** @param url the webhook's address, which is a secret: whoever has it can post */
export function slackSender(url: string, now: () => number): Send {
  return async (alert, signal) => {
    let response: Response;
    let body: string;
    try {
      response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json; charset=utf-8" },
        body: JSON.stringify(slackMessage(alert)),
        redirect: "manual",
        signal,
      });
      body = (await response.text()).trim();
    } catch (error) {
      if (signal.aborted) throw new NotDelivered("slack: no answer in time");
      const { cause } = error as { cause?: { code?: string } };
      throw new NotDelivered(`slack: ${cause?.code ?? "the connection failed"}`);
    }
    // Slack answers 200 with another text for some faults; only this one means that the message is there.
    if (response.status === 200 && body === "ok") return;
    const said = /^[a-z_]{1,40}$/.test(body) ? ` ${body}` : "";
    throw new NotDelivered(`slack: HTTP ${response.status}${said}`, {
      retryAfterMs: parseRetryAfter(response.headers.get("retry-after"), now()),
      refused: response.status === 400 || response.status === 413,
    });
  };
}

/** @param topicArn of a standard topic */
export function snsSender(client: SNSClient, topicArn: string): Send {
  return async (alert, signal) => {
    const { subject, text } = plainMessage(alert);
    try {
      await client.send(new PublishCommand({ TopicArn: topicArn, Subject: subject, Message: text }), {
        abortSignal: signal,
      });
    } catch (error) {
      const { name } = error as Error;
      throw new NotDelivered(`sns: ${signal.aborted ? "no answer in time" : name}`, {
        refused: name.startsWith("InvalidParameter"),
      });
    }
  };
}
