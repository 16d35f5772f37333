/** The pages for who is not let in, and for what went wrong. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import { renderPage, type Viewer } from "../ui/layout.tsx";

/** @param to the page that was asked for; @param problem why the last try was refused */
export const renderSignIn = (environment: string, to: string, problem: string | null): string =>
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

/** @returns a page that says what went wrong, and what to do */
export const renderProblem = (
  environment: string,
  viewer: Viewer | null,
  title: string,
  text: string,
): string =>
  renderPage({
    title,
    environment,
    health: null,
    viewer,
    children: (
      <section class="one">
        <h1>{title}</h1>
        <p>{text}</p>
        <p>
          <a href="/">To the first page</a>
        </p>
      </section>
    ),
  });

/**
 * A strict cookie is not sent with a link from another site, as in an alert. This page asks for the same again, from here.
 * @param path of this site
 */
export const renderOnceMore = (path: string): string =>
  `<!doctype html>${(
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>canary</title>
        <meta http-equiv="refresh" content={`0;url=${path}`} />
      </head>
      <body>
        <a href={path}>To the canary</a>
      </body>
    </html>
  )}`;
