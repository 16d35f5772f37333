/** An SNS topic, for e-mail and whatever else subscribes to it. */
import { PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import { matching, text } from "../../config/variable.ts";
import type { Alert } from "../alert.ts";
import { channelSpec, NotDelivered, type Send } from "./channel.ts";
import { headline, keyLine, moreLine } from "./message.ts";

const SNS = {
  topicArn: text("ALERT_TOPIC_ARN", {
    meaning: "an SNS topic, for e-mail and whatever else subscribes to it",
    checks: [
      matching(
        /^arn:[\w-]+:sns:[\w-]+:\d{12}:[\w-]+$/,
        (arn) =>
          `is ${JSON.stringify(arn)}: give the ARN of a standard topic, like arn:aws:sns:eu-west-1:123456789012:canary`,
      ),
    ],
  }),
};

/** SNS takes a subject of 100 printable ASCII characters, and a message of 256 kB. */
export const SNS_LIMITS = { subject: 100, message: 256_000 } as const;

/** Makes the subject and the text of an e-mail. */
export function plainMessage(alert: Alert): { subject: string; text: string } {
  const lines = [
    `[${alert.environment}] ${headline(alert)}`,
    "",
    alert.summary,
    ...(alert.lines.length > 0 ? ["", ...alert.lines.map((line) => `- ${line}`)] : []),
    moreLine(alert),
    ...(alert.runbook === null ? [] : ["", `What to do: ${alert.runbook}`]),
    "",
    ...alert.context,
    keyLine(alert),
    alert.statusUrl,
  ].filter((line) => line !== null);
  const subject = `[${alert.environment}] ${headline(alert)}`
    .replaceAll("—", "-")
    .replaceAll("–", "-")
    .replace(/[^\x20-\x7e]/g, "")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, SNS_LIMITS.subject);
  return { subject, text: lines.join("\n").slice(0, SNS_LIMITS.message) };
}

/** @param topicArn of a standard topic */
function snsSender(client: SNSClient, topicArn: string): Send {
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

export const sns = channelSpec({
  name: "sns",
  variables: SNS,
  configure({ topicArn }) {
    if (topicArn === null) return null;
    // The topic's own region, which need not be ours.
    const region = topicArn.split(":")[3]!;
    return snsSender(new SNSClient({ region, maxAttempts: 2 }), topicArn);
  },
});
