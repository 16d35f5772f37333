/** The context of every request of the app. */
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { RequestIdVariables } from "hono/request-id";
import type { CycleRequest } from "../cycle/outcome.ts";

export interface ApiEnv {
  Variables: RequestIdVariables & {
    /** Set where the caller was refused. */
    isRefused?: true;
  };
  /** Set by hono/aws-lambda where the app runs there. */
  Bindings: {
    lambdaContext?: { getRemainingTimeInMillis(): number };
    event?: { requestContext?: { authorizer?: { iam?: object } } };
  };
}
export type App = OpenAPIHono<ApiEnv>;

/** Gets the remaining time of the function that answers, for `runCycle`. Empty outside of Lambda. */
export function timeLimitOf(c: Context): Pick<CycleRequest, "timeLeftMs"> {
  const context: ApiEnv["Bindings"]["lambdaContext"] = c.env?.lambdaContext;
  return context ? { timeLeftMs: () => context.getRemainingTimeInMillis() } : {};
}
