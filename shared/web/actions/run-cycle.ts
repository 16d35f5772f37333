/** The form that runs a cycle. */
import type { Hono } from "hono";
import { timeLimitOf } from "../env.ts";
import { ownAddress } from "../pages/index.ts";
import type { PageEnv } from "../pages/page.ts";
import type { Site } from "../site-context.ts";

export function registerRunCycleForm(app: Hono<PageEnv>, { runCycle, guards, problem }: Site): void {
  app.post("/run-cycle", guards.smallForm, guards.signedIn, guards.ownForm, guards.mayChange, async (c) => {
    const back = ownAddress(c.get("form").back);
    const outcome = await runCycle({ trigger: "page", ...timeLimitOf(c) });
    if (outcome.kind === "busy")
      return c.redirect(`${back}?said=busy&wait=${outcome.retryAfterSeconds}`, 303);
    if (outcome.kind === "stateless")
      return problem(
        c,
        503,
        "The cycle is not remembered",
        `It ran, but nothing opened or closed: ${outcome.reason}`,
      );
    return c.redirect(`${back}?said=ran`, 303);
  });
}
