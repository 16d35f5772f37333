/** Which invariants an environment runs, and how severe they are there. Pure. */
import { INVARIANTS } from "./index.ts";
import type { Invariant, Severity } from "./invariant.ts";

/** What an environment says of its invariants, by their ids. */
export interface CheckSettings {
  readonly off: readonly string[];
  /** Those that are off by default, and are to run. One that runs anyway may be named. */
  readonly on: readonly string[];
  readonly severities: Readonly<Partial<Record<string, Severity>>>;
}

export interface Checks {
  /** Every invariant, with the severity that it has here, in the registry's order. */
  readonly all: readonly Invariant[];
  /** Why an invariant is not run here, by its id. A fact that is off is another reason, which only a cycle knows. */
  readonly off: ReadonlyMap<string, string>;
}

/** The same invariant with another severity. It holds for each finding, also where the check has one of its own. */
function withSeverity(invariant: Invariant, severity: Severity | undefined): Invariant {
  if (severity === undefined) return invariant;
  return {
    ...invariant,
    severity,
    check(facts, context) {
      const checked = invariant.check(facts, context);
      if (typeof checked === "string") return checked;
      return { ...checked, findings: checked.findings.map((finding) => ({ ...finding, severity })) };
    },
  };
}

function whyNotRun({ id, isOffByDefault }: Invariant, { off, on }: CheckSettings): string | null {
  if (off.includes(id)) return "off by CHECKS_OFF";
  return isOffByDefault && !on.includes(id) ? "off unless CHECKS_ON names it" : null;
}

/**
 * Makes the invariants of an environment.
 * @param settings name ids that exist
 * @param invariants in the registry's order
 */
export function checksOf(settings: CheckSettings, invariants: readonly Invariant[] = INVARIANTS): Checks {
  return {
    all: invariants.map((invariant) => withSeverity(invariant, settings.severities[invariant.id])),
    off: new Map(
      invariants.flatMap((invariant) => {
        const reason = whyNotRun(invariant, settings);
        return reason === null ? [] : [[invariant.id, reason]];
      }),
    ),
  };
}
