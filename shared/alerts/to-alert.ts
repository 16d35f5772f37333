/** From a notice to the alert that is sent. */

import { listed, plural } from "../text.ts";
import { formatDuration, formatInstant } from "../time.ts";
import type { AnyFinding } from "../verdict/evaluate.ts";
import { type Alert, type AlertParts, makeAlert } from "./alert.ts";
import type { Notice, SightNotice } from "./notify.ts";

export interface AlertContext {
  readonly environment: string;
  /** The address of the status page, where there is one. */
  readonly statusUrl: string | null;
  readonly snapshotTime: string;
  readonly nowMs: number;
  /** Takes secrets out of a text. */
  redact(text: string): string;
  /** The id under which a finding was recorded. */
  idOf(finding: AnyFinding): number | undefined;
}

/** Names the ids as a range where they are one block, else the first few. */
function nameIds(ids: readonly number[]): string {
  const sorted = [...ids].sort((a, b) => a - b);
  const [first, last] = [sorted[0]!, sorted.at(-1)!];
  if (first === last) return `violation ${first}`;
  if (last - first === sorted.length - 1) return `violations ${first}–${last}`;
  return `violations ${listed(sorted.map(String), 5)}`;
}

function toSightAlert({ kind, what }: SightNotice, context: AlertContext): Alert {
  const { environment, statusUrl, snapshotTime, nowMs } = context;
  const names = what.map(({ name }) => name);
  const shown = listed(names, 20);
  const isBlind = kind === "blind";
  const parts: AlertParts = {
    environment,
    statusUrl,
    kind,
    key: `${snapshotTime}/sight/${kind}`,
    invariantId: null,
    title: isBlind ? "The canary is blind" : "The canary sees again",
    severity: "critical",
    summary: isBlind ? `not read for some cycles: ${shown}` : `read again: ${shown}`,
    lines: what.map(({ name, reason, sinceMs }) =>
      isBlind
        ? `${name}: ${reason} (since ${formatInstant(sinceMs)})`
        : `${name}: was blind for ${formatDuration(nowMs - sinceMs)}`,
    ),
    runbook: isBlind
      ? "What is blind is neither green nor red: see that the canary reaches the source, and that its token or certificate is good."
      : null,
    context: [`snapshot ${snapshotTime}`],
  };
  return makeAlert(parts, context.redact);
}

/** Makes the alert. Its key is unique: the cycle, the invariant and the kind. */
export function toAlert(notice: Notice, context: AlertContext): Alert {
  if ("what" in notice) return toSightAlert(notice, context);
  return makeAlert(partsOf(notice, context), context.redact);
}

function partsOf(notice: Exclude<Notice, SightNotice>, context: AlertContext): AlertParts {
  const { environment, statusUrl, snapshotTime, nowMs, idOf } = context;
  const { invariant, redSinceMs } = notice;
  const { kind } = notice;
  const of = {
    environment,
    statusUrl,
    kind,
    key: `${snapshotTime}/${invariant.id}/${kind}`,
    invariantId: invariant.id,
    title: invariant.title,
  };
  const redFor = formatDuration(nowMs - redSinceMs);
  if ("subjects" in notice) {
    const { subjects } = notice;
    return {
      ...of,
      severity: invariant.severity,
      summary: `green again, it was red for ${redFor}`,
      lines: subjects.length > 0 ? [`was red: ${subjects.join(", ")}`] : [],
      runbook: null,
      context: [`snapshot ${snapshotTime}`, `red since ${formatInstant(redSinceMs)}`],
    };
  }

  const { findings, previousViolationAtMs } = notice;
  const summary = invariant.summarize(findings);
  const ids = findings.map(idOf).filter((id) => id !== undefined);
  const history = {
    broke:
      redSinceMs < nowMs
        ? `red for ${redFor}`
        : previousViolationAtMs === null
          ? "first red for this invariant"
          : `last red ${formatDuration(nowMs - previousViolationAtMs)} ago`,
    spread: `red for ${redFor}`,
    reminder: `red for ${redFor}`,
  };
  return {
    ...of,
    severity: notice.severity,
    summary: { broke: summary, spread: `joined: ${summary}`, reminder: `still red: ${summary}` }[notice.kind],
    lines: findings.map((finding) => invariant.explain(finding.observed)),
    runbook: invariant.runbook,
    context: [
      ...(ids.length > 0 ? [nameIds(ids)] : []),
      `snapshot ${snapshotTime}`,
      plural(findings.length, "violation"),
      history[notice.kind],
    ],
  };
}

interface AlertSource {
  readonly alerts: Pick<AlertContext, "environment" | "statusUrl">;
  readonly redact: AlertContext["redact"];
}

/** Makes the alerts of a cycle, without secrets. */
export const toAlerts = (
  { alerts: { environment, statusUrl }, redact }: AlertSource,
  notices: readonly Notice[],
  context: Omit<AlertContext, "environment" | "statusUrl" | "redact">,
): Alert[] => notices.map((notice) => toAlert(notice, { environment, statusUrl, redact, ...context }));
