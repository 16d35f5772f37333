/** Pieces of SQL that both backends understand. */
import { formatInstant } from "../../time.ts";

export const EXECUTIONS = "schedule_executions";

export const quoted = (values: readonly string[]) => values.map((v) => `'${v}'`).join(", ");

/** An instant (unix ms) as `Dialect.secondOf` gives it. */
export const secondText = (ms: number) => formatInstant(ms).slice(0, 19);
