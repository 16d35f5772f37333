/** The outbox: alerts that wait, and their delivery. At least once, oldest first, each channel by itself. */
import { withDeadline } from "../deadline.ts";
import { plural } from "../text.ts";
import { HOUR_MS } from "../time.ts";
import { type Alert, type Attempts, type Channel, completed, type Pending } from "./alert.ts";
import { NotDelivered, type Sender, type Senders } from "./channels/channel.ts";
import { messagesOf } from "./messages.ts";
import type { Addressed } from "./to-alert.ts";

const POST_DEADLINE_MS = 5_000;
/** With less time than this a post would be cut off, and the channel would count as down. */
const LEAST_POST_MS = 1_000;
const SUSPECT_AFTER = 3;
const FIRST_BACKOFF_MS = 60_000;
const MAX_BACKOFF_MS = 60 * 60_000;
/** An alert that a channel did not take for a day is given up. */
const GIVE_UP_HOURS = 24;
export const GIVE_UP_AFTER_MS = GIVE_UP_HOURS * HOUR_MS;

/** An entry's channels, as they change during delivery. */
type Waiting = {
  -readonly [C in keyof Pending["channels"]]: { -readonly [A in keyof Attempts]: Attempts[A] };
};
type Entry = Omit<Pending, "channels"> & { readonly channels: Waiting };

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

