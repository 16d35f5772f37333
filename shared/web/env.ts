/** The context of every request of the app. */
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { RequestIdVariables } from "hono/request-id";
import type { CycleRequest } from "../cycle/outcome.ts";
import type { Caller } from "./callers.ts";

export interface ApiEnv {
  Variables: RequestIdVariables & {
    /** Set where the caller was refused. */
    isRefused?: true;
    /** Who calls. Set on every authorized request, of the API and of the pages. */
    caller: Caller;
  };
  /** Set by hono/aws-lambda where the app runs there. */
  Bindings: {
    lambdaContext?: { getRemainingTimeInMillis(): number };
    event?: { requestContext?: { authorizer?: { iam?: { userArn?: string } } } };
  };
}
export type App = OpenAPIHono<ApiEnv>;

/** Gets the remaining time of the function that answers, for `runCycle`. Empty outside of Lambda. */
export function timeLimitOf(c: Context): Pick<CycleRequest, "timeLeftMs"> {
  const context: ApiEnv["Bindings"]["lambdaContext"] = c.env?.lambdaContext;
  return context ? { timeLeftMs: () => context.getRemainingTimeInMillis() } : {};
}
