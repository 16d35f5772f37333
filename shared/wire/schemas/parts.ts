/** What several schemas are made of. */
import { z } from "@hono/zod-openapi";
import { INVARIANTS } from "../../invariants/index.ts";
import { SEVERITIES } from "../../invariants/invariant.ts";

export const list = <Item extends z.ZodType>(item: Item) => z.array(item).readonly();

export const Id = z.string().openapi({ example: INVARIANTS[0]!.id });
export const Instant = z.string().openapi({ example: "2026-11-23T10:30:00.123Z" });
export const Severity = z.enum(SEVERITIES);
export const Tier = z.enum(["A", "B"]);
export const ObservedState = z.record(z.string(), z.unknown());

/** Why each invariant is not run, by its id. Absent in what older versions wrote. */
export const OffReasons = z.record(z.string(), z.string()).readonly().optional();