/** Puts new alerts behind those that wait, each for its own channels. A full outbox drops its oldest. */
export function enqueue(
  outbox: readonly Pending[],
  alerts: readonly Addressed[],
  nowMs: number,
): { outbox: readonly Pending[]; dropped: { readonly key: string; readonly channel: Channel }[] } {
  const all = [...outbox, ...alerts.map(({ alert, channels }) => pending(alert, channels, nowMs))];
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

/** How long a channel is left alone. What it asks for is kept to, but no alert waits longer than it would anyway. */
function pauseMs(failed: number, askedMs: number | null): number {
  const asked = askedMs !== null && Number.isFinite(askedMs) ? askedMs : 0;
  return Math.min(MAX_BACKOFF_MS, Math.max(asked, FIRST_BACKOFF_MS * 2 ** failed));
}

/**
 * Sends the alerts that are due, the channels in parallel. What waits and is of one cycle goes in one message where the
 * channel takes that. A channel that is down is not tried again in this cycle, so that its alerts arrive in order. A
 * message that a channel refuses for its content does not hold back those behind it, and its alerts go alone from then on.
 * @param untilMs when to stop (unix ms); an alert that was not tried by then stays as it is
 */
export async function deliver(
  outbox: readonly Pending[],
  senders: Senders,
  now: () => number,
  untilMs: number,
): Promise<Delivery> {
  const left: Entry[] = outbox.map((entry) => ({
    ...entry,
    alert: completed(entry.alert),
    channels: structuredClone(entry.channels) as Waiting,
  }));
  const clock = { now, untilMs };
  const channels = channelsOf(outbox);
  const drained = await Promise.all(
    channels.map((channel) =>
      drain(left, { channel, sender: senders[channel] }, downUntilMs(outbox, channel), clock),
    ),
  );
  return {
    outbox: left.filter((entry) => Object.keys(entry.channels).length > 0),
    delivered: drained.reduce((sum, { delivered }) => sum + delivered, 0),
    dropped: drained.flatMap(({ dropped }) => dropped),
    failures: drained.flatMap(({ failures }) => failures),
  };
}

interface Clock {
  readonly now: () => number;
  readonly untilMs: number;
}
type Tried = { readonly delivered: number; readonly failure: NotDelivered | null };

/** Sends one message, and marks in its entries what became of it. */
async function trySending(
  entries: readonly Entry[],
  channel: Channel,
  { send }: Sender,
  { now, untilMs }: Clock,
): Promise<Tried> {
  const alerts = entries.map(({ alert }) => alert);
  try {
    await withDeadline(Math.min(POST_DEADLINE_MS, untilMs - now()), (signal) => send(alerts, signal));
    for (const entry of entries) delete entry.channels[channel];
    return { delivered: entries.length, failure: null };
  } catch (error) {
    const failure = error instanceof NotDelivered ? error : new NotDelivered(`${channel}: no answer in time`);
    const taken = entries.filter(({ alert }) => failure.taken.includes(alert.key));
    for (const entry of taken) delete entry.channels[channel];
    for (const { channels } of entries) {
      const before = channels[channel];
      if (!before) continue;
      const { failed, alone } = before;
      const notBeforeMs = now() + pauseMs(failed, failure.retryAfterMs);
      const goesAlone = alone || (failure.refused && entries.length > 1);
      channels[channel] = {
        failed: failed + 1,
        notBeforeMs,
        ...(goesAlone && { alone: true }),
        ...(!failure.refused && { channelDown: true }),
      };
    }
    return { delivered: taken.length, failure };
  }
}

/** Sends what one channel waits for. */
async function drain(
  left: readonly Entry[],
  { channel, sender }: { readonly channel: Channel; readonly sender: Sender | undefined },
  downUntil: number,
  clock: Clock,
): Promise<Omit<Delivery, "outbox">> {
  const { now, untilMs } = clock;
  const dropped: { alert: Alert; channel: Channel }[] = [];
  const failures: string[] = [];
  let delivered = 0;
  let open = sender !== undefined && downUntil <= now();
  /** A message that failed often may be the cause itself, not the channel: the next one is tried to find out. */
  let suspect: readonly Entry[] | null = null;
  const waiting = left.filter((entry) => entry.channels[channel]);
  /** What waits still, is older, and opens or ends the same thing. */
  const olderOf = (entry: Entry) =>
    waiting
      .slice(0, waiting.indexOf(entry))
      .filter(({ alert, channels }) => channels[channel] && alert.dedupKey === entry.alert.dedupKey);
  const hasOpposite = (entry: Entry) =>
    olderOf(entry).some(({ alert }) => alert.action !== entry.alert.action);
  /** What is open is ended only after it was opened, and opened again only after it was ended, or where it never opened. */
  const isBehind = (entry: Entry) => {
    const neverOpened = olderOf(entry).some(
      (one) => one.alert.action === "trigger" && isRefused(one, channel),
    );
    return hasOpposite(entry) && !(entry.alert.action === "trigger" && neverOpened);
  };

  for (const message of messagesOf(waiting, channel, sender)) {
    for (const entry of message.filter((one) => isOld(one, now()))) {
      delete entry.channels[channel];
      dropped.push({ alert: entry.alert, channel });
    }
    if (!open) continue;
    const due = message.filter(
      (entry) => (entry.channels[channel]?.notBeforeMs ?? Infinity) <= now() && !isBehind(entry),
    );
    if (due.length === 0 || now() + LEAST_POST_MS > untilMs) continue;
    const failedBefore = Math.max(...due.map(({ channels }) => channels[channel]?.failed ?? 0));
    const tried = await trySending(due, channel, sender!, clock);
    delivered += tried.delivered;
    // After the newer one, what is older would end or open the wrong thing.
    const passed = due.filter((entry) => !entry.channels[channel] && hasOpposite(entry)).flatMap(olderOf);
    for (const entry of passed) {
      delete entry.channels[channel];
      dropped.push({ alert: entry.alert, channel });
    }
    if (tried.failure) failures.push(tried.failure.message);
    open = tried.failure?.refused ?? true;
    if (open) acquit(suspect, channel);
    else if (suspect === null && failedBefore >= SUSPECT_AFTER) {
      suspect = due;
      open = true;
    }
  }
  if (sender === undefined) failures.push(...orphaned(waiting, channel));
  return { delivered, dropped, failures };
}

/** Says that alerts wait for a channel that the configuration does not have any more. */
function orphaned(waiting: readonly Entry[], channel: Channel): string[] {
  const left = waiting.filter((entry) => entry.channels[channel]).length;
  if (left === 0) return [];
  const wait = plural(left, "alert waits", "alerts wait");
  return [
    `${channel}: not configured any more, and ${wait} for it: configure it again, or each is given up when it is ${GIVE_UP_HOURS} h old`,
  ];
}

/** The channel works, and did not take this alert for what it is. */
const isRefused = ({ channels }: Entry, channel: Channel): boolean =>
  (channels[channel]?.failed ?? 0) > 0 && !channels[channel]?.channelDown;

/** The channel works: what failed before was that message. */
function acquit(suspect: readonly Entry[] | null, channel: Channel): void {
  for (const { channels } of suspect ?? []) {
    const attempts = channels[channel];
    if (!attempts) continue;
    delete attempts.channelDown;
    if (suspect!.length > 1) attempts.alone = true;
  }
}
