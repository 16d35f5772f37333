/** From a notice to the alert that is sent. */

import type { Backend } from "../invariants/commands.ts";
import { guidanceOf } from "../invariants/guidance.ts";
import type { Invariant } from "../invariants/invariant.ts";
import { listed, plural } from "../text.ts";
import { formatDuration, formatInstant } from "../time.ts";
import type { AnyFinding } from "../verdict/evaluate.ts";
import { type Alert, type AlertParts, type Channel, dedupKeyOf, makeAlert } from "./alert.ts";
import { type Links, linksOf } from "./links.ts";
import type { Notice, RecoveredNotice, RedNotice } from "./notify.ts";
import type { SightNotice } from "./notify-sight.ts";

export interface AlertContext {
  readonly environment: string;
  /** The address of the status page, where there is one. */
  readonly statusUrl: string | null;
  /** Where the runbooks are; null or left out: the status page has them. */
  readonly runbooksUrl?: string | null;
  /** The platform's database, which the commands are for; null where none is read. */
  readonly backend: Backend | null;
  readonly snapshotTime: string;
  readonly nowMs: number;
  /** Takes secrets out of a text. */
  redact(text: string): string;
  /** The id under which a finding was recorded. */
  idOf(finding: AnyFinding): number | undefined;
}

/** An alert with the channels that it is for. */
export interface Addressed {
  readonly alert: Alert;
  readonly channels: readonly Channel[];
}

/** The commands of so many findings are in an alert. */
const MAX_GUIDED = 3;
/** The names in so many findings are marked as names. */
const MAX_EXPLAINED = 5;

/** Names the ids as a range where they are one block, else the first few. */
function nameIds(ids: readonly number[]): string {
  const sorted = [...ids].sort((a, b) => a - b);
  const [first, last] = [sorted[0]!, sorted.at(-1)!];
  if (first === last) return `violation ${first}`;
  if (last - first === sorted.length - 1) return `violations ${first}–${last}`;
  return `violations ${listed(sorted.map(String), 5)}`;
}

/** The texts within a value. */
const textsIn = (value: unknown): string[] => {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
};

/** What every alert of this cycle and this invariant has. */
const common = (
  { environment, statusUrl, snapshotTime, nowMs }: AlertContext,
  links: Links,
  id: string | null,
  kind: Alert["kind"],
) => ({
  environment,
  statusUrl,
  kind,
  key: `${snapshotTime}/${id ?? "sight"}/${kind}`,
  invariantId: id,
  dedupKey: dedupKeyOf(environment, id),
  atMs: nowMs,
  links: {
    invariant: id === null ? null : links.invariant(id),
    runbook: id === null ? null : links.runbook(id),
    status: links.status,
  },
});

/** A line for each reason, with all that is blind by it. */
function linesByReason(what: SightNotice["what"]): string[] {
  const byReason = new Map<string, { names: string[]; sinceMs: number }>();
  for (const { name, reason, sinceMs } of what) {
    const known = byReason.get(reason ?? "");
    if (!known) byReason.set(reason ?? "", { names: [name], sinceMs });
    else {
      known.names.push(name);
      known.sinceMs = Math.min(known.sinceMs, sinceMs);
    }
  }
  return [...byReason].map(
    ([reason, { names, sinceMs }]) => `${listed(names, 20)}: ${reason} (since ${formatInstant(sinceMs)})`,
  );
}

function sightParts(
  { kind, what, blindness, severity, isOver }: SightNotice,
  context: AlertContext,
): AlertParts {
  const { snapshotTime, nowMs } = context;
  const links = linksOf(context.statusUrl, context.runbooksUrl);
  const names = what.map(({ name }) => name);
  const seen =
    names.length > 0 ? `read again: ${listed(names, 20)}` : "what was blind is not looked at any more";
  const of = {
    ...common(context, links, null, kind),
    action: isOver ? ("resolve" as const) : ("trigger" as const),
    sinceMs: blindness?.since ?? null,
    severity,
    names: [...names, ...(blindness?.causes.map(({ source }) => source) ?? [])],
    context: [`snapshot ${snapshotTime}`],
  };
  if (kind === "blind")
    return {
      ...of,
      title: "The canary is blind",
      summary: blindness!.words,
      lines: linesByReason(what),
      impact: "What is blind is neither green nor red: a fault there is not noticed.",
      runbook:
        "See that the canary reaches each source that is named, by the variable beside it, and that its token or certificate is good.",
    };
  return {
    ...of,
    title: isOver ? "The canary sees again" : "The canary sees more again",
    summary: blindness && !isOver ? `${seen}. ${blindness.words}` : seen,
    lines: what.map(({ name, sinceMs }) => `${name}: was blind for ${formatDuration(nowMs - sinceMs)}`),
    runbook: null,
  };
}

