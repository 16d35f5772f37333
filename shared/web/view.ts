/** The readable part of a canary. Pages get this, so they can't take the lease or send alerts. */
import type { Canary } from "../canary.ts";
import type { LeaseStore } from "../store/lease.ts";
import type { Store } from "../store/store.ts";

export interface CanaryView {
  readonly store: Pick<Store, "freshness" | "history"> & { readonly lease: Pick<LeaseStore, "read"> };
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
