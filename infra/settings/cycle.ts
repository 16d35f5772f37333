/** How patient a cycle of an environment is. */
import { CYCLE } from "../../shared/config/cycle.ts";
import { numberOf } from "./schemas.ts";

/** As Trinity's own canary: a zombie that lasts into one look, and is gone by the next, pages nobody. */
const DEPLOYED_DWELL_SECONDS = 600;

export const CYCLE_SETTINGS = {
  sourceDeadlineMs: numberOf(CYCLE.sourceDeadlineMs, "milliseconds for one read of a source"),
  confirmAfterMs: numberOf(CYCLE.confirmAfterMs, "milliseconds before a new red is read again"),
  expectAgents: numberOf(CYCLE.expectAgents, "how many agents the roster has at least (0: one)"),
  zombieDwellSeconds: numberOf(
    CYCLE.dwellSeconds,
    "seconds that a zombie has to be there",
    DEPLOYED_DWELL_SECONDS,
  ),
};
