/** Escapes the platform's texts for pages and shells. JSX escapes markup only. */
import { INVISIBLE } from "../../text.ts";
import type { Viewer } from "./context.ts";

/** Writes the character as JSON does: one code for each UTF-16 unit. */
const codeOf = (character: string) =>
  character
    .split("")
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");

/** Replaces invisible characters by their codes: `a\u202eb`. */
export const plain = (text: string): string => text.replace(INVISIBLE, codeOf);

/** Writes the value as JSON on several lines, with codes for invisible characters, which does not change its meaning. */
export const plainJson = (value: unknown): string =>
  JSON.stringify(value, null, 2).replace(INVISIBLE, (character) =>
    character === "\n" ? character : codeOf(character),
  );

/** Quotes the text as one word of a POSIX shell. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

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
