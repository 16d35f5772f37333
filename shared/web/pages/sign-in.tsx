/** The sign-in and the sign-out. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import type { Hono } from "hono";
import { isSameText, markRefused } from "../auth.ts";
import type { Site } from "../site-context.ts";
import { renderPage } from "../ui/layout.tsx";
import { ownAddress } from "./index.ts";
import { type PageEnv, showPage } from "./page.ts";

/** @param to the page to go to; @param problem why the last attempt was refused */
const renderSignIn = (environment: string, to: string, problem: string | null): string =>
  renderPage(
    { title: "Sign in", environment },
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
    </section>,
  );

/** Registers the sign-in and the sign-out. Where the function URL checks callers there is neither. */
export function registerSignIn(app: Hono<PageEnv>, site: Site): void {
  const { view, adminToken, sessions, guards } = site;
  if (sessions === null || adminToken === null) return;
  const signIn = (to: string | undefined, problem: string | null = null) =>
    renderSignIn(view.environment, ownAddress(to), problem);
  app.get("/sign-in", (c) => showPage(c, signIn(c.req.query("to"))));

  app.post("/sign-in", guards.smallForm, guards.ownForm, async (c) => {
    const { token = "", to } = c.get("form");
    if (!isSameText(token.trim(), adminToken)) {
      // Refused at once: a delay would occupy the function for as long, and the token is too long to be guessed.
      markRefused(c);
      return showPage(c, signIn(to, "That is not the admin token."), 401);
    }
    await sessions.start(c);
    return c.redirect(ownAddress(to), 303);
  });

  app.post("/sign-out", guards.smallForm, guards.signedIn, guards.ownForm, (c) => {
    sessions.end(c);
    return c.redirect("/sign-in", 303);
  });
}
