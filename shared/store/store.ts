/** The canary's state in one DynamoDB table: the lease and the memory, silences, the journals, episodes, and the history. */
import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { type EpisodeStore, episodesOf } from "./episodes.ts";
import { type EvidenceStore, evidenceOf } from "./evidence.ts";
import { type FreshnessStore, freshnessOf } from "./freshness.ts";
import { type History, historyOf } from "./history.ts";
import { type JournalStore, journalsOf } from "./journals.ts";
import { type LatestStore, latestOf } from "./latest.ts";
import { type LeaseStore, leaseOf } from "./lease.ts";
import { openTable } from "./requests.ts";
import { type SilenceStore, silencesOf } from "./silences.ts";

export interface Store {
  readonly lease: LeaseStore;
  readonly silences: SilenceStore;
  readonly journals: JournalStore;
  /** What a cycle writes besides its memory. */
  readonly evidence: EvidenceStore;
  readonly freshness: FreshnessStore;
  /** What API and pages read. */
  readonly history: History;
  readonly episodes: EpisodeStore;
  /** The agents as the last full cycle saw them. */
  readonly latest: LatestStore;
}

/**
 * @param client a document client (marshalling set to remove undefined values)
 * @param name the name of a table with the keys of `TABLE`
 */
export function dynamoStore(client: DynamoDBDocumentClient, name: string): Store {
  const table = openTable(client, name);
  const lease = leaseOf(table);
  const latest = latestOf(table);
  return {
    lease,
    silences: silencesOf(table),
    journals: journalsOf(table),
    evidence: evidenceOf(table),
    freshness: freshnessOf(table),
    history: historyOf(table),
    episodes: episodesOf(table, lease, latest),
    latest,
  };
}
