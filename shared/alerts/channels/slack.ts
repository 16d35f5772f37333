/** Slack, by an incoming webhook. */
import { headerToken, text, webAddress } from "../../config/variable.ts";
import { type ChannelSpec, NotDelivered, type Send } from "./channel.ts";
import { post } from "./post.ts";
import { slackMessage } from "./slack-blocks.ts";

const SLACK = {
  webhookUrl: text("SLACK_WEBHOOK_URL", "a Slack incoming webhook. A secret: anyone who has it can post", {
    secret: true,
    checks: [
      headerToken,
      webAddress(
        "give the https:// address that Slack shows for the incoming webhook",
        /^https?:\/\/[^\s/]+\/\S*$/,
      ),
    ],
  }),
};

const slackSender =
  (url: string): Send =>
  async (alerts, signal) => {
    const { status, body, retryAfterMs } = await post("slack", url, { json: slackMessage(alerts) }, signal);
    // Slack answers 200 with another text for some faults: only "ok" confirms the message.
    if (status === 200 && body === "ok") return "HTTP 200 ok";
    const reason = /^[a-z_]{1,40}$/.test(body) ? ` ${body}` : "";
    throw new NotDelivered(`slack: HTTP ${status}${reason}`, {
      retryAfterMs,
      refused: status === 400 || status === 413,
    });
  };

export const slack = {
  name: "slack",
  prefix: "SLACK",
  variables: SLACK,
  named: ["webhookUrl"],
  configure: ({ webhookUrl }) =>
    webhookUrl === null ? null : { send: slackSender(webhookUrl), together: "cycle", holdsOpen: false },
} as const satisfies ChannelSpec<typeof SLACK>;
