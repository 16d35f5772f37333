/** A digest as the custom notification that Amazon Q Developer in chat applications (AWS Chatbot) shows. Pure. */
import { cut } from "../../text.ts";
import type { Alert } from "../alert.ts";
import { type Digest, headline, keyLine, linksIn, moreSubjectsLine } from "./message.ts";

const LIMITS = { title: 250, description: 8_000, steps: 10, step: 350, keywords: 10, resources: 20 } as const;

/** The chat reads Markdown, and mentions between angle brackets. A code span can't hold a backtick. */
const words = (text: string) => text.replace(/[<>]/g, (c) => (c === "<" ? "‹" : "›")).replaceAll("&", "＆");
const code = (text: string) => `\`${words(text).replaceAll("`", "'")}\``;

function linesOf(alert: Alert, isOnly: boolean): string[] {
  const links = linksIn(alert).map(
    ([name, address]) => `<${address.replace(/[<>|]/g, encodeURIComponent)}|${name}>`,
  );
  return [
    ...(isOnly ? [] : [`*${words(headline(alert))}*`]),
    words(alert.summary),
    ...(alert.impact === null ? [] : [words(alert.impact)]),
    ...(isOnly ? alert.lines.map((line) => `• ${words(line)}`) : []),
    ...(links.length > 0 ? [links.join(" · ")] : []),
    keyLine(alert),
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
  const steps = alerts.flatMap(({ fix }) => fix.filter((line) => !line.startsWith("#")));
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
      nextSteps: steps
        .filter((step) => step.length <= LIMITS.step)
        .slice(0, LIMITS.steps)
        .map(code),
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
