/** The channels, in the order in which alerts are sent to them. */
import type { ValuesOf } from "../../config/reader.ts";
import type { ChannelSpec, Senders } from "./channel.ts";
import { slack } from "./slack.ts";
import { sns } from "./sns.ts";

export const CHANNELS = [slack, sns] as const;

export type ChannelValues = ValuesOf<(typeof CHANNELS)[number]>;

/** Makes the senders of the channels that are named. */
export function configureChannels(values: ChannelValues): Senders {
  const senders = (CHANNELS as readonly ChannelSpec[]).flatMap(({ name, configure }) => {
    const send = configure(values[name as keyof ChannelValues]);
    return send === null ? [] : [[name, send] as const];
  });
  return Object.fromEntries(senders);
}

/** The variables of which one names a channel: `SLACK_WEBHOOK_URL or ALERT_TOPIC_ARN`. */
export const CHANNEL_VARIABLES: string = (CHANNELS as readonly ChannelSpec[])
  .map(({ variables }) => Object.values(variables).filter(({ fallback }) => fallback === null))
  .map((required) => required.map(({ name }) => name).join(" and "))
  .join(" or ");
