/** What a platform has at least. Where less was read, nothing of it is called green. Pure. */

import type { Reading, Readings, Roster } from "../facts/facts.ts";
import { plural } from "../text.ts";

function whyTooFew(roster: Extract<Reading<Roster>, { read: true }>, expectAgents: number): string | null {
  const { size } = roster.value;
  if (size < expectAgents)
    return `the roster has ${plural(size, "agent")}, EXPECT_AGENTS says at least ${expectAgents}`;
  return size === 0 ? (roster.unlisted ?? "the roster is empty") : null;
}

/**
 * Says whether an agent is known to be no agent of the platform: the roster was read whole, is not too small, and lacks it.
 * @param expectAgents how many the roster has at least; 0 where nobody says it
 */
export const isStranger = (agent: string, { roster }: Readings, expectAgents: number): boolean =>
  roster?.read === true &&
  whyTooFew(roster, expectAgents) === null &&
  roster.unlisted === undefined &&
  !roster.value.has(agent);

/**
 * Marks a roster that has no agent, or fewer than are expected.
 * @param expectAgents how many the roster has at least; 0 where nobody says it
 */
export function withSufficiency(readings: Readings, expectAgents: number): Readings {
  const { roster } = readings;
  if (!roster?.read) return readings;
  const why = whyTooFew(roster, expectAgents);
  return why === null ? readings : { ...readings, roster: { ...roster, insufficient: why } };
}
