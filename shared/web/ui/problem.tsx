/** The page for errors, and the page that only loads its address again. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import type { Viewer } from "./context.ts";
import { renderPage } from "./layout.tsx";

/** Renders a page that says what went wrong, and what to do. */
export const renderProblem = (environment: string, viewer: Viewer | null, title: string, text: string) =>
  renderPage(
    { title, environment, viewer },
    <section class="one">
      <h1>{title}</h1>
      <p>{text}</p>
      <p>
        <a href="/">To the first page</a>
      </p>
    </section>,
  );

/**
 * Renders a page that loads the same address again from this site. Browsers don't send a strict cookie when a link of
 * another site is followed, such as one in an alert.
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
