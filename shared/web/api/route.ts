/** What a group of routes is made of. */
import type { Canary } from "../../canary.ts";
import type { App } from "../env.ts";
import type { CanaryView } from "../view.ts";

export interface RouteContext {
  /** For the routes that act. */
  readonly canary: Canary;
  /** For the routes that read. */
  readonly view: CanaryView;
  /** What the record of a cycle gives as its trigger. */
  readonly trigger: string;
}

export type RegisterRoutes = (app: App, context: RouteContext) => void;

/** A JSON body of one schema, as an OpenAPI route declares it. */
export const jsonBody = <T>(description: string, schema: T) => ({
  description,
  content: { "application/json": { schema } },
});
