/** What the app needs of a canary, and what of it pages get. */
import { linksOf } from "../alerts/links.ts";
import type { Canary } from "../canary.ts";
import type { AlertSettings } from "../cycle/outcome.ts";
import type { EpisodeStore } from "../store/episodes.ts";
import type { LatestStore } from "../store/latest.ts";
import type { LeaseStore } from "../store/lease.ts";
import type { Store } from "../store/store.ts";

/** A canary as the app needs it: its state, and neither its sources nor its channels. */
export interface AppCanary extends Pick<Canary, "checks" | "now" | "redact"> {
  readonly store: Pick<Store, "freshness" | "history" | "silences"> & {
    readonly lease: Pick<LeaseStore, "read">;
    readonly episodes: Pick<EpisodeStore, "list" | "get">;
    readonly latest: Pick<LatestStore, "read">;
  };
  readonly alerts: Pick<AlertSettings, "environment" | "runbooksUrl">;
}

/** The readable part of a canary. Pages get this, so they can't silence or run a cycle. */
export interface CanaryView {
  readonly store: Pick<AppCanary["store"], "freshness" | "history" | "lease" | "episodes" | "latest">;
  readonly checks: AppCanary["checks"];
  readonly environment: string;
  /** Where the runbook of an invariant is: a page of this site, where nothing else was configured. */
  readonly runbookAt: (id: string) => string;
  /** Unix ms. */
  readonly now: () => number;
}

export const viewOf = ({ store, checks, alerts, now }: AppCanary): CanaryView => ({
  store,
  checks,
  environment: alerts.environment,
  runbookAt: (id) => linksOf(null, alerts.runbooksUrl).runbook(id) ?? `/runbooks/${id}`,
  now,
});
