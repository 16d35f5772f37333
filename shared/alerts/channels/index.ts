/** The channels, in the order in which alerts are sent to them. */
import { limitsOf } from "../../config/alert-limits.ts";
import type { ValuesOf } from "../../config/reader.ts";
import type { Values, VariableTable } from "../../config/variable.ts";
import type { ChannelSpec, Sender, Senders } from "./channel.ts";
import { eventbridge } from "./eventbridge.ts";
import { pagerduty } from "./pagerduty.ts";
import { slack } from "./slack.ts";
import { sns } from "./sns.ts";
import { webhook } from "./webhook.ts";

/** A channel with the variables that every channel has. */
const withLimits = <const S extends Pick<ChannelSpec, "prefix" | "variables">>(
  spec: S,
): Omit<S, "variables"> & { readonly variables: S["variables"] & ReturnType<typeof limitsOf> } => ({
  ...spec,
  variables: { ...spec.variables, ...limitsOf(spec.prefix) },
});

export const CHANNELS = [
  withLimits(slack),
  withLimits(sns),
  withLimits(webhook),
  withLimits(pagerduty),
  withLimits(eventbridge),
] as const;
const SPECS = CHANNELS as readonly unknown[] as readonly ChannelSpec[];

export type ChannelValues = ValuesOf<(typeof CHANNELS)[number]>;
type LimitValues = Values<ReturnType<typeof limitsOf>>;

function senderOf({ configure }: ChannelSpec, values: Values<VariableTable> & LimitValues): Sender | null {
  const transport = configure(values);
  if (transport === null) return null;
  const { minSeverity, invariants } = values;
  return { ...transport, minSeverity, invariants: invariants.length > 0 ? invariants : null };
}

/** Makes the senders of the channels that are named. */
export function configureChannels(values: ChannelValues): Senders {
  const senders = SPECS.flatMap((spec) => {
    const sender = senderOf(spec, values[spec.name as keyof ChannelValues] as never);
    return sender === null ? [] : [[spec.name, sender] as const];
  });
  return Object.fromEntries(senders);
}

/** The variables of which one names a channel: `SLACK_WEBHOOK_URL or ALERT_TOPIC_ARN`. */
export const CHANNEL_VARIABLES: string = SPECS.map(({ named, variables }) =>
  named.map((key) => variables[key]!.name).join(" and "),
).join(" or ");
