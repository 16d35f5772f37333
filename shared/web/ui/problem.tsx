/** The page for what went wrong, and the one that only asks again. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import { renderPage, type Viewer } from "./layout.tsx";

/** Renders a page that says what went wrong, and what to do. */
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
 * Renders a page that asks for the same address again, from this site: a strict cookie is not sent with a link from
 * another site, as in an alert.
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
