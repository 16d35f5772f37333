/** Rows of PostgreSQL: each cell is the bytes of its text. */
import { SourceError } from "../../errors.ts";
import type { SqlValue } from "../sql/database.ts";
import { decoded, type Field, type QueryAnswer, type Row, rowsOf } from "../sql/rows.ts";

const fieldOf = (cell: SqlValue | undefined): Field =>
  cell === null || cell === undefined ? null : decoded(cell as Uint8Array);

/** As `Dialect.eachRow`. */
export function eachRow<const C extends string>(
  answer: QueryAnswer | undefined,
  columns: readonly C[],
  visit: (row: Row<C>) => void,
): void {
  let cells: readonly SqlValue[] = [];
  const getters = columns.map((name, column) => [name, { get: () => fieldOf(cells[column]) }]);
  const row = Object.defineProperties({}, Object.fromEntries(getters)) as Row<C>;
  for (cells of rowsOf(answer)) {
    if (cells.length !== columns.length)
      throw new SourceError("the server's rows have other columns than were asked for");
    visit(row);
  }
}
