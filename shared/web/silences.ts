/** How the API, the pages and agents create, end and restore silences. */
import { randomBytes } from "node:crypto";
import { z } from "@hono/zod-openapi";
import { coversRed, isInForce, type Silence } from "../alerts/silence.ts";
import { NEVER_JUDGED } from "../alerts/state.ts";
import type { Memory } from "../cycle/memory.ts";
import { MAX_SILENCES } from "../store/silences.ts";
import { DAY_MS } from "../time.ts";
import { KnownId, Time } from "./api/query.ts";
import { type Caller, givenName, MAX_GIVEN_NAME } from "./callers.ts";
import { describeIssues } from "./errors.ts";
import { checkSubject } from "./known-subjects.ts";
import type { AppCanary } from "./view.ts";

const MAX_SILENCE_MS = 90 * DAY_MS;

export const SilenceRequest = z
  .strictObject({
    invariant_id: KnownId,
    subject: z
      .string()
      // Alerts of earlier releases put zero-width spaces into names in Slack: a copied name would match nothing.
      .overwrite((name) => name.replaceAll("\u200b", ""))
      .min(1, "name an agent, or leave it out for all")
      .max(200, "give at most 200 characters")
      .optional(),
    until: Time.optional(),
    /** It ends by itself once all that it covers has recovered, or at `until`, whichever is first. */
    until_recovered: z.boolean().optional(),
    reason: z
      .string()
      .trim()
      .min(1, "say why, for anyone who reads it at 3 a.m.")
      .max(200, "give at most 200 characters"),
    /** Who makes it, where the admin token does not say it. */
    by: z.string().max(MAX_GIVEN_NAME, `give at most ${MAX_GIVEN_NAME} characters`).optional(),
  })
  .openapi("SilenceRequest");

type Request = z.output<typeof SilenceRequest>;

/** Why a silence was not created. */
export interface Refused {
  readonly status: 409 | 422;
  readonly code: string;
  readonly detail: string;
}

export interface Added {
  readonly silence: Silence;
  /** What could not be checked; null where all was. */
  readonly note: string | null;
}

const invalid = (detail: string, code = "invalid_request"): Refused => ({ status: 422, code, detail });
const tooMany: Refused = {
  status: 409,
  code: "too_many_silences",
  detail: `there are ${MAX_SILENCES} silences: end one first`,
};

/** Reads the silences that have not ended, oldest first. */
export async function silencesInForce({ store, now }: AppCanary): Promise<Silence[]> {
  return (await store.lease.read()).silences.filter((s) => isInForce(s, now()));
}

/** Checks the end of a silence. Returns what is wrong with it. */
function checkEnd({ until, until_recovered }: Request, nowMs: number): Refused | null {
  if (until === undefined)
    return until_recovered
      ? null
      : invalid("until: give a time in the next 90 days, or until_recovered: true");
  return until > nowMs && until <= nowMs + MAX_SILENCE_MS
    ? null
    : invalid("until: give a time in the next 90 days");
}

/** What is not red can't recover: a silence until then would end with the next cycle. */
function checkRed(request: Request, { states }: Memory): Refused | null {
  const { invariant_id } = request;
  const subject = request.subject ?? null;
  const state = states[invariant_id] ?? NEVER_JUDGED;
  if (coversRed({ subject }, state)) return null;
  const what = subject === null ? invariant_id : `${subject} in ${invariant_id}`;
  const unjudged = state.status === "unknown" || ("blindSinceMs" in state && state.blindSinceMs !== null);
  return invalid(
    `until_recovered: ${what} is not red${unjudged ? " as far as is known (it can't be judged now)" : ""}, so there is no recovery to wait for: give a time (until)`,
    "not_red",
  );
}

const blindNote = ({ invariant_id, until_recovered }: Request, { states }: Memory): string | null =>
  until_recovered && states[invariant_id]?.blindSinceMs != null
    ? `${invariant_id} can't be judged now: the silence stays until what it covers is seen healthy`
    : null;

/** A proven name stands also where the person gives another one. */
function nameOf({ name, isProven }: Caller, given: string | undefined): string {
  const own = givenName(given);
  return own === null ? name : isProven ? `${own} (${name})` : own;
}

/**
 * Creates a silence.
 * @param input an unchecked `SilenceRequest`
 * @param caller who asks for it, an admin
 * @returns the silence, which is in force at once, or why it was refused
 */
export async function addSilence(
  canary: AppCanary,
  input: unknown,
  caller: Caller,
): Promise<Added | Refused> {
  const { store, now } = canary;
  const parsed = SilenceRequest.safeParse(input);
  if (!parsed.success) return invalid(describeIssues(parsed.error));
  const request = parsed.data;
  const { invariant_id, subject, until, until_recovered, reason, by } = request;
  const badEnd = checkEnd(request, now());
  if (badEnd) return badEnd;
  const { memory } = await store.lease.read();
  const checked =
    subject === undefined ? { note: null } : await checkSubject(canary, memory, invariant_id, subject);
  if ("problem" in checked) return invalid(`subject: ${checked.problem}`, "unknown_subject");
  const notRed = until_recovered ? checkRed(request, memory) : null;
  if (notRed) return notRed;
  const silence: Silence = {
    id: randomBytes(4).toString("hex"),
    invariantId: invariant_id,
    subject: subject ?? null,
    untilMs: until ?? null,
    ...(until_recovered && { untilRecovered: true }),
    reason,
    createdAtMs: now(),
    by: nameOf(caller, by),
  };
  if (!(await store.silences.put(silence, now()))) return tooMany;
  return { silence, note: checked.note ?? blindNote(request, memory) };
}

/** Ends a silence. Returns false if none has that id. */
export const endSilence = async ({ store }: AppCanary, id: string): Promise<boolean> =>
  /^[0-9a-f]{8}$/.test(id) && (await store.silences.remove(id));

/**
 * Restores a silence that was ended, as it was.
 * @returns "restored", or why there is nothing to restore: its time is "over", or what it covered has "recovered"; or that
 *   there is "no room"
 */
export async function restoreSilence(
  { store, now }: AppCanary,
  silence: Silence,
): Promise<"restored" | "over" | "recovered" | "no room"> {
  if (!isInForce(silence, now())) return "over";
  const { memory } = await store.lease.read();
  const state = memory.states[silence.invariantId] ?? NEVER_JUDGED;
  if (silence.untilRecovered && !coversRed(silence, state)) return "recovered";
  return (await store.silences.put(silence, now())) ? "restored" : "no room";
}
