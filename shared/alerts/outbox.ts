/** The outbox: alerts that wait, and their delivery. At least once, oldest first, each channel by itself. */
import { withDeadline } from "../deadline.ts";
import type { Alert, Attempts, Channel, Pending } from "./alert.ts";
import { NotDelivered, type Send, type Senders } from "./channels/channel.ts";

const POST_DEADLINE_MS = 5_000;
/** With less time than this a post would be cut off, and the channel would count as down. */
const LEAST_POST_MS = 1_000;
const SUSPECT_AFTER = 3;
const FIRST_BACKOFF_MS = 60_000;
const MAX_BACKOFF_MS = 60 * 60_000;
/** An alert that a channel did not take for a day is given up. */
export const GIVE_UP_AFTER_MS = 24 * 60 * 60_000;

/** An entry's channels, as they change during delivery. */
type Waiting = {
  -readonly [C in keyof Pending["channels"]]: { -readonly [A in keyof Attempts]: Attempts[A] };
};

/** What became of the outbox. */
export interface Delivery {
  readonly outbox: readonly Pending[];
  /** Alerts that a channel took, one for each channel. */
  readonly delivered: number;
  /** Alerts that were given up, with the channel that never took them. */
  readonly dropped: readonly { readonly alert: Alert; readonly channel: Channel }[];
  /** Why a channel did not take an alert, without secrets. */
  readonly failures: readonly string[];
}

/** Makes an entry for an alert that no channel has taken yet. */
export const pending = (alert: Alert, channels: readonly Channel[], nowMs: number): Pending => ({
  alert,
  createdAtMs: nowMs,
  channels: Object.fromEntries(channels.map((channel) => [channel, { failed: 0, notBeforeMs: nowMs }])),
});

/** More than a day of flapping; a full outbox gives up its oldest, with a line in the log. */
const MAX_OUTBOX = 500;

/** Puts new alerts behind those that wait. A full outbox drops its oldest. */
export function enqueue(
  outbox: readonly Pending[],
  alerts: readonly Alert[],
  channels: readonly Channel[],
  nowMs: number,
): { outbox: readonly Pending[]; dropped: { readonly key: string; readonly channel: Channel }[] } {
  const all = [...outbox, ...alerts.map((alert) => pending(alert, channels, nowMs))];
  const over = all.slice(0, Math.max(0, all.length - MAX_OUTBOX));
  const dropped = over.flatMap(({ alert, channels: waiting }) =>
    Object.keys(waiting).map((channel) => ({ key: alert.key, channel })),
  );
  return { outbox: all.slice(over.length), dropped };
}

/** The time (unix ms) before which the channel is not tried: it was down, or it asked for a pause. */
const downUntilMs = (outbox: readonly Pending[], channel: Channel): number =>
  Math.max(
    0,
    ...outbox.map(({ channels }) => (channels[channel]?.channelDown ? channels[channel].notBeforeMs : 0)),
  );

const channelsOf = (outbox: readonly Pending[]) => [
  ...new Set(outbox.flatMap((entry) => Object.keys(entry.channels))),
];
const isOld = ({ createdAtMs }: Pending, nowMs: number) => nowMs - createdAtMs >= GIVE_UP_AFTER_MS;

/** Says whether an alert can be tried, or has to be given up, now. */
export const isDue = (outbox: readonly Pending[], nowMs: number): boolean =>
  outbox.some((entry) => isOld(entry, nowMs)) ||
  channelsOf(outbox).some(
    (channel) =>
      downUntilMs(outbox, channel) <= nowMs &&
      outbox.some(({ channels }) => (channels[channel]?.notBeforeMs ?? Infinity) <= nowMs),
  );

const backoffMs = (failed: number) => Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** failed);

/**
 * Sends the alerts that are due, the channels in parallel. A channel that is down is not tried again in this cycle, so that
 * its alerts arrive in order. An alert that a channel refuses for its content does not hold back those behind it.
 * @param untilMs when to stop (unix ms); an alert that was not tried by then stays as it is
 */
export async function deliver(
  outbox: readonly Pending[],
  senders: Senders,
  now: () => number,
  untilMs: number,
): Promise<Delivery> {
  const dropped: { alert: Alert; channel: Channel }[] = [];
  const failures: string[] = [];
  let delivered = 0;
  const left = outbox.map((entry) => ({ ...entry, channels: structuredClone(entry.channels) as Waiting }));

  /** Sends one alert. Returns whether the next one may be tried. */
  async function tryOne(
    { alert, channels }: (typeof left)[number],
    channel: Channel,
    send: Send,
  ): Promise<boolean> {
    const failed = channels[channel]?.failed ?? 0;
    try {
      await withDeadline(Math.min(POST_DEADLINE_MS, untilMs - now()), (signal) => send(alert, signal));
      delete channels[channel];
      delivered += 1;
      return true;
    } catch (error) {
      const known = error instanceof NotDelivered ? error : new NotDelivered(`${channel}: no answer in time`);
      failures.push(known.message);
      const notBeforeMs = now() + Math.max(known.retryAfterMs ?? 0, backoffMs(failed));
      channels[channel] = { failed: failed + 1, notBeforeMs, ...(!known.refused && { channelDown: true }) };
      return known.refused;
    }
  }

  async function drain(channel: Channel) {
    const send = senders[channel];
    let open = send !== undefined && downUntilMs(outbox, channel) <= now();
    /** An alert that failed often may be the cause itself, not the channel: the next one is tried to find out. */
    let suspect: (typeof left)[number] | null = null;
    for (const entry of left) {
      const attempts = entry.channels[channel];
      if (!attempts) continue;
      if (isOld(entry, now())) {
        delete entry.channels[channel];
        dropped.push({ alert: entry.alert, channel });
      } else if (open && attempts.notBeforeMs <= now() && now() + LEAST_POST_MS <= untilMs) {
        open = await tryOne(entry, channel, send!);
        if (open && suspect?.channels[channel]) delete suspect.channels[channel].channelDown;
        if (!open && suspect === null && attempts.failed >= SUSPECT_AFTER) {
          suspect = entry;
          open = true;
        }
      }
    }
  }
  await Promise.all(channelsOf(outbox).map(drain));
  return {
    outbox: left.filter((entry) => Object.keys(entry.channels).length > 0),
    delivered,
    dropped,
    failures,
  };
}
