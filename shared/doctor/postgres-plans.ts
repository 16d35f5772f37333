/** How PostgreSQL will read the executions, from the plans of `EXPLAIN (FORMAT JSON)`. Pure. */
import { EXECUTIONS } from "../sources/sql/values.ts";
import type { Plan, Steps } from "./plans.ts";

/** Selects the names of the partial indexes of the executions. */
export const POSTGRES_PARTIAL_INDEXES = `SELECT i.relname FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
WHERE x.indrelid = to_regclass('${EXECUTIONS}') AND x.indpred IS NOT NULL`;

interface Node {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Index Cond"?: string;
  readonly Plans?: readonly Node[];
}

/** A step that hands a row on as it comes, so that a limit above it ends the one below it. */
const HANDS_ON = new Set(["Subquery Scan", "Result", "Append"]);

/** Lists the steps that read the executions. @param isBounded a limit above ends it after a few rows */
function readsIn(node: Node, isBounded = false, relation?: string): { node: Node; isBounded: boolean }[] {
  const type = node["Node Type"];
  // The scan of an index for a bitmap names no table: the step above it does.
  const table = node["Relation Name"] ?? (type.startsWith("Bitmap") ? relation : undefined);
  const ends = type === "Limit" || (isBounded && HANDS_ON.has(type));
  return [
    ...(table === EXECUTIONS && type !== "Bitmap Heap Scan" ? [{ node, isBounded }] : []),
    ...(node.Plans ?? []).flatMap((one) => readsIn(one, ends, table ?? relation)),
  ];
}

const decoder = new TextDecoder();

/** Reads from a plan what a statement does with the executions. @param small partial indexes that hold a few live rows */
export function postgresSteps({ rows }: Plan, small: ReadonlySet<string>): Steps {
  const json = rows
    .map(([cell]) => (typeof cell === "object" && cell ? decoder.decode(cell) : cell))
    .join("\n");
  const [{ Plan: root }] = JSON.parse(json) as [{ Plan: Node }];
  const reads = readsIn(root);
  return {
    isScan: reads.some(({ node, isBounded }) => {
      const index = node["Index Name"];
      const isSought = node["Index Cond"] !== undefined || (index !== undefined && small.has(index));
      return !isSought && !isBounded;
    }),
    indexes: reads.flatMap(({ node }) => node["Index Name"] ?? []),
  };
}
