/** Deadlines that abort the work. */
import { SourceError } from "./errors.ts";

/**
 * Runs `work` until it ends or the deadline passes, whichever is first.
 * @param work gets a signal that is aborted at the deadline
 * @param parent aborts the work earlier
 * @throws SourceError `no answer within … ms` at the deadline, even if the work ignores its signal
 */
export async function withDeadline<T>(
  deadlineMs: number,
  work: (signal: AbortSignal) => Promise<T>,
  parent?: AbortSignal,
): Promise<T> {
  const controller = new AbortController();
  let cut: (() => void) | undefined;
  const deadline = new Promise<never>((_, reject) => {
    cut = () => {
      const late = new SourceError(`no answer within ${deadlineMs} ms`);
      controller.abort(late);
      reject(parent?.aborted ? parent.reason : late);
    };
  });
  const timer = setTimeout(cut!, deadlineMs);
  parent?.addEventListener("abort", cut!, { once: true });
  if (parent?.aborted) cut!();
  try {
    return await Promise.race([work(controller.signal), deadline]);
  } catch (error) {
    throw controller.signal.aborted && !(error instanceof SourceError) ? controller.signal.reason : error;
  } finally {
    clearTimeout(timer);
    parent?.removeEventListener("abort", cut!);
    controller.abort();
  }
}
