/** Error responses: what is wrong, a code for programs, and the request's id. */
import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { describeError } from "../errors.ts";
import { MemoryUnreadable } from "../store/memory-codec.ts";

export const ErrorBody = z
  .object({ detail: z.string(), code: z.string(), request_id: z.string() })
  .openapi("Error");

/** Makes an error response. Every error of the API is made here. */
export function errorResponse<Status extends ContentfulStatusCode>(
  c: Context,
  status: Status,
  code: string,
  detail: string,
) {
  const body: z.infer<typeof ErrorBody> = { detail, code, request_id: c.get("requestId") };
  return c.json(body, status);
}

/** Describes zod's issues in one line, with the name of each field. */
export const describeIssues = (error: z.core.$ZodError): string =>
  error.issues
    .map(({ path, message }) => (path.length > 0 ? `${path.join(".")}: ${message}` : message))
    .join("; ");

/** Whether the store failed, the only service that these routes use. SDK errors have metadata, network errors a code. */
export const isStateFault = (error: Error): boolean =>
  "$metadata" in error ||
  "code" in error ||
  error.name === "TimeoutError" ||
  error instanceof MemoryUnreadable;

/** Describes a failed request for the log. */
export const failureLine = (c: Context, error: Error): string =>
  `${c.get("requestId")} ${c.req.method} ${c.req.path}: ${describeError(error)}`;
