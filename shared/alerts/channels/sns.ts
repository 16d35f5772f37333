/** An SNS topic, for e-mail, chat, and whatever else subscribes to it. */
import { type MessageAttributeValue, PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import { awsRequests } from "../../aws-requests.ts";
import { oneOf, text } from "../../config/variable.ts";
import type { Alert } from "../alert.ts";
import { type ChannelSpec, NotDelivered, type Send } from "./channel.ts";
import { chatMessage } from "./chat.ts";
import { type Digest, digestOf } from "./message.ts";
import { plainMessage } from "./plain-text.ts";

const FORMATS = ["text", "chat"] as const;
type Format = (typeof FORMATS)[number];

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
  format: oneOf(
    "SNS_FORMAT",
    "`text`: everybody who subscribes gets a text. `chat`: e-mail and SMS get a text, and all others what Amazon Q Developer in chat applications (AWS Chatbot) shows",
    { fallback: "text", names: FORMATS },
  ),
};

/** What a subscription can filter by: of several alerts, by anything that is in one of them. */
function attributesOf({
  severity,
  kind,
  alerts,
  environment,
}: Digest): Record<string, MessageAttributeValue> {
  const string = (value: string) => ({ DataType: "String", StringValue: value });
  const strings = (values: readonly string[]) => ({
    DataType: "String.Array",
    StringValue: JSON.stringify([...new Set(values)]),
  });
  const isOne = alerts.length === 1;
  const ids = [...new Set(alerts.flatMap(({ invariantId }) => invariantId ?? []))];
  return {
    severity: isOne ? string(severity) : strings(alerts.map((alert) => alert.severity)),
    kind: isOne ? string(kind) : strings([kind, ...alerts.map((alert) => alert.kind)]),
    environment: string(environment),
    ...(ids.length > 0 && { invariant: strings(ids) }),
  };
}

/** Makes what is published. @param sent the alerts of one cycle, at least one */
export function publicationOf(sent: readonly Alert[], format: Format) {
  const digest = digestOf(sent);
  const { subject, text } = plainMessage(digest);
  const of = { Subject: subject, MessageAttributes: attributesOf(digest) };
  if (format === "text") return { ...of, Message: text };
  const forChat = JSON.stringify(chatMessage(digest));
  const byProtocol = { default: forChat, email: text, "email-json": text, sms: subject };
  return { ...of, Message: JSON.stringify(byProtocol), MessageStructure: "json" };
}

function snsSender(topicArn: string, format: Format): Send {
  // The topic's own region, which can be another than ours.
  const region = topicArn.split(":")[3]!;
  const client = new SNSClient({ region, ...awsRequests() });
  return async (alerts, signal) => {
    const publish = new PublishCommand({ TopicArn: topicArn, ...publicationOf(alerts, format) });
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
  prefix: "SNS",
  variables: SNS,
  named: ["topicArn"],
  configure: ({ topicArn, format }) =>
    topicArn === null ? null : { send: snsSender(topicArn, format), together: "cycle", holdsOpen: false },
} as const satisfies ChannelSpec<typeof SNS>;
