/** Escapes the platform's texts for pages and shells. JSX escapes markup only. */
import { shellWord } from "../../shell.ts";
import { codeOf, INVISIBLE } from "../../text.ts";
import type { Viewer } from "./context.ts";

/** Replaces invisible characters by their codes: `a\u202eb`. */
export const plain = (text: string): string => text.replace(INVISIBLE, codeOf);

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
