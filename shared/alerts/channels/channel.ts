/** What a channel is: its variables, and how it is sent an alert. */
import type { Part } from "../../config/reader.ts";
import type { Values, VariableTable } from "../../config/variable.ts";
import type { Severity } from "../../invariants/invariant.ts";
import type { Alert, Channel } from "../alert.ts";

/** A channel did not accept a message. The text holds no address and no token. */
export class NotDelivered extends Error {
  override readonly name = "NotDelivered";
  /** How long the channel asked us to wait, in ms. */
  readonly retryAfterMs: number | null;
  /** The channel works, but refused this message: others may still arrive. */
  readonly refused: boolean;
  /** The keys of the alerts that it accepted all the same. */
  readonly taken: readonly string[];
  constructor(
    message: string,
    { retryAfterMs = null as number | null, refused = false, taken = [] as readonly string[] } = {},
  ) {
    super(message);
    this.retryAfterMs = retryAfterMs;
    this.refused = refused;
    this.taken = taken;
  }
}

/** What a channel answered, in a few words without secrets. */
export type Answer = string;

/**
 * Sends alerts to one channel in one message.
 * @returns what the channel answered
 * @throws NotDelivered unless the channel confirmed that it has all of them
 */
export type Send = (alerts: readonly Alert[], signal: AbortSignal) => Promise<Answer>;

/** How alerts come to a channel. */
export interface Transport {
  readonly send: Send;
  /** How many alerts go into one message: all of one cycle, or so many. */
  readonly together: "cycle" | number;
  /** What it is sent stays open there until it is sent the end: a page, an incident. */
  readonly holdsOpen: boolean;
}

/** A channel that is in use, and what it takes. */
export interface Sender extends Transport {
  /** Nothing less severe. Left out or null: the limit of all channels. */
  readonly minSeverity?: Severity | null;
  /** The ids of its invariants. Left out or null: all. */
  readonly invariants?: readonly string[] | null;
}
export type Senders = Readonly<Record<Channel, Sender>>;

/** A channel. `name` identifies it in the outbox and in the log. */
export interface ChannelSpec<V extends VariableTable = VariableTable> extends Part<V> {
  /** Its name in the variables that say what it takes: `SLACK` of `SLACK_MIN_SEVERITY`. */
  readonly prefix: string;
  /** The variables without which it is not in use, by the names that the code has for them. */
  readonly named: readonly (keyof V & string)[];
  /** Makes the transport to the channel; null where none is named. */
  configure(values: Values<V>): Transport | null;
}
