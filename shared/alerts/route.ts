/** Which channels are sent what. Pure. */
import { type Invariant, SEVERITIES, type Severity } from "../invariants/invariant.ts";
import type { Channel } from "./alert.ts";
import type { Senders } from "./channels/channel.ts";

/** What one channel takes. */
export interface Route {
  readonly name: Channel;
  /** Nothing less severe. */
  readonly minSeverity: Severity;
  /** The ids of its invariants; null for all. */
  readonly invariants: readonly string[] | null;
  /** What it is sent stays open there until it is sent the end: a page, an incident. */
  readonly holdsOpen: boolean;
}

/** Lists what each channel takes. @param minSeverity the limit of a channel that has none of its own */
export const routesOf = (senders: Senders, minSeverity: Severity): Route[] =>
  Object.entries(senders).map(([name, sender]) => ({
    name,
    minSeverity: sender.minSeverity ?? minSeverity,
    invariants: sender.invariants ?? null,
    holdsOpen: sender.holdsOpen,
  }));

const isWithin = (severity: Severity, limit: Severity) =>
  SEVERITIES.indexOf(severity) <= SEVERITIES.indexOf(limit);

/**
 * Says whether the channel is sent a red of that severity. What rests on a discredited source is unknown, without an alert of
 * its own: the alert of the invariant that says so has to be sent, whatever the limits.
 */
export const takes = (
  { minSeverity, invariants }: Route,
  { id, discredits }: Pick<Invariant, "id" | "discredits">,
  severity: Severity,
): boolean =>
  discredits !== undefined || (isWithin(severity, minSeverity) && (invariants?.includes(id) ?? true));

/** A channel that was sent something. */
export type Told = Pick<Route, "name" | "holdsOpen">;

/**
 * Lists the channels that were sent something that is open. One that is not in use now may be back tomorrow, and has it
 * open still: the end waits for it in the outbox.
 * @param notified as it is remembered; an older version did not, and had only channels that hold nothing open
 */
export function sentTo(notified: readonly Channel[] | undefined, routes: readonly Route[]): Told[] {
  if (notified === undefined) return routes.filter(({ holdsOpen }) => !holdsOpen);
  return notified.map((name) => routes.find((route) => route.name === name) ?? { name, holdsOpen: true });
}

/** Adds channels to those that were sent something. */
export const alsoSent = (
  notified: readonly Channel[] | undefined,
  wasSent: boolean,
  routes: readonly Route[],
  channels: readonly Channel[],
): readonly Channel[] => {
  const before = notified ?? (wasSent ? sentTo(undefined, routes).map(({ name }) => name) : []);
  return [...new Set([...before, ...channels])];
};
