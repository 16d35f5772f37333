/** Calling a reader: another function or process, which reads a few daemons. */
import { SourceError } from "../../errors.ts";
import type { FactName, UnfinishedDaemon } from "../../facts/facts.ts";

/** What a reader is to do. */
export interface ReaderCall {
  readonly read_docker: {
    readonly hosts: readonly string[];
    readonly wanted: readonly FactName[];
    /** What the last read left. */
    readonly unfinished: readonly UnfinishedDaemon[];
    /** Until when the caller waits for the answer, unix ms. */
    readonly answer_by: number;
  };
}

/** A way to readers. */
export interface CallReader {
  /** How many of them are of use at once. Left out: any number. */
  readonly most?: number;
  /** Has one read, and gives its answer as JSON is parsed. @throws SourceError where there is none */
  call(event: ReaderCall, signal: AbortSignal): Promise<unknown>;
}

/** Describes an error in a reader. Its message stays unseen: it may be anything. */
export function readerError({
  errorType,
  errorMessage,
}: {
  errorType?: unknown;
  errorMessage?: unknown;
}): SourceError {
  if (errorType === "ConfigError")
    return new SourceError("its configuration can't be used: its log says more");
  if (errorType === "AnswerTooLong")
    return new SourceError(
      "its answer is longer than a function may give: let each reader read fewer daemons",
    );
  if (/Task timed out/.test(String(errorMessage)))
    return new SourceError("it did not end within its time limit");
  const type = typeof errorType === "string" && /^[\w.]{1,60}$/.test(errorType) ? ` (${errorType})` : "";
  return new SourceError(`it failed${type}: its log says more`);
}
