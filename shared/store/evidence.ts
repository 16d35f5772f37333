/** What a cycle writes down besides its memory: its record, its violations, counters, and entries of journals. */
import { UpdateCommand } from "@aws-sdk/lib-dynamodb";
import type { CycleRecord, ViolationRecord } from "../wire/schemas.ts";
import { fitItem } from "./fit-item.ts";
import { type JournalAddition, journalItems } from "./journals.ts";
import type { Table } from "./requests.ts";
import { countAttribute, EVIDENCE_SECONDS, expiresAt, violationSortKey } from "./table.ts";

export interface Evidence {
  readonly cycle: CycleRecord;
  readonly violations: readonly ViolationRecord[];
  readonly journals: readonly JournalAddition[];
}

export interface EvidenceStore {
  /**
   * Counts the violations of a cycle and reserves their ids, in one update.
   * @returns the first id's place in the day
   */
  reserveIds(
    day: string,
    violations: readonly Pick<ViolationRecord, "invariant_id" | "severity">[],
    nowMs: number,
  ): Promise<number>;
  /** Writes what is only evidence: it may be there twice, or for a cycle that was never committed. */
  write(evidence: Evidence, nowMs: number): Promise<void>;
}

export function evidenceOf({ client, name, write }: Table): EvidenceStore {
  return {
    async reserveIds(day, violations, nowMs) {
      const counts = new Map<string, number>();
      for (const { invariant_id, severity } of violations) {
        const attribute = countAttribute(invariant_id, severity);
        counts.set(attribute, (counts.get(attribute) ?? 0) + 1);
      }
      const attributes = [...counts.keys()];
      const { Attributes } = await client.send(
        new UpdateCommand({
          TableName: name,
          Key: { pk: "STATS", sk: day },
          UpdateExpression: `SET expires_at = :expires ADD issued :n, ${attributes.map((_, i) => `#c${i} :c${i}`).join(", ")}`,
          ExpressionAttributeNames: Object.fromEntries(
            attributes.map((attribute, i) => [`#c${i}`, attribute]),
          ),
          ExpressionAttributeValues: {
            ":n": violations.length,
            ":expires": expiresAt(nowMs, EVIDENCE_SECONDS),
            ...Object.fromEntries(attributes.map((attribute, i) => [`:c${i}`, counts.get(attribute)])),
          },
          ReturnValues: "UPDATED_NEW",
        }),
      );
      return Number(Attributes?.issued) - violations.length + 1;
    },

    async write({ cycle, violations, journals }, nowMs) {
      const day = cycle.snapshot_time.slice(0, 10);
      const expires_at = expiresAt(nowMs, EVIDENCE_SECONDS);
      await write([
        { pk: `CYCLE#${day}`, sk: cycle.snapshot_time, expires_at, ...fitItem(cycle) },
        ...journals.flatMap((addition) => journalItems(addition, cycle.snapshot_time, nowMs)),
        ...violations.map((violation) => ({
          pk: `VIOLATION#${day}`,
          sk: violationSortKey(violation.id),
          expires_at,
          ...fitItem(violation),
        })),
      ]);
    },
  };
}
