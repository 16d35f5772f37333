/** Making and ending silences: the same by the API and by the page. */
import { randomBytes } from "node:crypto";
import type { Silence } from "../alerts/silence.ts";
import type { Canary } from "../canary.ts";
import { formatInstant } from "../time.ts";
import { SilenceRequest } from "../wire/schemas.ts";
import { describeIssues } from "./errors.ts";

/** Each silence is an attribute of one item, which has room for no more than this. */
const MAX_SILENCES = 50;
const MAX_SILENCE_MS = 90 * 86_400_000;

/** Why a silence was not made. */
export interface Refused {
  readonly status: 409 | 422;
  readonly code: string;
  readonly detail: string;
}

/** @returns the silence in wire names */
export const toSilence = (s: Silence) => ({
  id: s.id,
  invariant_id: s.invariantId,
  subject: s.subject,
  until: formatInstant(s.untilMs),
  reason: s.reason,
  created_at: formatInstant(s.createdAtMs),
});

/** @returns those that have not ended, oldest first */
export const silencesInForce = async ({ store, now }: Canary): Promise<Silence[]> =>
  (await store.lease.read()).silences.filter((s) => s.untilMs > now());

/**
 * @param input as `SilenceRequest` has it, unchecked
 * @returns the silence that is in force now, or why there is none
 */
export async function addSilence(canary: Canary, input: unknown): Promise<Silence | Refused> {
  const { store, now } = canary;
  const invalid = (detail: string): Refused => ({ status: 422, code: "invalid_request", detail });
  const request = SilenceRequest.safeParse(input);
  if (!request.success) return invalid(describeIssues(request.error));
  const { invariant_id, subject, until, reason } = request.data;
  if (until <= now() || until > now() + MAX_SILENCE_MS)
    return invalid("until: give a time in the next 90 days");
  if ((await silencesInForce(canary)).length >= MAX_SILENCES)
    return {
      status: 409,
      code: "too_many_silences",
      detail: `there are ${MAX_SILENCES} silences: end one first`,
    };
  const silence = {
    id: randomBytes(4).toString("hex"),
    invariantId: invariant_id,
    subject: subject ?? null,
    untilMs: until,
    reason,
    createdAtMs: now(),
  };
  await store.silences.put(silence);
  return silence;
}

/** @returns whether there was one with that id */
export const endSilence = async ({ store }: Canary, id: string): Promise<boolean> =>
  /^[0-9a-f]{8}$/.test(id) && (await store.silences.remove(id));
