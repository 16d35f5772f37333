/** PagerDuty, by its Events API v2. An incident is opened and resolved; whoever acknowledges it is not touched. */
import { headerToken, matching, text, webAddress } from "../../config/variable.ts";
import { cut } from "../../text.ts";
import { formatInstant } from "../../time.ts";
import type { Alert } from "../alert.ts";
import { type ChannelSpec, NotDelivered, type Send } from "./channel.ts";
import { eventOf } from "./event.ts";
import { headline, linksIn } from "./message.ts";
import { isRefusal, post } from "./post.ts";

const ADDRESS = "https://events.pagerduty.com/v2/enqueue";

const PAGERDUTY = {
  routingKey: text(
    "PAGERDUTY_ROUTING_KEY",
    "the integration key of a service of PagerDuty (Events API v2). A secret: anyone who has it can page",
    {
      secret: true,
      checks: [
        headerToken,
        matching(
          /^\w{32}$/,
          "is not an integration key, which has 32 letters and digits: copy it from the service's integration of the kind Events API v2",
        ),
      ],
    },
  ),
  url: text(
    "PAGERDUTY_URL",
    "where events are sent to; in the EU region `https://events.eu.pagerduty.com/v2/enqueue`",
    {
      fallback: ADDRESS,
      checks: [webAddress(`give one like ${ADDRESS}`, /^https?:\/\/[^\s@/][^\s@]*$/)],
    },
  ),
};

/** PagerDuty's limits, in characters. An event has 512 kB at most. */
const LIMITS = { summary: 1024, dedupKey: 255, field: 255, link: 2000 } as const;
const SEVERITIES = { critical: "critical", major: "error", minor: "warning" } as const;

/** Makes the event without the routing key. */
export function pagerDutyEvent(alert: Alert): object {
  const dedup_key = cut(alert.dedupKey, LIMITS.dedupKey);
  if (alert.action === "resolve") return { event_action: "resolve", dedup_key };
  const { version: _, key, links, environment, title, severity, ...details } = eventOf(alert);
  return {
    event_action: "trigger",
    dedup_key,
    payload: {
      summary: cut(`[${environment}] ${headline(alert)}: ${alert.summary}`, LIMITS.summary),
      source: cut(`trinity-canary ${environment}`, LIMITS.field),
      severity: SEVERITIES[severity],
      timestamp: formatInstant(alert.atMs),
      component: cut(alert.invariantId ?? "canary", LIMITS.field),
      group: cut(environment, LIMITS.field),
      class: alert.kind,
      custom_details: { alert: key, ...details },
    },
    client: "trinity-canary",
    ...(links.status !== null && { client_url: links.status }),
    links: linksIn(alert)
      .filter(([, href]) => href.length <= LIMITS.link)
      .map(([words, href]) => ({ href, text: words })),
  };
}

const pagerDutySender =
  (url: string, routingKey: string): Send =>
  async ([alert], signal) => {
    const json = { routing_key: routingKey, ...pagerDutyEvent(alert!) };
    const { status, retryAfterMs } = await post("pagerduty", url, { json }, signal);
    if (status === 202) return "HTTP 202";
    throw new NotDelivered(`pagerduty: HTTP ${status}`, { retryAfterMs, refused: isRefusal(status) });
  };

export const pagerduty = {
  name: "pagerduty",
  prefix: "PAGERDUTY",
  variables: PAGERDUTY,
  named: ["routingKey"],
  configure: ({ routingKey, url }) =>
    routingKey === null ? null : { send: pagerDutySender(url, routingKey), together: 1, holdsOpen: true },
} as const satisfies ChannelSpec<typeof PAGERDUTY>;
