/** What a channel is: its variables, and how it is sent an alert. */
import type { Part } from "../../config/reader.ts";
import type { Values, VariableTable } from "../../config/variable.ts";
import type { Alert, Channel } from "../alert.ts";

/** A channel did not accept an alert. The text holds no address and no token. */
export class NotDelivered extends Error {
  override readonly name = "NotDelivered";
  /** How long the channel asked us to wait, in ms. */
  readonly retryAfterMs: number | null;
  /** The channel works, but refused this alert: others may still arrive. */
  readonly refused: boolean;
  constructor(message: string, { retryAfterMs = null as number | null, refused = false } = {}) {
    super(message);
    this.retryAfterMs = retryAfterMs;
    this.refused = refused;
  }
}

/** Sends one alert to one channel. @throws NotDelivered unless the channel confirmed that it has it */
export type Send = (alert: Alert, signal: AbortSignal) => Promise<void>;
export type Senders = Readonly<Record<Channel, Send>>;

/** A channel. `name` identifies it in the outbox and in the log. */
export interface ChannelSpec<V extends VariableTable = VariableTable> extends Part<V> {
  /** Makes the function that sends to the channel; null where none is named. */
  configure(values: Values<V>): Send | null;
}
