/** A digest as the custom notification that Amazon Q Developer in chat applications (AWS Chatbot) shows. Pure. */
import { cut, plural } from "../../text.ts";
import { type Alert, withNotes } from "../alert.ts";
import { type Digest, headline, keyLine, linksIn, moreSubjectsLine, splitAtNames } from "./message.ts";

const LIMITS = { title: 250, description: 8_000, steps: 10, step: 350, keywords: 10, resources: 20 } as const;

/** The chat reads Markdown, and mentions between angle brackets. A code span can't hold a backtick. */
const words = (text: string) => text.replace(/[<>]/g, (c) => (c === "<" ? "‹" : "›")).replaceAll("&", "＆");
const code = (text: string) => `\`${words(text).replaceAll("`", "'")}\``;
const MARKS: Record<string, string> = { "*": "∗", "~": "∼", "`": "'", "](": "] (" };
const prose = (text: string) => words(text).replace(/\]\(|[*~`]/g, (mark) => MARKS[mark]!);
/** Names are code: nothing in one is markup. */
const withNames = (text: string, { names }: Alert) =>
  splitAtNames(text, names)
    .map(({ piece, isName }) => (isName ? code(piece) : prose(piece)))
    .join("");
const link = (address: string, name: string) => `<${address.replace(/[<>|]/g, encodeURIComponent)}|${name}>`;

function linesOf(alert: Alert, isOnly: boolean): string[] {
  const links = linksIn(alert).map(([name, address]) => link(address, name));
  return [
    ...(isOnly ? [] : [`*${words(headline(alert))}*`]),
    withNames(alert.summary, alert),
    ...(alert.impact === null ? [] : [withNames(alert.impact, alert)]),
    ...(isOnly ? alert.lines.map((line) => `• ${withNames(line, alert)}`) : []),
    ...(links.length > 0 ? [links.join(" · ")] : []),
    keyLine(alert),
  ];
}

/** Says where the commands of an alert are. */
function whereCommandsAre(alert: Alert): string {
  const [first] = linksIn(alert);
  const name = alert.invariantId ?? alert.title;
  return `${name} commands: ${first ? link(first[1], first[0]) : "see the runbook"}`;
}

/** A command as one step, below its notes; null where its text would have to be changed or cut. */
function stepOf(lines: readonly string[]): string | null {
  const step = lines.map(code).join("\n");
  return lines.every((line) => code(line) === `\`${line}\``) && step.length <= LIMITS.step ? step : null;
}

/** The commands of each alert: all of them as they are, or where they are. */
function stepsOf(all: readonly Alert[]): string[] {
  const alerts = all.filter(({ fix }) => fix.length > 0);
  const steps: string[] = [];
  for (const [i, alert] of alerts.entries()) {
    const own = withNotes(alert.fix).map(stepOf);
    const whole = own.filter((step) => step !== null);
    const othersAfter = alerts.length - i - 1;
    const hasRoom = steps.length + own.length + othersAfter <= LIMITS.steps;
    steps.push(...(whole.length === own.length && hasRoom ? whole : [whereCommandsAre(alert)]));
  }
  if (steps.length <= LIMITS.steps) return steps;
  const shown = LIMITS.steps - 1;
  return [
    ...steps.slice(0, shown),
    `commands of ${plural(steps.length - shown, "more alert")}: see the status page`,
  ];
}

/** Makes the notification: https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html */
export function chatMessage(digest: Digest): object {
  const { environment, alerts, subjects, severity, kind } = digest;
  const isOnly = alerts.length === 1;
  const more = moreSubjectsLine(digest);
  const description = [
    ...subjects.map(({ subject, ids }) => `${code(subject)}: ${ids.join(", ")}`),
    ...(more === null ? [] : [more]),
    ...alerts.flatMap((alert) => linesOf(alert, isOnly)),
  ].join("\n");
  const named = [...new Set(alerts.flatMap((alert) => alert.subjects))];
  const [first] = alerts;
  return {
    version: "1.0",
    source: "custom",
    id: first!.key,
    content: {
      textType: "client-markdown",
      title: cut(words(`[${environment}] ${digest.headline}`), LIMITS.title),
      description: cut(description, LIMITS.description),
      nextSteps: stepsOf(alerts),
      keywords: [environment, severity, ...alerts.flatMap(({ invariantId }) => invariantId ?? [])].slice(
        0,
        LIMITS.keywords,
      ),
    },
    metadata: {
      // What is open, and its end, are one thread.
      threadId: isOnly ? first!.dedupKey : `${environment}/digest`,
      summary: cut(words(digest.headline), LIMITS.title),
      eventType: kind,
      relatedResources: named.slice(0, LIMITS.resources).map(words),
      additionalContext: { severity, environment },
    },
  };
}
