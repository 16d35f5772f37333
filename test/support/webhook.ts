/** Slack and SNS on the loopback. They answer as the real ones do, well or badly. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { bodyOf, listen } from "../../infra/chaos/webhook.ts";

export {
  type Post,
  startWebhook,
  WEBHOOK_TOKEN,
  type Webhook,
  type WebhookAnswer,
} from "../../infra/chaos/webhook.ts";

export interface Publication {
  readonly topicArn: string;
  readonly subject: string;
  readonly message: string;
  /** What a subscription can filter by. */
  readonly attributes: Readonly<Record<string, string>>;
}

export interface Topic {
  readonly endpoint: string;
  readonly arn: string;
  /** Every publication that arrived, in order, whatever the answer was. */
  readonly publications: Publication[];
  answer: "ok" | "throttled" | "hangs" | "not authorized";
  close(): Promise<void>;
}

/** Reads `MessageAttributes.entry.1.Name` and its like. */
function attributesIn(form: URLSearchParams): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (let i = 1; form.has(`MessageAttributes.entry.${i}.Name`); i += 1)
    attributes[form.get(`MessageAttributes.entry.${i}.Name`)!] =
      form.get(`MessageAttributes.entry.${i}.Value.StringValue`) ?? "";
  return attributes;
}

/** A topic of SNS, over its query protocol. */
export async function startTopic(): Promise<Topic> {
  const publications: Publication[] = [];
  const topic = { answer: "ok" as Topic["answer"] };
  const faults = {
    throttled: [400, "Throttling", "Rate exceeded"],
    "not authorized": [403, "AuthorizationError", "User is not authorized to perform: SNS:Publish"],
  } as const;
  const ok = `<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>1</MessageId></PublishResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PublishResponse>`;

  const server = createServer(async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const form = new URLSearchParams(await bodyOf(incoming));
    if (form.get("Action") !== "Publish") return outgoing.writeHead(400).end();
    publications.push({
      topicArn: form.get("TopicArn") ?? "",
      subject: form.get("Subject") ?? "",
      message: form.get("Message") ?? "",
      attributes: attributesIn(form),
    });
    if (topic.answer === "hangs") return undefined;
    if (topic.answer === "ok") return outgoing.writeHead(200, { "content-type": "text/xml" }).end(ok);
    const [status, code, text] = faults[topic.answer];
    const error = `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${text}</Message></Error><RequestId>r</RequestId></ErrorResponse>`;
    return outgoing.writeHead(status, { "content-type": "text/xml" }).end(error);
  });
  const { address, close } = await listen(server);
  return Object.assign(topic, {
    endpoint: address,
    arn: "arn:aws:sns:eu-west-1:123456789012:canary",
    publications,
    close,
  });
}
