/** Where the next page of a listing starts, as the API hands it out. */

/** A cursor that this table did not give out. */
export class BadCursor extends Error {
  override readonly name = "BadCursor";
}

export const encodeCursor = (day: string, sortKey: string): string =>
  Buffer.from(JSON.stringify([day, sortKey])).toString("base64url");

/**
 * Reads a cursor as the day and the sort key of the last item of the page before.
 * @throws BadCursor for anything that `encodeCursor` did not make
 */
export function decodeCursor(cursor: string): [day: string, sortKey: string] {
  try {
    const [day, sortKey] = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
    if (/^\d{4}-\d\d-\d\d$/.test(day) && typeof sortKey === "string") return [day, sortKey];
  } catch {}
  throw new BadCursor("cursor is not one that this API gave out: leave it out to start at the newest");
}
