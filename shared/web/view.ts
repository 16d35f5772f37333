/** The part of a canary that is for reading: a page gets this, and can neither take the lease nor send an alert. */
import type { Canary } from "../canary.ts";
import type { LeaseStore } from "../store/lease.ts";
import type { Store } from "../store/store.ts";

export interface CanaryView {
  readonly store: Pick<Store, "history"> & { readonly lease: Pick<LeaseStore, "read"> };
  /** The names of the alert channels, sorted. */
  readonly channels: readonly string[];
  readonly environment: string;
  /** Unix ms. */
  readonly now: () => number;
}

export const viewOf = ({ store, alerts, now }: Canary): CanaryView => ({
  store,
  channels: Object.keys(alerts.senders).sort(),
  environment: alerts.environment,
  now,
});
