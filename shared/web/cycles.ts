/** How the app has a cycle run, and the channels tried: in this process, or in another one. */
import type { AlertTest } from "../alerts/alert-test.ts";
import type { CycleOutcome, CycleRequest } from "../cycle/outcome.ts";

/** Runs one cycle. @throws CycleNotRun where another process was to run it, and its outcome is not known */
export type RunCycle = (request: CycleRequest) => Promise<CycleOutcome>;

export interface AlertTestRequest extends Pick<CycleRequest, "timeLeftMs"> {
  /** The name of the one channel to try; all where it is left out. */
  readonly channel?: string | undefined;
}

/** Tries the channels. @throws CycleNotRun where another process was to do it, and what came of it is not known */
export type TestAlerts = (request: AlertTestRequest) => Promise<AlertTest>;

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
