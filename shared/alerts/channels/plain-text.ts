/** A digest as plain text: an e-mail. Pure. */
import type { Alert } from "../alert.ts";
import { type Digest, headline, keyLine, linksIn, moreLine, moreSubjectsLine } from "./message.ts";

/** SNS accepts a subject of 100 printable ASCII characters, and a message of 256 kB with its attributes. */
const SNS_LIMITS = { subject: 100, message: 100_000 } as const;

/** Cuts the text to that many bytes of UTF-8. Never cuts through a character. */
export function cutBytes(text: string, most: number): string {
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length <= most) return text;
  const end = new TextDecoder("utf-8").decode(bytes.subarray(0, most - 3)).replace(/\ufffd+$/, "");
  return `${end}…`;
}

const indented = (lines: readonly string[]) => lines.map((line) => `    ${line}`);

/** The lines of one alert, without its first. */
function linesOf(alert: Alert): (string | null)[] {
  const { summary, lines, impact, verify, fix, safe, runbook, context } = alert;
  const todo = runbook === null ? "What to do:" : `What to do: ${runbook}`;
  return [
    summary,
    ...(impact === null ? [] : ["", `Impact: ${impact}`]),
    ...(lines.length > 0 ? ["", ...lines.map((line) => `- ${line}`)] : []),
    moreLine(alert),
    ...(verify.length > 0 ? ["", "Is it still so?", ...indented(verify)] : []),
    ...(runbook === null && fix.length === 0 ? [] : ["", todo, ...indented(fix)]),
    ...(safe === null ? [] : ["", `Is it safe? ${safe}`]),
    "",
    ...context,
    ...linksIn(alert).map(([words, address]) => `${words}: ${address}`),
    keyLine(alert),
  ];
}

/** Makes the subject and the text of an e-mail. */
export function plainMessage(digest: Digest): { subject: string; text: string } {
  const { environment, alerts, subjects } = digest;
  const first = `[${environment}] ${digest.headline}`;
  const bodies =
    alerts.length === 1
      ? linesOf(alerts[0]!)
      : alerts.flatMap((alert) => [`== ${headline(alert)}`, "", ...linesOf(alert), ""]);
  const named = subjects.map(({ subject, ids }) => `${subject}: ${ids.join(", ")}`);
  const overview = named.length > 0 ? [...named, moreSubjectsLine(digest), ""] : [];
  const text = [first, "", ...overview, ...bodies].filter((line) => line !== null).join("\n");
  const subject = first
    .replace(/[—–]/g, "-")
    .replace(/[^\x20-\x7e]/g, "")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, SNS_LIMITS.subject);
  return { subject, text: cutBytes(text.trimEnd(), SNS_LIMITS.message) };
}
