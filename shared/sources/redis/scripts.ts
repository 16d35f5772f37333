/** Read-only scripts: whether a server runs them, and how one is run. */
import type { Redis } from "@upstash/redis";
import { addCommand, send } from "./requests.ts";

/** What is known of a server for as long as this process lives. */
export interface ServerKnown {
  /** It runs no script, or its user may not have it run one. */
  refusesScripts: boolean;
}

/** The server, or its user, runs no script. */
class ScriptRefused extends Error {
  override readonly name = "ScriptRefused";
  /** It will not later either. */
  get isForGood(): boolean {
    return /unknown command|NOPERM|no permission|not (allowed|supported|available)|disabled/i.test(
      this.message,
    );
  }
}

/**
 * Runs a script that only reads (EVAL_RO).
 * @returns its answer; each character of a text is a byte
 * @throws ScriptRefused
 */
export async function runScript(
  redis: Redis,
  script: string,
  keys: readonly string[],
  args: readonly string[],
): Promise<unknown> {
  const pipeline = redis.pipeline();
  addCommand(pipeline, ["eval_ro", script, String(keys.length), ...keys, ...args]);
  const [answer] = await send(pipeline);
  if (answer!.error !== undefined) throw new ScriptRefused(answer!.error);
  return answer!.result;
}

/**
 * Reads by scripts, or in the other way where the server refuses them. One that refuses them for good is not asked again.
 * @param byScript what it read until it was refused must not count
 */
export async function byScriptOr<T>(
  known: ServerKnown,
  byScript: () => Promise<T>,
  otherwise: () => Promise<T>,
): Promise<T> {
  if (!known.refusesScripts)
    try {
      return await byScript();
    } catch (error) {
      if (!(error instanceof ScriptRefused)) throw error;
      known.refusesScripts ||= error.isForGood;
    }
  return otherwise();
}
