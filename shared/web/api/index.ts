/** The registry of the API: every group of routes, in the order in which `/openapi.json` lists them. */
import { registerMetrics } from "./metrics.ts";
import type { RegisterRoutes } from "./route.ts";
import { registerRunCycle } from "./run-cycle.ts";
import { registerSilences } from "./silences.ts";
import { registerStatus } from "./status.ts";
import { registerViolations } from "./violations.ts";

export const ROUTES: readonly RegisterRoutes[] = [
  registerRunCycle,
  registerViolations,
  registerStatus,
  registerSilences,
  registerMetrics,
];
