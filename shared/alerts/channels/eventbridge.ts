/** An event bus of Amazon EventBridge: one entry for each alert. From there rules reach everything else. */
import { EventBridgeClient, PutEventsCommand, type PutEventsRequestEntry } from "@aws-sdk/client-eventbridge";
import { awsRequests } from "../../aws-requests.ts";
import { text } from "../../config/variable.ts";
import type { Alert } from "../alert.ts";
import { type ChannelSpec, NotDelivered, type Send } from "./channel.ts";
import { eventOf } from "./event.ts";

const BUS = /^(arn:[\w-]+:events:[\w-]+:\d{12}:event-bus\/)?[\w./-]{1,256}$/;

const EVENTBRIDGE = {
  bus: text(
    "EVENT_BUS",
    "a bus of Amazon EventBridge, by its name or ARN: every alert is an event on it, of the source `trinity-canary`. The right is `events:PutEvents`",
    {
      checks: [
        (bus, { problem }) => {
          if (!BUS.test(bus))
            problem(
              `is ${JSON.stringify(bus)}: give a name, such as default, or an ARN like arn:aws:events:eu-west-1:123456789012:event-bus/canary`,
            );
        },
      ],
    },
  ),
};

/** What EventBridge takes in one request: entries, and bytes of all of them (256 kB, with some room). */
const LIMITS = { entries: 10, bytes: 250_000 } as const;

/** Errors of an entry that it would have again. */
const REFUSALS = ["MalformedDetail", "InvalidArgument", "NotAuthorizedForDetailTypeException"];

/** Makes the entry of an alert. */
export const entryOf = (alert: Alert, bus: string): PutEventsRequestEntry => ({
  EventBusName: bus,
  Source: "trinity-canary",
  DetailType: alert.action === "trigger" ? "Canary Alert Triggered" : "Canary Alert Resolved",
  Time: new Date(alert.atMs),
  Detail: JSON.stringify(eventOf(alert)),
});

const sizeOf = ({ Detail = "", Source = "", DetailType = "" }: PutEventsRequestEntry) =>
  Buffer.byteLength(Detail + Source + DetailType) + 14;

/** Splits the alerts into requests that EventBridge takes. */
export function requestsOf(alerts: readonly Alert[], bus: string) {
  const requests: { alerts: Alert[]; entries: PutEventsRequestEntry[]; bytes: number }[] = [];
  for (const alert of alerts) {
    const entry = entryOf(alert, bus);
    const last = requests.at(-1);
    const bytes = sizeOf(entry);
    if (last && last.entries.length < LIMITS.entries && last.bytes + bytes <= LIMITS.bytes) {
      last.alerts.push(alert);
      last.entries.push(entry);
      last.bytes += bytes;
    } else requests.push({ alerts: [alert], entries: [entry], bytes });
  }
  return requests;
}

function eventBridgeSender(bus: string): Send {
  // A bus that is named by its ARN has a region of its own.
  const region = bus.startsWith("arn:") ? { region: bus.split(":")[3]! } : {};
  const client = new EventBridgeClient({ ...region, ...awsRequests() });
  return async (alerts, signal) => {
    const taken: string[] = [];
    const codes: string[] = [];
    for (const request of requestsOf(alerts, bus)) {
      try {
        const put = new PutEventsCommand({ Entries: request.entries });
        const { Entries = [] } = await client.send(put, { abortSignal: signal });
        for (const [i, { key }] of request.alerts.entries()) {
          const answer = Entries[i];
          if (answer?.EventId) taken.push(key);
          else codes.push(answer?.ErrorCode ?? "no answer for an entry");
        }
      } catch (error) {
        const { name } = error as Error;
        throw new NotDelivered(`eventbridge: ${signal.aborted ? "no answer in time" : name}`, {
          refused: name === "ValidationException",
          taken,
        });
      }
    }
    if (codes.length === 0)
      return `${taken.length === 1 ? "the event was" : `${taken.length} events were`} taken`;
    const refused = codes.every((code) => REFUSALS.includes(code));
    throw new NotDelivered(`eventbridge: ${[...new Set(codes)].join(", ")}`, { refused, taken });
  };
}

export const eventbridge = {
  name: "eventbridge",
  prefix: "EVENTBRIDGE",
  variables: EVENTBRIDGE,
  named: ["bus"],
  configure: ({ bus }) =>
    bus === null ? null : { send: eventBridgeSender(bus), together: LIMITS.entries, holdsOpen: true },
} as const satisfies ChannelSpec<typeof EVENTBRIDGE>;
