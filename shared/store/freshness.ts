/** When the last full cycle was, in an item of its own: a request for it, which needs no token, costs one small read. */
import type { Item, Table } from "./requests.ts";
import { TABLE } from "./table.ts";

export interface FreshnessStore {
  /** Reads when the last cycle that ran every invariant began (unix ms); null where there was none. */
  lastFullCycleAtMs(): Promise<number | null>;
}

const FRESHNESS = "FRESHNESS";

/** The item that says so. */
export const freshnessItem = (atMs: number): Item => ({
  [TABLE.partitionKey]: FRESHNESS,
  [TABLE.sortKey]: FRESHNESS,
  at_ms: atMs,
});

export const freshnessOf = (table: Table): FreshnessStore => ({
  async lastFullCycleAtMs() {
    const item = await table.get(FRESHNESS, FRESHNESS);
    return item ? Number(item.at_ms) : null;
  },
});
