/** What everything that talks to something else needs: a deadline that cuts, and failures told without secrets. */

/** An error whose text was written for the operator and holds no secret. */
export class SourceError extends Error {
  override readonly name = "SourceError";
}

/**
 * Runs `work` until it ends or the deadline passes, whichever is first.
 * @param work gets a signal that is aborted at the deadline
 * @throws SourceError `no answer within … ms` at the deadline, whether or not the work heeds its signal
 */
export async function withDeadline<T>(
  deadlineMs: number,
  work: (signal: AbortSignal) => Promise<T>,
  parent?: AbortSignal,
): Promise<T> {
  const controller = new AbortController();
  const late = new SourceError(`no answer within ${deadlineMs} ms`);
  let cut: (() => void) | undefined;
  const deadline = new Promise<never>((_, reject) => {
    cut = () => {
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
    throw controller.signal.aborted && !(error instanceof SourceError) ? late : error;
  } finally {
    clearTimeout(timer);
    parent?.removeEventListener("abort", cut!);
    controller.abort();
  }
}

/**
 * Says in one line what went wrong, for `sources_unavailable`.
 * Network errors are named by their code, since their texts can carry addresses with credentials.
 */
export function describeError(error: unknown): string {
  for (
    let cause: unknown = error, depth = 0;
    cause instanceof Error && depth < 5;
    cause = cause.cause, depth += 1
  ) {
    if (cause instanceof SourceError) return cause.message;
    // The parser's own text shows a piece of the answer.
    if (cause instanceof SyntaxError) return "the answer is not JSON";
    const code = "code" in cause ? String(cause.code) : "";
    if (
      /^(E[A-Z_]+|UND_ERR_\w+|CERT_\w+|ERR_TLS_\w+|ERR_SSL_\w+|DEPTH_\w+|SELF_SIGNED_\w+|UNABLE_\w+)$/.test(
        code,
      )
    )
      return code;
  }
  const text = error instanceof Error ? error.message : String(error);
  return text
    .replace(/\b[a-z][a-z0-9+.-]*:\/\/\S+/gi, "(address)")
    .replace(/\s+/g, " ")
    .slice(0, 200);
}
