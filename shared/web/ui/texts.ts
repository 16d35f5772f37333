/** Texts of the platform on their way into a page, or into a shell. JSX escapes markup; this is what it leaves. */

import { INVISIBLE } from "../../text.ts";

/** @returns the character as JSON writes it: one that needs two code units has two codes */
const codeOf = (character: string) =>
  character
    .split("")
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");

/** @returns the text with each character that can't be seen as its code: `a\u202eb` */
export const plain = (text: string): string => text.replace(INVISIBLE, codeOf);

/** @returns the value as JSON on lines, which is still the same JSON: what can't be seen is written as its code */
export const plainJson = (value: unknown): string =>
  JSON.stringify(value, null, 2).replace(INVISIBLE, (character) =>
    character === "\n" ? character : codeOf(character),
  );

/** @returns the text as one word of a POSIX shell */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

/** Who asks for a signature takes no token. */
const SIGNED = [
  '--aws-sigv4 "aws:amz:$AWS_REGION:lambda"',
  '--user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"',
  '-H "x-amz-security-token: $AWS_SESSION_TOKEN"',
];
const BEARER = ['-H "Authorization: Bearer $CANARY_TOKEN"'];

/**
 * @param viewer the canary's origin, `https://canary.example.com`, and a form token that is null where IAM lets callers in
 * @returns a command that calls the API with what the shell's environment has: the token, or AWS credentials
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
