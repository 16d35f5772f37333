/** Whether there is a subject of that name: on the roster as it was last seen, or red. */
import { redSubjectOf } from "../alerts/state.ts";
import type { Memory } from "../cycle/memory.ts";
import { nearest } from "../nearest.ts";
import type { AppCanary } from "./view.ts";

/** Reads the names on the roster as the last full cycle saw it. Null where it did not see all of it. */
async function readRoster({ store, now }: AppCanary): Promise<readonly string[] | null> {
  const latest = await store.latest.read(now());
  if (latest === null || !latest.has_roster || latest.left_out > 0) return null;
  return latest.agents.filter((agent) => agent.on_roster).map(({ name }) => name);
}

/**
 * Checks a subject that somebody names.
 * @returns a note on what could not be checked (null where all was), or the problem, with the nearest name
 */
export async function checkSubject(
  canary: AppCanary,
  { states }: Memory,
  invariantId: string,
  subject: string,
): Promise<{ readonly note: string | null } | { readonly problem: string }> {
  if (Object.values(states).some((state) => redSubjectOf(state, subject))) return { note: null };
  const roster = await readRoster(canary);
  if (roster?.includes(subject)) return { note: null };
  const red = Object.values(states).flatMap((state) => Object.keys(state.red));
  const meant = nearest(subject, new Set([...red, ...(roster ?? [])]));
  const hint = meant === null ? "" : `; did you mean ${meant}?`;
  if (roster === null)
    return { note: `the whole roster is not known: nothing says whether there is a ${subject}${hint}` };
  if ((states[invariantId]?.redBesides ?? 0) > 0)
    return {
      note: `there is no ${subject} on the roster, and not every red subject is known by name${hint}`,
    };
  return {
    problem: `there is no ${subject} on the roster, and none that is red${hint || `; leave it out for all of ${invariantId}`}`,
  };
}
