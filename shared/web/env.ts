/** What every request of the app carries. */
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { RequestIdVariables } from "hono/request-id";
import type { CycleRequest } from "../cycle/outcome.ts";

export interface ApiEnv {
  Variables: RequestIdVariables & {
    /** Set where the caller was not let in. */
    isRefused?: true;
  };
  /** Set by hono/aws-lambda where the app runs there. */
  Bindings: {
    lambdaContext?: { getRemainingTimeInMillis(): number };
    event?: { requestContext?: { authorizer?: { iam?: object } } };
  };
}
export type App = OpenAPIHono<ApiEnv>;

/** The time limit of the function that answers the request, for `runCycle`. Empty outside of Lambda. */
export function timeLimitOf(c: Context): Pick<CycleRequest, "timeLeftMs"> {
  const context: ApiEnv["Bindings"]["lambdaContext"] = c.env?.lambdaContext;
  return context ? { timeLeftMs: () => context.getRemainingTimeInMillis() } : {};
}
