/** Lines about the canary's own state. */
import type { Canary } from "../canary.ts";
import { describeError } from "../errors.ts";
import { cut, MAX_LINE } from "../text.ts";

/**
 * Says what of the state could not be read or written.
 * @param what goes before the reason
 */
export const stateLine = ({ redact }: Pick<Canary, "redact">, error: unknown, what = ""): string =>
  cut(redact(`state: ${what}${describeError(error)}`), MAX_LINE);
