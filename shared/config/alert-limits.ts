/** The variables with which each channel has limits of its own, from one table. */
import { SEVERITIES } from "../invariants/invariant.ts";
import { ids } from "./checks.ts";
import { maybeOneOf, type Values } from "./variable.ts";

/**
 * Makes the variables that say what a channel takes.
 * @param prefix of their names: `SLACK` of `SLACK_MIN_SEVERITY`
 */
export const limitsOf = (prefix: string) => ({
  minSeverity: maybeOneOf(
    `${prefix}_MIN_SEVERITY`,
    "`critical`, `major` or `minor`: this channel gets nothing less severe. Not set: `ALERT_MIN_SEVERITY`",
    SEVERITIES,
  ),
  invariants: ids(
    `${prefix}_INVARIANTS`,
    "the invariants of which this channel gets alerts, by their ids, such as `S-01,S-02`. Not set: all. What is blind, and what discredits a source, goes to every channel",
  ),
});

export type Limits = Values<ReturnType<typeof limitsOf>>;
