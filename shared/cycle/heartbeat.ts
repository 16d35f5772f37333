/** Tells a watcher outside of the account that the canary lives: it is asked after each full cycle. */
import { withDeadline } from "../deadline.ts";
import { describeError } from "../errors.ts";
import { send } from "../http.ts";
import { cut, MAX_LINE } from "../text.ts";

const TRY_MS = 3_000;
const TRIES = 2;
/** Watchers answer with a word. */
const MAX_ANSWER_BYTES = 100_000;

/** Makes the address that says that a cycle did not count: `/fail` at the end of its path. */
export function failAddress(url: string): string {
  const address = new URL(url);
  address.pathname = `${address.pathname.replace(/\/+$/, "")}/fail`;
  return address.href;
}

/** @throws for any answer but 2xx */
async function ask(url: string, signal: AbortSignal): Promise<void> {
  const { ok, status } = await send({ url, signal, maxBytes: MAX_ANSWER_BYTES, isOnce: true });
  if (!ok) throw new Error(`HTTP ${status}`);
}

/**
 * Asks the watcher's address, once more where that fails.
 * @param url null where there is none
 * @param counts whether the cycle counted
 * @param leftMs how long the caller can wait
 * @returns a line for a watcher that could not be told, without its address
 */
export async function beat(
  url: string | null,
  counts: boolean,
  leftMs: number,
  redact: (line: string) => string,
): Promise<string[]> {
  if (url === null) return [];
  const untilMs = performance.now() + leftMs;
  let failure = "no time was left";
  for (let tries = 0; tries < TRIES; tries += 1) {
    const tryMs = Math.min(TRY_MS, untilMs - performance.now());
    if (tryMs <= 0) break;
    try {
      const address = counts ? url : failAddress(url);
      await withDeadline(Math.ceil(tryMs), (signal) => ask(address, signal));
      return [];
    } catch (error) {
      failure = describeError(error);
    }
  }
  return [cut(redact(`heartbeat: ${failure}`), MAX_LINE)];
}
