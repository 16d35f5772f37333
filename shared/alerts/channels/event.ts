/** An alert as data: what the webhook and EventBridge are sent. */
import { formatInstant } from "../../time.ts";
import type { Alert } from "../alert.ts";

/** An alert as data. What each field means is in shared/wire/alert-event.ts, which has its schema. */
export interface AlertEvent {
  version: 1;
  key: string;
  dedup_key: string;
  action: Alert["action"];
  kind: Alert["kind"];
  environment: string;
  at: string;
  since: string | null;
  severity: Alert["severity"];
  invariant_id: string | null;
  title: string;
  summary: string;
  impact: string | null;
  subjects: string[];
  subjects_total: number;
  details: string[];
  details_left_out: number;
  verify: string[];
  fix: string[];
  safe: string | null;
  runbook: string | null;
  links: { invariant: string | null; runbook: string | null; status: string | null };
  context: string[];
}

/** Makes the event. Its texts are as they are: who shows them has to escape them. */
export const eventOf = (alert: Alert): AlertEvent => ({
  version: 1,
  key: alert.key,
  dedup_key: alert.dedupKey,
  action: alert.action,
  kind: alert.kind,
  environment: alert.environment,
  at: formatInstant(alert.atMs),
  since: alert.sinceMs === null ? null : formatInstant(alert.sinceMs),
  severity: alert.severity,
  invariant_id: alert.invariantId,
  title: alert.title,
  summary: alert.summary,
  impact: alert.impact,
  subjects: [...alert.subjects],
  subjects_total: alert.subjectsTotal,
  details: [...alert.lines],
  details_left_out: alert.more,
  verify: [...alert.verify],
  fix: [...alert.fix],
  safe: alert.safe,
  runbook: alert.runbook,
  links: { ...alert.links },
  context: [...alert.context],
});
