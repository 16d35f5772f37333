/** The API as the commands call it. It belongs to a deployed canary, or to one in this process that answers the same. */
import type { z } from "zod";
import { loadRemote, type Remote } from "../config/remote.ts";

/** The longest time limit of a deployed API, plus the network. */
const REMOTE_MS = 250_000;

/** A table that ends with this process. */
export interface LocalTable {
  readonly endpoint: string;
  readonly table: string;
  close(): Promise<void>;
}

export interface Api {
  request(path: string, init?: RequestInit): Promise<Response>;
  close(): Promise<void>;
}

/** A mistake of the caller. The message is one line. */
export class UsageError extends Error {}

/** Another cycle holds the lease. */
export class CycleBusy extends Error {}

/** Signs the request with SigV4, as a function URL checks it. @throws UsageError where there are no credentials */
async function signed(url: string, init: RequestInit, region: string): Promise<Request> {
  const [{ AwsClient }, { defaultProvider }] = await Promise.all([
    import("aws4fetch"),
    import("@aws-sdk/credential-provider-node"),
  ]);
  const credentials = await defaultProvider()().catch((error: Error) => {
    throw new UsageError(`CANARY_AUTH is iam, but no AWS credentials were found: ${error.message}`);
  });
  return new AwsClient({ ...credentials, service: "lambda", region }).sign(url, init);
}

function remoteApi({ url, auth }: Remote): Api {
  return {
    request: async (path, init) => {
      const timeout = AbortSignal.timeout(REMOTE_MS);
      const signal = init?.signal ? AbortSignal.any([timeout, init.signal]) : timeout;
      const bearer = "token" in auth && { authorization: `Bearer ${auth.token}` };
      const json = { ...init, signal, headers: { "content-type": "application/json", ...bearer } };
      const request =
        "region" in auth ? await signed(url + path, json, auth.region) : new Request(url + path, json);
      return fetch(request).catch((error) => {
        const why = timeout.aborted
          ? `nothing within ${REMOTE_MS / 1000} s`
          : (error.cause?.code ?? "no connection");
        throw new UsageError(`CANARY_URL does not answer (${why}): is it the canary's address?`);
      });
    },
    close: async () => {},
  };
}

/** Opens the API of the canary at CANARY_URL. Null if the variable is not set. @throws ConfigError */
export function openRemote(): Api | null {
  const remote = loadRemote();
  return remote && remoteApi(remote);
}

/**
 * Opens the API of the canary at CANARY_URL, or of a canary in this process that the environment describes.
 * @param startTable starts a table for a canary that has none
 * @throws UsageError where a state is needed and there is none
 */
export async function openApi(needsState: boolean, startTable: () => Promise<LocalTable>): Promise<Api> {
  const remote = openRemote();
  if (remote) return remote;
  const { openInProcess } = await import("./in-process.ts");
  return openInProcess(needsState, startTable);
}

function parseBody(status: number, text: string): unknown {
  try {
    return JSON.parse(text || "{}");
  } catch {
    throw notOfACanary(status);
  }
}

const notOfACanary = (status: number) =>
  new UsageError(`HTTP ${status}, but not of a canary: is CANARY_URL its address?`);

/** Throws for errors that the caller can fix. */
function checkAnswer(status: number, code: string | undefined, detail: string | undefined): void {
  if (status === 401) throw new UsageError("CANARY_TOKEN was refused: give the canary's admin token");
  if (status === 403)
    throw new UsageError(
      "the function URL refused the request: it asks for signatures (set CANARY_AUTH=iam), or these AWS credentials may not call it",
    );
  if (code === "cycle_in_progress") throw new CycleBusy();
  if (status === 404 || status === 409 || status === 422) throw new UsageError(detail ?? `HTTP ${status}`);
}

/**
 * Calls the API and checks that a canary answered.
 * @param schema of the answers that are not errors
 * @returns the answer; `failed` if it reports a failed cycle
 * @throws UsageError for what the caller can fix (the address, the token, a value), Busy where a cycle is in progress
 */
export async function call<T>(
  api: Api,
  path: string,
  schema: z.ZodType<T>,
  init?: RequestInit,
): Promise<{ answer: T; failed: boolean }> {
  const response = await api.request(path, init);
  const { status, ok } = response;
  const body = parseBody(status, await response.text());
  const { detail, code } = Object(body) as { detail?: string; code?: string };
  checkAnswer(status, code, detail);
  const isOurs = schema.safeParse(body).success;
  if (isOurs && (ok || status === 503)) {
    // A 503 carries verdicts where the state failed: they are correct, but nothing was remembered.
    if (!ok) console.error(`the cycle failed, nothing was remembered: ${detail}`);
    return { answer: body as T, failed: !ok };
  }
  if (ok) throw notOfACanary(status);
  throw new Error(`the canary answered HTTP ${status}: ${detail}`);
}
