/** The machine is in the way; the message says what is wrong and how to fix it. */
export class LocalError extends Error {
  override readonly name = "LocalError";
}
