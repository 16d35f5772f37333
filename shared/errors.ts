/** Descriptions of errors for operators, without secrets. */

/** An error whose text is for the operator and holds no secret. */
export class SourceError extends Error {
  override readonly name = "SourceError";
}

/**
 * Describes an error in one line, for `sources_unavailable`. The line can be long, and can hold a secret that the other
 * side sent back: take secrets out first, then cut.
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
  return text.replace(/\b[a-z][a-z0-9+.-]*:\/\/\S+/gi, "(address)").replace(/\s+/g, " ");
}

/** Where something is read from: the host without user, path or query, and the variable that names it. */
export interface Place {
  /** Null for a file. */
  readonly host: string | null;
  readonly variable: string;
}

/** The place that an address names. A text that is no address has no host. */
export function placeOf(address: string, variable: string): Place {
  const path = /^unix:\/\/(\/.*)$/.exec(address)?.[1];
  if (path) return { host: path, variable };
  return { host: URL.parse(address)?.host || null, variable };
}

/** Texts that say that something was not reached, and not where. */
const UNREACHED =
  /^([A-Z][A-Z0-9_]+|no answer within \d+ ms|no such file|no right to read the file|.* answered HTTP \d+)$/;

/** Adds the place to a text that says that something was not reached: `ECONNREFUSED 10.0.0.5:2376: DOCKER_HOSTS`. */
export function placed(text: string, place: Place | null | undefined): string {
  if (!place || !UNREACHED.test(text)) return text;
  const { host, variable } = place;
  return host === null ? `${text}: ${variable}` : `${text} ${host}: ${variable}`;
}
