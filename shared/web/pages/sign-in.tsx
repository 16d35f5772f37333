/** The sign-in and the sign-out. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import type { Hono } from "hono";
import { isSameText, markRefused } from "../auth.ts";
import type { Site } from "../site.ts";
import { renderPage } from "../ui/layout.tsx";
import { ownAddress } from "./index.ts";
import { type PageEnv, show } from "./page.ts";

/** What a wrong token costs. It slows down guessing by hand or in sequence; what keeps strangers out is a good token. */
const WRONG_TOKEN_MS = 1_000;

/** @param to the page that was asked for; @param problem why the last try was refused */
const renderSignIn = (environment: string, to: string, problem: string | null): string =>
  renderPage({
    title: "Sign in",
    environment,
    health: null,
    viewer: null,
    children: (
      <section class="sign-in">
        <h1>Sign in</h1>
        {problem && (
          <p class="said problem" role="alert">
            {problem}
          </p>
        )}
        <form method="post" action="/sign-in">
          <input type="hidden" name="to" value={to} />
          {/* For password managers, which keep a token under a name. */}
          <input name="username" autocomplete="username" value={`${environment} canary`} hidden />
          <label>
            Admin token
            <input name="token" type="password" autocomplete="current-password" required />
          </label>
          <button type="submit">Sign in</button>
        </form>
      </section>
    ),
  });

/** Where the function URL checks who calls there is neither. */
export function registerSignIn(
  app: Hono<PageEnv>,
  { canary, view, adminToken, sessions, guards }: Site,
): void {
  if (sessions === null || adminToken === null) return;
  const { environment } = view;
  app.get("/sign-in", (c) => show(c, renderSignIn(environment, ownAddress(c.req.query("to")), null)));

  app.post("/sign-in", guards.smallForm, guards.ownForm, async (c) => {
    const { token = "", to } = c.get("form");
    if (!isSameText(token.trim(), adminToken)) {
      markRefused(c);
      await canary.sleep(WRONG_TOKEN_MS);
      return show(c, renderSignIn(environment, ownAddress(to), "That is not the admin token."), 401);
    }
    await sessions.start(c);
    return c.redirect(ownAddress(to), 303);
  });

  app.post("/sign-out", guards.smallForm, guards.signedIn, guards.ownForm, (c) => {
    sessions.end(c);
    return c.redirect("/sign-in", 303);
  });
}
