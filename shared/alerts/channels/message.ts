/** What every channel for messages shows: the alerts of one cycle, put in order. Pure. */
import { SEVERITIES, type Severity } from "../../invariants/invariant.ts";
import { listed, plural } from "../../text.ts";
import type { Alert } from "../alert.ts";

const SEVERITY_MARKS = { critical: "🚨", major: "⚠️", minor: "🟡" } as const;

/** Makes the alert's first line: `🚨 S-02 Slot overbooking — critical` */
export function headline({ kind, invariantId, title, severity }: Alert): string {
  const name = invariantId === null ? title : `${invariantId} ${title}`;
  const red = `${SEVERITY_MARKS[severity]} ${name} — ${severity}`;
  switch (kind) {
    case "broke":
      return red;
    case "spread":
      return `${red}, spreading`;
    case "reminder":
      return `${red}, still red`;
    case "recovered":
      return `✅ ${name} — recovered`;
    case "blind":
      return `🙈 ${name}`;
    case "sees":
      return `👀 ${name}`;
    case "test":
      return `🔔 ${name}`;
  }
}

const escaped = (name: string) => name.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");

/**
 * Splits a text at the names in it. The longest are looked for first: one can be the beginning of another.
 * @returns pieces that are not empty
 */
export function splitAtNames(
  text: string,
  names: readonly string[],
): { readonly piece: string; readonly isName: boolean }[] {
  if (names.length === 0) return [{ piece: text, isName: false }];
  const words = [...names].sort((a, b) => b.length - a.length).map(escaped);
  return text
    .split(new RegExp(`(?<![\\w-])(${words.join("|")})(?![\\w-])`))
    .flatMap((piece, i) => (piece === "" ? [] : [{ piece, isName: i % 2 === 1 }]));
}

export const moreLine = ({ more }: Alert) => (more > 0 ? `… +${more} more` : null);
/** A reader recognises by it an alert that came twice. */
export const keyLine = ({ key }: Alert) => `alert ${key}`;

/** A subject with the invariants in which it is red. */
export interface SubjectLine {
  readonly subject: string;
  readonly ids: readonly string[];
}

/** The alerts of one cycle, as one message says them. */
export interface Digest {
  readonly environment: string;
  readonly headline: string;
  /** The worst of what it says is red or blind; of all where nothing is. */
  readonly severity: Severity;
  /** The kind of its one alert, or `digest` for several. */
  readonly kind: string;
  /** What is red first, the worst first; what ended last. */
  readonly alerts: readonly Alert[];
  /** Where it has several alerts: each subject once, those that are red in most first. */
  readonly subjects: readonly SubjectLine[];
  /** How many subjects beside these there are at least. */
  readonly moreSubjects: number;
}

const MAX_SUBJECTS = 20;

const isRed = ({ kind }: Alert) => kind === "broke" || kind === "spread" || kind === "reminder";
const worst = (alerts: readonly Alert[]): Severity =>
  SEVERITIES.find((severity) => alerts.some((alert) => alert.severity === severity)) ?? "critical";

/** What is bad news comes first, the worst first. */
function rankOf(alert: Alert): number {
  const { kind, action, severity } = alert;
  const group = kind === "blind" ? 0 : action === "trigger" ? 1 : 2;
  return group * SEVERITIES.length + SEVERITIES.indexOf(severity);
}

function subjectLines(red: readonly Alert[]): SubjectLine[] {
  const ids = new Map<string, string[]>();
  for (const { subjects, invariantId } of red)
    for (const subject of subjects) ids.set(subject, [...(ids.get(subject) ?? []), invariantId!]);
  return [...ids]
    .map(([subject, of]) => ({ subject, ids: of }))
    .sort((a, b) => b.ids.length - a.ids.length || (a.subject < b.subject ? -1 : 1));
}

const idsOf = (alerts: readonly Alert[]) =>
  listed(
    alerts.map(({ invariantId, title }) => invariantId ?? title),
    20,
  );

/** Says in one line what several alerts say: `🚨 3 red: S-01, S-03, E-01 — critical; 1 recovered: B-02`. */
function headlineOf(alerts: readonly Alert[]): string {
  const red = alerts.filter(isRed);
  const recovered = alerts.filter(({ kind }) => kind === "recovered");
  const others = alerts.filter((alert) => !isRed(alert) && alert.kind !== "recovered");
  const parts = [
    ...others.map(headline),
    ...(red.length > 0
      ? [`${SEVERITY_MARKS[worst(red)]} ${red.length} red: ${idsOf(red)} — ${worst(red)}`]
      : []),
    ...(recovered.length > 0 ? [`✅ ${recovered.length} recovered: ${idsOf(recovered)}`] : []),
  ];
  return parts.join("; ");
}

/** Puts the alerts of one message in order. @param sent at least one */
export function digestOf(sent: readonly Alert[]): Digest {
  const alerts = [...sent].sort((a, b) => rankOf(a) - rankOf(b));
  const red = alerts.filter(isRed);
  const lines = red.length > 1 ? subjectLines(red) : [];
  const total = Math.max(lines.length, ...red.map(({ subjectsTotal }) => subjectsTotal));
  const subjects = lines.slice(0, MAX_SUBJECTS);
  const bad = alerts.filter(({ action }) => action === "trigger");
  return {
    environment: alerts[0]!.environment,
    headline: alerts.length === 1 ? headline(alerts[0]!) : headlineOf(alerts),
    severity: worst(bad.length > 0 ? bad : alerts),
    kind: alerts.length === 1 ? alerts[0]!.kind : "digest",
    alerts,
    subjects,
    moreSubjects: lines.length > 0 ? total - subjects.length : 0,
  };
}

export const moreSubjectsLine = ({ moreSubjects }: Digest): string | null =>
  moreSubjects > 0 ? `and at least ${plural(moreSubjects, "more subject")}` : null;

/** The links of an alert, with the words for each. */
export const linksIn = ({ links }: Alert): readonly (readonly [string, string])[] =>
  [
    ["page", links.invariant],
    ["runbook", links.runbook],
    ["status", links.status],
  ].filter((link): link is [string, string] => link[1] !== null);
