/** What the groups of routes share. */
import type { RunCycle, TestAlerts } from "../cycles.ts";
import type { App } from "../env.ts";
import type { AppCanary, CanaryView } from "../view.ts";

export interface RouteContext {
  /** For routes that act. */
  readonly canary: AppCanary;
  readonly runCycle: RunCycle;
  readonly testAlerts: TestAlerts;
  /** For routes that only read. */
  readonly view: CanaryView;
  /** The trigger in the record of a cycle. */
  readonly trigger: string;
  /** Called with internal errors, which the caller does not see. */
  readonly logError: (line: string) => void;
}

export type RegisterRoutes = (app: App, context: RouteContext) => void;

/** Describes a JSON body, as an OpenAPI route declares it. */
export const jsonBody = <T>(description: string, schema: T) => ({
  description,
  content: { "application/json": { schema } },
});
