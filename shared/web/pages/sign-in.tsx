/** The sign-in and the sign-out. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import type { Hono } from "hono";
import { markRefused } from "../auth.ts";
import { callerOf, MAX_GIVEN_NAME } from "../callers.ts";
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
          Token
          <input name="token" type="password" autocomplete="current-password" required />
        </label>
        <label>
          <span>
            Your name <small>with the admin token: it stands in the silences that you make</small>
          </span>
          <input name="name" maxlength={MAX_GIVEN_NAME} dir="auto" autocomplete="name" />
        </label>
        <button type="submit">Sign in</button>
      </form>
    </section>,
  );

/** Registers the sign-in and the sign-out. Where the function URL checks callers there is neither. */
export function registerSignIn(app: Hono<PageEnv>, site: Site): void {
  const { view, tokens, sessions, guards } = site;
  if (sessions === null || tokens === null) return;
  const signIn = (to: string | undefined, problem: string | null = null) =>
    renderSignIn(view.environment, ownAddress(to), problem);
  app.get("/sign-in", (c) => showPage(c, signIn(c.req.query("to"))));

  app.post("/sign-in", guards.smallForm, guards.ownForm, async (c) => {
    const { token = "", name, to } = c.get("form");
    const caller = callerOf(token.trim(), tokens, name);
    if (caller === null) {
      // Refused at once: a delay would occupy the function for as long, and the token is too long to be guessed.
      markRefused(c);
      return showPage(c, signIn(to, "That is neither the admin token nor a read token."), 401);
    }
    await sessions.start(c, caller);
    return c.redirect(ownAddress(to), 303);
  });

  app.post("/sign-out", guards.smallForm, guards.signedIn, guards.ownForm, (c) => {
    sessions.end(c);
    return c.redirect("/sign-in", 303);
  });
}
