/** The agents as the last full cycle saw them: one item, compressed, that each full cycle replaces. */
import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";
import { jsonWithin } from "../wire/fit-into.ts";
import type { AgentBody } from "../wire/schemas/agents.ts";
import type { ViolationRecord } from "../wire/schemas/violations.ts";
import { type Item, isExpired, type Table } from "./requests.ts";
import { EVIDENCE_SECONDS, expiresAt, TABLE } from "./table.ts";

/** An agent with the first of its slots and rows. */
export type SeenAgent = Pick<
  AgentBody,
  "name" | "on_roster" | "max_parallel_tasks" | "slots_used" | "running" | "queued" | "slots" | "rows"
>;

/** What was found of a red subject. */
export interface SeenRed {
  readonly invariant_id: string;
  readonly subject: string;
  readonly violation_id: number | null;
  /** The first of its findings. */
  readonly states: readonly ViolationRecord["observed_state"][];
  /** An earlier cycle found this; the last full one could not look at all of it. */
  readonly is_unseen?: true;
  /** What the first cycle found, where its episode has no item yet and later ones found it too. */
  readonly first?: Sight;
}

/** A state that was found, and the id of its violation. */
export interface Sight {
  readonly state: ViolationRecord["observed_state"] | null;
  readonly violation_id: number | null;
}

/** What was last found of an episode that has ended, and whose item is not known to say so. */
export interface SeenEnded extends SeenRed {
  /** When it began. */
  readonly since: string;
  /** When it was found. */
  readonly seen_at: string;
}

export interface Latest {
  readonly seen_at: string;
  readonly unread: readonly string[];
  readonly agents: readonly SeenAgent[];
  readonly red: readonly SeenRed[];
  /** Absent in an item of an older version. */
  readonly ended?: readonly SeenEnded[];
  /** Whether the roster was read whole. */
  readonly has_roster: boolean;
  /** How many agents have no place in `agents`. */
  readonly left_out: number;
}

export interface LatestStore {
  /** What the last full cycle left; null where there is none, or where it can't be read. */
  read(nowMs: number): Promise<Latest | null>;
  /**
   * @param sizes what was seen, and ever smaller forms of it: the first that fits is written
   * @param signal ends the tries
   */
  write(sizes: Iterable<Latest>, nowMs: number, signal: AbortSignal): Promise<void>;
}

/** It is written in each full cycle, and each kilobyte of it is a write unit. */
export const MAX_LATEST_BYTES = 64_000;
const MAX_JSON = 1_500_000;
const KEY = { [TABLE.partitionKey]: "LATEST", [TABLE.sortKey]: "LATEST" };

function compress(latest: Latest): Uint8Array | null {
  const json = jsonWithin(latest, MAX_JSON);
  if (json === null) return null;
  const bytes = brotliCompressSync(json, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } });
  return bytes.length <= MAX_LATEST_BYTES ? bytes : null;
}

/** Reads the item. It is evidence: what can't be read is not there. */
function readItem(item: Item | undefined, nowMs: number): Latest | null {
  if (!item || isExpired(item, nowMs)) return null;
  try {
    const latest = JSON.parse(brotliDecompressSync(item.latest).toString("utf8"));
    return Array.isArray(latest.agents) && Array.isArray(latest.red) ? latest : null;
  } catch {
    return null;
  }
}

export const latestOf = (table: Table): LatestStore => ({
  read: async (nowMs) => readItem(await table.get("LATEST", "LATEST"), nowMs),
  async write(sizes, nowMs, signal) {
    for (const latest of sizes) {
      const bytes = compress(latest);
      if (bytes === null) continue;
      const item = { ...KEY, expires_at: expiresAt(nowMs, EVIDENCE_SECONDS), latest: bytes };
      return table.write([item], signal);
    }
  },
});
