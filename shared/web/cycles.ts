/** How the app has a cycle run: in this process, or in another one. */
import type { CycleOutcome, CycleRequest } from "../cycle/outcome.ts";

/** Runs one cycle. @throws CycleNotRun where another process was to run it, and its outcome is not known */
export type RunCycle = (request: CycleRequest) => Promise<CycleOutcome>;

/** The outcome of a cycle is not known. The message is for the caller: it says nothing of the inside. */
export class CycleNotRun extends Error {
  override readonly name = "CycleNotRun";
  /** The status of the answer. */
  readonly status: 502 | 503 | 504;
  readonly code: string;
  /** When to try again; null where nothing says it. */
  readonly retryAfterSeconds: number | null;
  constructor(
    status: CycleNotRun["status"],
    code: string,
    message: string,
    retryAfterSeconds: number | null = null,
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
