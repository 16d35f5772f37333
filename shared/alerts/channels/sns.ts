/** An SNS topic, for e-mail and whatever else subscribes to it. */
import { PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import { awsRequests } from "../../aws-requests.ts";
import { text } from "../../config/variable.ts";
import type { Alert } from "../alert.ts";
import { type ChannelSpec, NotDelivered, type Send } from "./channel.ts";
import { headline, keyLine, moreLine } from "./message.ts";

const SNS = {
  topicArn: text("ALERT_TOPIC_ARN", "an SNS topic, for e-mail and whatever else subscribes to it", {
    checks: [
      (arn, { problem }) => {
        if (!/^arn:[\w-]+:sns:[\w-]+:\d{12}:[\w-]+$/.test(arn))
          problem(
            `is ${JSON.stringify(arn)}: give the ARN of a standard topic, like arn:aws:sns:eu-west-1:123456789012:canary`,
          );
      },
    ],
  }),
};

/** SNS accepts a subject of 100 printable ASCII characters, and a message of 256 kB. */
const SNS_LIMITS = { subject: 100, message: 256_000 } as const;

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
    .replace(/[—–]/g, "-")
    .replace(/[^\x20-\x7e]/g, "")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, SNS_LIMITS.subject);
  return { subject, text: lines.join("\n").slice(0, SNS_LIMITS.message) };
}

function snsSender(topicArn: string): Send {
  // The topic's own region, which can be another than ours.
  const region = topicArn.split(":")[3]!;
  const client = new SNSClient({ region, ...awsRequests() });
  return async (alerts, signal) => {
    const { subject, text } = plainMessage(alerts[0]!);
    const publish = new PublishCommand({ TopicArn: topicArn, Subject: subject, Message: text });
    try {
      const { MessageId } = await client.send(publish, { abortSignal: signal });
      return `message ${MessageId}`;
    } catch (error) {
      const { name } = error as Error;
      throw new NotDelivered(`sns: ${signal.aborted ? "no answer in time" : name}`, {
        refused: name.startsWith("InvalidParameter"),
      });
    }
  };
}

export const sns = {
  name: "sns",
  variables: SNS,
  prefix: "SNS",
  named: ["topicArn"],
  configure: ({ topicArn }) =>
    topicArn === null ? null : { send: snsSender(topicArn), together: 1, holdsOpen: false },
} as const satisfies ChannelSpec<typeof SNS>;
