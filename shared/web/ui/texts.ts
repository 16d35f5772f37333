/** Escapes the platform's texts for pages and shells. JSX escapes markup only. */
import { shellWord } from "../../shell.ts";
import { codeOf, INVISIBLE } from "../../text.ts";
import type { Viewer } from "./context.ts";

/** Replaces invisible characters by their codes: `a\u202eb`. */
export const plain = (text: string): string => text.replace(INVISIBLE, codeOf);

/** Counts things in words: `1 violation`, `1,200 violations`. @param many the plural, where it is not the word and an s */
export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

/**
 * Cuts the list of names off a summary whose names are shown beside it: `2 slots too many across 1 agent: ruby`. A summary
 * that ends otherwise stays whole.
 */
export function withoutNames(summary: string, names: readonly string[]): string {
  const known = new Set(names);
  for (let at = summary.indexOf(": "); at > 0; at = summary.indexOf(": ", at + 1)) {
    const tail = summary.slice(at + 2).replace(/ and [\d,]+ more$/, "");
    if (tail.split(", ").every((name) => known.has(name))) return summary.slice(0, at);
  }
  return summary;
}

/**
 * Makes the address of an agent's page. A name that a browser would read as a step up in the path is a parameter.
 */
export const agentPath = (name: string): string =>
  /^\.{0,2}$/.test(name)
    ? `/agents/-?${new URLSearchParams({ name })}`
    : `/agents/${encodeURIComponent(name.replace(/\p{Surrogate}/gu, "\ufffd"))}`;

/** A function URL that checks signatures accepts no token. */
const SIGNED = [
  '--aws-sigv4 "aws:amz:$AWS_REGION:lambda"',
  '--user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"',
  '-H "x-amz-security-token: $AWS_SESSION_TOKEN"',
];
const BEARER = ['-H "Authorization: Bearer $CANARY_TOKEN"'];

/**
 * Writes a command that calls the API. It takes the token or the AWS credentials from the shell's environment.
 * @param viewer the canary's origin, such as `https://canary.example.com`; the form token is null where IAM checks callers
 */
export function curl(
  { origin, formToken }: Pick<Viewer, "origin" | "formToken">,
  method: "GET" | "POST" | "DELETE",
  path: string,
  body?: object,
): string {
  const json = body && JSON.stringify(body).replace(INVISIBLE, codeOf);
  return [
    method === "GET" ? "curl" : `curl -X ${method}`,
    ...(formToken === null ? SIGNED : BEARER),
    ...(json ? ["-H 'Content-Type: application/json'", `-d ${shellWord(json)}`] : []),
    shellWord(origin + path),
  ].join(" \\\n  ");
}
