/** Texts of the platform on their way into a page or into a shell. JSX escapes markup; this escapes what JSX leaves. */

import { INVISIBLE } from "../../text.ts";

/** Writes the character as JSON does. One that needs two code units has two codes. */
const codeOf = (character: string) =>
  character
    .split("")
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");

/** Writes each character that can't be seen as its code: `a\u202eb`. */
export const plain = (text: string): string => text.replace(INVISIBLE, codeOf);

/** Writes the value as JSON on several lines. Characters that can't be seen are written as their codes, which is the same JSON. */
export const plainJson = (value: unknown): string =>
  JSON.stringify(value, null, 2).replace(INVISIBLE, (character) =>
    character === "\n" ? character : codeOf(character),
  );

/** Quotes the text as one word of a POSIX shell. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

/** A function URL that asks for a signature takes no token. */
const SIGNED = [
  '--aws-sigv4 "aws:amz:$AWS_REGION:lambda"',
  '--user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"',
  '-H "x-amz-security-token: $AWS_SESSION_TOKEN"',
];
const BEARER = ['-H "Authorization: Bearer $CANARY_TOKEN"'];

/**
 * Writes a command that calls the API with what the shell's environment has: the token, or AWS credentials.
 * @param viewer the canary's origin, `https://canary.example.com`, and a form token that is null where IAM lets callers in
 */
export function curl(
  { origin, formToken }: { readonly origin: string; readonly formToken: string | null },
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
