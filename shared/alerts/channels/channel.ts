/** What a channel's file says of it: its variables, and how it is sent an alert. */
import type { Table, Values } from "../../config/variable.ts";
import type { Alert, Channel } from "../alert.ts";

/** A channel did not take an alert. Its text holds no address and no token. */
export class NotDelivered extends Error {
  override readonly name = "NotDelivered";
  /** How long the channel asked to be left alone, in ms. */
  readonly retryAfterMs: number | null;
  /** The channel is there, but did not want this alert: others may still arrive. */
  readonly refused: boolean;
  constructor(message: string, { retryAfterMs = null as number | null, refused = false } = {}) {
    super(message);
    this.retryAfterMs = retryAfterMs;
    this.refused = refused;
  }
}

/** Gives one alert to one channel. @throws NotDelivered unless the channel said that it has it */
export type Send = (alert: Alert, signal: AbortSignal) => Promise<void>;
export type Senders = Readonly<Record<Channel, Send>>;

export interface ChannelSpec<N extends string = string, V extends Table = Table> {
  /** As it is named in the outbox and in the log. */
  readonly name: N;
  readonly variables: V;
  /** Gives what sends to the channel; null where none is named. */
  configure(values: Values<V>): Send | null;
}

/** Lets the compiler infer the variables' types. */
export const channelSpec = <const N extends string, V extends Table>(
  spec: ChannelSpec<N, V>,
): ChannelSpec<N, V> => spec;