function recoveredParts(notice: RecoveredNotice, context: AlertContext) {
  const { invariant, subjects, redSinceMs, severity, isTurnedOff } = notice;
  const red = `red for ${formatDuration(context.nowMs - redSinceMs)}`;
  const links = linksOf(context.statusUrl, context.runbooksUrl);
  return {
    ...common(context, links, invariant.id, "recovered"),
    title: invariant.title,
    severity,
    summary: isTurnedOff
      ? `turned off, it was ${red}, and is not looked at any more`
      : `green again, it was ${red}`,
    lines: subjects.length > 0 ? [`was red: ${listed(subjects, 20)}`] : [],
    subjects,
    subjectsTotal: subjects.length,
    names: subjects,
    sinceMs: redSinceMs,
    runbook: null,
    context: [`snapshot ${context.snapshotTime}`, `red since ${formatInstant(redSinceMs)}`],
  };
}

/** What is said of how long it is red, and whether it was before. */
function historyOf({ kind, redSinceMs, previousViolationAtMs }: RedNotice, nowMs: number): string {
  if (kind !== "broke" || redSinceMs < nowMs) return `red for ${formatDuration(nowMs - redSinceMs)}`;
  return previousViolationAtMs === null
    ? "first red for this invariant"
    : `last red ${formatDuration(nowMs - previousViolationAtMs)} ago`;
}

/** The commands for the first findings, with their own names. */
function commandsOf(invariant: Invariant, findings: readonly AnyFinding[], backend: Backend | null) {
  const guided = findings
    .slice(0, MAX_GUIDED)
    .map(({ observed }) => guidanceOf(invariant, observed, backend));
  return { verify: guided.flatMap(({ verify }) => verify), fix: guided.flatMap(({ fix }) => fix) };
}

function redParts(notice: RedNotice, context: AlertContext): AlertParts {
  const { snapshotTime, nowMs, idOf } = context;
  const { invariant, findings, kind, severity, redSinceMs } = notice;
  const links = linksOf(context.statusUrl, context.runbooksUrl);
  const of = common(context, links, invariant.id, kind);
  const summary = invariant.summarize(findings);
  const ids = findings.map(idOf).filter((id) => id !== undefined);
  const subjects = [...new Set(findings.map(({ subject }) => subject))];
  return {
    ...of,
    // Its channels are others than those of this cycle's first alert.
    ...(notice.isLate && { key: `${of.key}/late` }),
    title: invariant.title,
    severity,
    summary: { broke: summary, spread: `joined: ${summary}`, reminder: `still red: ${summary}` }[kind],
    lines: findings.map((finding) => invariant.explain(finding.observed)),
    subjects,
    subjectsTotal: subjects.length,
    names: [
      ...subjects.slice(0, 2 * MAX_EXPLAINED),
      ...findings.slice(0, MAX_EXPLAINED).flatMap(({ observed }) => textsIn(observed)),
    ],
    sinceMs: redSinceMs,
    impact: invariant.impact,
    runbook: invariant.runbook,
    safe: invariant.safe,
    ...commandsOf(invariant, findings, context.backend),
    context: [
      ...(ids.length > 0 ? [nameIds(ids)] : []),
      `snapshot ${snapshotTime}`,
      plural(findings.length, "violation"),
      historyOf(notice, nowMs),
    ],
  };
}

function partsOf(notice: Notice, context: AlertContext): AlertParts {
  if ("what" in notice) return sightParts(notice, context);
  return "subjects" in notice ? recoveredParts(notice, context) : redParts(notice, context);
}

interface AlertSource {
  readonly alerts: Pick<AlertContext, "environment" | "statusUrl" | "runbooksUrl">;
  readonly backend: AlertContext["backend"];
  readonly redact: AlertContext["redact"];
}

/**
 * Orders the subjects of every alert the same way, those first that are in most: what is cut is then cut alike, and an
 * agent that is named in one alert is not missing in another.
 */
function ranked(parts: readonly AlertParts[]): AlertParts[] {
  const counts = new Map<string, number>();
  for (const { subjects = [] } of parts)
    for (const subject of subjects) counts.set(subject, (counts.get(subject) ?? 0) + 1);
  const rank = (a: string, b: string) => counts.get(b)! - counts.get(a)! || (a < b ? -1 : 1);
  return parts.map((one) => ({ ...one, subjects: [...(one.subjects ?? [])].sort(rank) }));
}

/**
 * Makes the alerts of a cycle, without secrets, each with its channels. The key of each is unique: the cycle, the invariant
 * and the kind.
 */
export function toAlerts(
  { alerts: { environment, statusUrl, runbooksUrl = null }, backend, redact }: AlertSource,
  notices: readonly Notice[],
  context: Omit<AlertContext, "environment" | "statusUrl" | "runbooksUrl" | "backend" | "redact">,
): Addressed[] {
  const all = { environment, statusUrl, runbooksUrl, backend, redact, ...context };
  const parts = ranked(notices.map((notice) => partsOf(notice, all)));
  return parts.map((one, i) => ({ alert: makeAlert(one, redact), channels: notices[i]!.channels }));
}
