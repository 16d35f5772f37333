/** Errors as the API answers them: what is wrong, a code for programs, and the request's id. */
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { RequestIdVariables } from "hono/request-id";
import type { ContentfulStatusCode } from "hono/utils/http-status";

/** What middleware leaves on a request's context. */
export interface ApiEnv {
  Variables: RequestIdVariables;
  /** Set by hono/aws-lambda where the app runs there. */
  Bindings: {
    lambdaContext?: { getRemainingTimeInMillis(): number };
    event?: { requestContext?: { authorizer?: { iam?: object } } };
  };
}
export type App = OpenAPIHono<ApiEnv>;

/** @returns a response or body of one schema, as an OpenAPI route declares it */
export const jsonBody = <T>(description: string, schema: T) => ({
  description,
  content: { "application/json": { schema } },
});

export const ErrorBody = z
  .object({ detail: z.string(), code: z.string(), request_id: z.string() })
  .openapi("Error");

/** Makes the error response. Every error of the API is made here. */
export function errorResponse<Status extends ContentfulStatusCode>(
  c: Context,
  status: Status,
  code: string,
  detail: string,
) {
  const body: z.infer<typeof ErrorBody> = { detail, code, request_id: c.get("requestId") };
  return c.json(body, status);
}

/** @returns what zod found, as one line that names each field */
export const describeIssues = (error: z.core.$ZodError): string =>
  error.issues
    .map(({ path, message }) => (path.length > 0 ? `${path.join(".")}: ${message}` : message))
    .join("; ");

/** The store is the only thing behind these routes: the SDK marks its errors, and a network's have a code. */
export const isStateFault = (error: Error): boolean =>
  "$metadata" in error || "code" in error || error.name === "TimeoutError";
