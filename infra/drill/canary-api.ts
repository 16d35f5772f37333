/** The API of the canary that is drilled. */
import { setTimeout as wait } from "node:timers/promises";
import type { z } from "@hono/zod-openapi";
import type { Answer, Message } from "../../shared/cli/http-request.ts";
import {
  type CycleRecord,
  type CycleReport,
  CycleResponse,
  CyclesPage,
} from "../../shared/wire/schemas/cycles.ts";

export interface CanaryApi {
  /** Runs one whole cycle, after waiting for another one that runs. @throws Error where it did not happen */
  cycle(signal: AbortSignal): Promise<CycleReport>;
  /** Lists the cycles from that instant on, newest first. */
  cyclesSince(instant: string): Promise<readonly CycleRecord[]>;
}

/** Sends a request with credentials to the API of a canary. */
export type Call = (path: string, message?: Message) => Promise<Answer>;

/** Every cycle of the schedule ends within the time of all tries. */
const BUSY_TRIES = 30;
const BUSY_WAIT_MS = 5_000;

function bodyOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function answerOf<T>(response: Answer, schema: z.ZodType<T>): Promise<T> {
  const body = bodyOf(await response.text());
  const parsed = schema.safeParse(body);
  if (response.ok && parsed.success) return parsed.data;
  const { detail } = Object(body) as { detail?: string };
  throw new Error(`the canary answered HTTP ${response.status}${detail ? `: ${detail}` : ""}`);
}

/** @param call reaches the canary that watches the drilled platform */
export const canaryApi = (call: Call): CanaryApi => ({
  async cycle(signal) {
    for (let left = BUSY_TRIES; ; left -= 1) {
      signal.throwIfAborted();
      const response = await call("/api/canary/run-cycle", { method: "POST", body: "{}" });
      if (response.status !== 409 || left === 0) return answerOf(response, CycleResponse);
      await response.text();
      await wait(BUSY_WAIT_MS, undefined, { signal });
    }
  },
  async cyclesSince(instant) {
    const query = new URLSearchParams({ start_time: instant, limit: "1000" });
    return (await answerOf(await call(`/api/canary/cycles?${query}`), CyclesPage)).cycles;
  },
});
