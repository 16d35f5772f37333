/** When the alerts of an environment are sent, and what each channel takes. */
import { z } from "zod";
import { CHANNELS } from "../../shared/alerts/channels/index.ts";
import { ALERT_POLICY } from "../../shared/config/alerts.ts";
import { SEVERITIES } from "../../shared/invariants/invariant.ts";
import { listOfIds } from "./checks.ts";
import { address, choiceOf, flagOf, matching, numberOf, oneOf, writes } from "./schemas.ts";

export const AlertSettings = z.strictObject({
  onRecovery: flagOf(ALERT_POLICY.onRecovery),
  onSpread: flagOf(ALERT_POLICY.onSpread),
  remindAfterHours: numberOf(
    ALERT_POLICY.remindAfterHours,
    "hours after which an open red gets another alert (0: never)",
  ),
  minSeverity: choiceOf(ALERT_POLICY.minSeverity),
  blindAfterCycles: numberOf(
    ALERT_POLICY.blindAfterCycles,
    "unknown cycles in a row after which an alert says so",
  ),
});

type Channel = (typeof CHANNELS)[number];
const variablesOf = <N extends Channel["name"]>(name: N) =>
  CHANNELS.find((channel) => channel.name === name)!.variables as Extract<Channel, { name: N }>["variables"];
const [sns, pagerduty, eventbridge] = [
  variablesOf("sns"),
  variablesOf("pagerduty"),
  variablesOf("eventbridge"),
];

/** What a channel takes. */
const limitsOf = ({ minSeverity, invariants }: Channel["variables"]) => ({
  minSeverity: writes(minSeverity, oneOf(SEVERITIES).nullable().default(null)),
  invariants: writes(invariants, listOfIds()),
});

/** What of each channel is no secret. One without its secret, or its bus, is not in use. */
export const ChannelSettings = {
  slack: z.strictObject(limitsOf(variablesOf("slack"))),
  sns: z.strictObject({ ...limitsOf(sns), format: choiceOf(sns.format) }),
  webhook: z.strictObject(limitsOf(variablesOf("webhook"))),
  pagerduty: z.strictObject({
    ...limitsOf(pagerduty),
    url: writes(
      pagerduty.url,
      address("https", "https://events.eu.pagerduty.com/v2/enqueue").optional(),
      (url) => url as string,
    ),
  }),
  eventbridge: z.strictObject({
    ...limitsOf(eventbridge),
    /** The function may put events on this bus, and on no other. */
    bus: writes(
      eventbridge.bus,
      matching(
        /^(arn:[\w-]+:events:[\w-]+:\d{12}:event-bus\/)?[\w.-][\w./-]{0,255}$/,
        "give a bus by its name, such as default, or by its ARN",
      ).optional(),
      (bus) => bus ?? null,
    ),
  }),
};
