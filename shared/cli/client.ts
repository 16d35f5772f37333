/** The API as the commands call it. It belongs to a running canary, or to one in this process that answers the same. */
import type { z } from "zod";
import { CycleBusy, UsageError } from "./errors.ts";
import type { Answer, Message } from "./http-request.ts";

/** A table that ends with this process. */
export interface LocalTable {
  readonly endpoint: string;
  readonly table: string;
  close(): Promise<void>;
}

/** What the user calls the address of a canary, its token, and the setting for AWS signatures, for errors. */
export interface Names {
  readonly url: string;
  readonly token: string;
  readonly iam: string;
}

export interface Api {
  readonly names: Names;
  request(path: string, message?: Message): Promise<Answer>;
  close(): Promise<void>;
}

const notOfACanary = ({ names }: Api, status: number) =>
  new UsageError(
    status >= 300 && status < 400
      ? `${names.url} leads elsewhere (HTTP ${status}): give the address that it leads to`
      : `HTTP ${status}, but not of a canary: is ${names.url} its address?`,
  );

function parseBody(api: Api, status: number, text: string): unknown {
  try {
    return JSON.parse(text || "{}");
  } catch {
    throw notOfACanary(api, status);
  }
}

/** What an answer says of an error. */
interface Problem {
  readonly code?: string;
  readonly detail?: string;
}

/** Throws for errors that the caller can fix. */
function checkAnswer({ names }: Api, status: number, { code, detail }: Problem, isChange: boolean): void {
  if (status === 401)
    throw new UsageError(
      `${names.token} was refused: give the canary's admin token${isChange ? "" : ", or one that may only read"}`,
    );
  if (status === 403 && code === "read_only")
    throw new UsageError(`${names.token} may only read: this needs the canary's admin token`);
  if (status === 403)
    throw new UsageError(
      `the function URL refused the request: it asks for signatures (set ${names.iam}), or these AWS credentials may not call it`,
    );
  if (code === "cycle_in_progress") throw new CycleBusy();
  if (status === 404 || status === 409 || status === 422) throw new UsageError(detail ?? `HTTP ${status}`);
}

/**
 * Calls the API and checks that a canary answered.
 * @param schema of the answers that are not errors
 * @returns the answer; `failed` if it reports a failed cycle
 * @throws UsageError for what the caller can fix (the address, the token, a value), CycleBusy where a cycle is in progress
 */
export async function call<T>(
  api: Api,
  path: string,
  schema: z.ZodType<T>,
  message?: Message,
): Promise<{ answer: T; failed: boolean }> {
  const response = await api.request(path, message);
  const { status, ok } = response;
  const body = parseBody(api, status, await response.text());
  const problem = Object(body) as Problem;
  checkAnswer(api, status, problem, message?.method !== undefined && message.method !== "GET");
  const isOurs = schema.safeParse(body).success;
  if (isOurs && (ok || status === 503)) {
    // A 503 carries verdicts where the state failed: they are correct, but nothing was remembered.
    if (!ok) console.error(`the cycle failed, nothing was remembered: ${problem.detail}`);
    return { answer: body as T, failed: !ok };
  }
  if (ok || (status >= 300 && status < 400)) throw notOfACanary(api, status);
  throw new Error(`the canary answered HTTP ${status}: ${problem.detail}`);
}
