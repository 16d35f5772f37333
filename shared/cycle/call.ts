/**
 * The calls with which one function has another run a cycle, or try the alert channels. The answer is what came of it, as
 * JSON.
 */
import { unknownIds } from "../invariants/index.ts";
import type { CycleRequest } from "./outcome.ts";

/** Who may ask for a cycle by a call: it is a part of the cycle's record. */
const TRIGGERS = ["http", "page"];

export interface CycleCall {
  readonly run_cycle: {
    readonly trigger: string;
    /** Null for all. */
    readonly invariants: readonly string[] | null;
    /** Until when the caller waits for the answer, unix ms. */
    readonly answer_by: number;
  };
}

export interface AlertTestCall {
  readonly alert_test: {
    /** Null for all. */
    readonly channel: string | null;
    readonly answer_by: number;
  };
}

/** @param channel the name of the one channel to try; undefined for all */
export const toAlertTestCall = (channel: string | undefined, answerByMs: number): AlertTestCall => ({
  alert_test: { channel: channel ?? null, answer_by: answerByMs },
});

/** Reads a call that tries the channels. Anything else is null. */
export function readAlertTestCall(event: unknown): { readonly channel: string | undefined } | null {
  if (!hasExactly(event, ["alert_test"])) return null;
  const call = event.alert_test;
  if (!hasExactly(call, ["channel", "answer_by"])) return null;
  const { channel } = call;
  if (channel !== null && typeof channel !== "string") return null;
  return { channel: channel ?? undefined };
}

/** @param answerByMs until when the caller waits for the answer, unix ms */
export const toCall = ({ trigger, invariantIds }: CycleRequest, answerByMs: number): CycleCall => ({
  run_cycle: { trigger, invariants: invariantIds ?? null, answer_by: answerByMs },
});

const hasExactly = (value: unknown, names: readonly string[]): value is Record<string, unknown> =>
  typeof value === "object" &&
  value !== null &&
  Object.keys(value).length === names.length &&
  names.every((name) => Object.hasOwn(value, name));

const areKnownIds = (value: unknown): value is readonly string[] =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((id) => typeof id === "string") &&
  unknownIds(value).length === 0;

/**
 * Reads a call. Anything else, such as the event of a schedule, is null.
 * @param now unix ms
 * @returns what `runCycle` is to do, within the time that the caller has left
 */
export function readCall(event: unknown, now: () => number): Required<CycleRequest> | null {
  if (!hasExactly(event, ["run_cycle"])) return null;
  const call = event.run_cycle;
  if (!hasExactly(call, ["trigger", "invariants", "answer_by"])) return null;
  const { trigger, invariants, answer_by } = call;
  if (typeof trigger !== "string" || !TRIGGERS.includes(trigger)) return null;
  if (invariants !== null && !areKnownIds(invariants)) return null;
  if (typeof answer_by !== "number" || !Number.isFinite(answer_by)) return null;
  return { trigger, invariantIds: invariants ?? undefined, timeLeftMs: () => answer_by - now() };
}
