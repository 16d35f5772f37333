/** Prints the fleet as it is, compared with what it should be. */
import { SYMBOLS } from "../../shared/cli/symbols.ts";
import type { Fleet } from "./fleet.ts";
import { foundOf, inspectFleet } from "./inspect.ts";
import { type Trinity, TrinityError } from "./trinity-api.ts";

/** `unread`: nothing differs as far as it could be read, and something could not be read. */
export type FleetStatus = "same" | "differs" | "unread";

/** Prints one line for each check. */
export async function showFleet(
  api: Trinity,
  fleet: Fleet,
  print: (line: string) => void,
): Promise<FleetStatus> {
  try {
    const { checks } = await inspectFleet(api, fleet);
    for (const check of checks) {
      const { title, state, wanted } = check;
      const mark = state === "same" ? SYMBOLS.green : state === "unreadable" ? SYMBOLS.unknown : SYMBOLS.red;
      print(`${mark} ${title}: ${foundOf(check)}${state === "same" ? "" : `, should be ${wanted}`}`);
    }
    const states = new Set(checks.map(({ state }) => state));
    if (states.has("differs") || states.has("missing")) return "differs";
    return states.has("unreadable") ? "unread" : "same";
  } catch (error) {
    if (!(error instanceof TrinityError)) throw error;
    print(`${SYMBOLS.unknown} ${error.message}`);
    return "unread";
  }
}
