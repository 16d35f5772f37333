/** The errors that the command line explains in one line. */

/** A mistake of the caller. The message is one line. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Another cycle holds the lease. */
export class CycleBusy extends Error {
  override readonly name = "CycleBusy";
}
