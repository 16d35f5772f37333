/** Cuts evidence to what DynamoDB takes in one item: evidence must never keep a cycle from happening. */
import { MAX_ITEM_BYTES } from "./table.ts";

/** How far lists and texts of an item are cut, in steps, until it fits. */
const CUTS = [
  { listed: 500, characters: 10_000 },
  { listed: 100, characters: 1_000 },
  { listed: 10, characters: 200 },
] as const;

/** Cuts lists and texts. Next to a list that was cut, `{name}_total` says how long it was. */
function cutTo(value: unknown, limits: (typeof CUTS)[number]): unknown {
  const { listed, characters } = limits;
  if (typeof value === "string") return value.length > characters ? `${value.slice(0, characters)}…` : value;
  if (Array.isArray(value)) return value.slice(0, listed).map((item) => cutTo(item, limits));
  if (value === null || typeof value !== "object") return value;
  const cut: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) {
    cut[name] = cutTo(field, limits);
    if (Array.isArray(field) && field.length > listed) cut[`${name}_total`] = field.length;
  }
  return cut;
}

/** Returns the evidence as it is, or cut so far that it fits in an item. */
export function fitItem<T extends object>(evidence: T): T {
  let fitting = evidence;
  for (const limits of CUTS) {
    if (Buffer.byteLength(JSON.stringify(fitting)) <= MAX_ITEM_BYTES) break;
    fitting = cutTo(evidence, limits) as T;
  }
  return fitting;
}
