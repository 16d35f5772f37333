/** What a cycle writes down for people to read later: its record and outline, its violations, counters, and when it was. */
import { UpdateCommand } from "@aws-sdk/lib-dynamodb";
import type { Severity } from "../invariants/invariant.ts";
import { fitInto } from "../wire/fit-into.ts";
import type { CycleRecord } from "../wire/schemas/cycles.ts";
import type { ViolationRecord } from "../wire/schemas/violations.ts";
import { freshnessItem } from "./freshness.ts";
import { outlineItem } from "./outline.ts";
import type { Table } from "./requests.ts";
import { countAttribute, EVIDENCE_SECONDS, expiresAt, MAX_ITEM_BYTES, violationSortKey } from "./table.ts";

export interface Evidence {
  readonly cycle: CycleRecord;
  readonly violations: readonly ViolationRecord[];
  /** When the cycle began (unix ms); null where it did not run every invariant. */
  readonly fullCycleAtMs: number | null;
}

/** How many violations of one invariant and severity a cycle found. */
export interface ViolationCount {
  readonly invariantId: string;
  readonly severity: Severity;
  readonly count: number;
}

export interface EvidenceStore {
  /**
   * Counts the violations of a cycle and reserves ids for those that are written, in one update.
   * @param counts of all violations that were found, at least one
   * @param ids how many ids to reserve
   * @returns the first id's place in the day
   */
  reserveIds(
    day: string,
    counts: readonly ViolationCount[],
    ids: number,
    nowMs: number,
    signal: AbortSignal,
  ): Promise<number>;
  /**
   * Writes what is only evidence.
   * @param signal ends the tries
   * @throws where some of it could not be written
   */
  write(evidence: Evidence, nowMs: number, signal: AbortSignal): Promise<void>;
}

export function evidenceOf({ client, name, write }: Table): EvidenceStore {
  return {
    async reserveIds(day, counts, ids, nowMs, signal) {
      const update = new UpdateCommand({
        TableName: name,
        Key: { pk: "STATS", sk: day },
        UpdateExpression: `SET expires_at = :expires ADD issued :n, ${counts.map((_, i) => `#c${i} :c${i}`).join(", ")}`,
        ExpressionAttributeNames: Object.fromEntries(
          counts.map(({ invariantId, severity }, i) => [`#c${i}`, countAttribute(invariantId, severity)]),
        ),
        ExpressionAttributeValues: {
          ":n": ids,
          ":expires": expiresAt(nowMs, EVIDENCE_SECONDS),
          ...Object.fromEntries(counts.map(({ count }, i) => [`:c${i}`, count])),
        },
        ReturnValues: "UPDATED_NEW",
      });
      const { Attributes } = await client.send(update, { abortSignal: signal });
      return Number(Attributes?.issued) - ids + 1;
    },

    async write({ cycle, violations, fullCycleAtMs }, nowMs, signal) {
      const day = cycle.snapshot_time.slice(0, 10);
      const expires_at = expiresAt(nowMs, EVIDENCE_SECONDS);
      const items = [
        ...(fullCycleAtMs === null ? [] : [freshnessItem(fullCycleAtMs)]),
        { ...outlineItem(cycle), expires_at },
        { pk: `CYCLE#${day}`, sk: cycle.snapshot_time, expires_at, ...fitInto(cycle, MAX_ITEM_BYTES) },
        ...violations.map((violation) => ({
          pk: `VIOLATION#${day}`,
          sk: violationSortKey(violation.id),
          expires_at,
          ...fitInto(violation, MAX_ITEM_BYTES),
        })),
      ];
      await write(items, signal);
    },
  };
}
