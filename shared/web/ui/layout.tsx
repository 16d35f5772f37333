/** What is around the content of every page. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import type { Child } from "hono/jsx";
import type { Health } from "../summary.ts";
import { ICONS, SCRIPT, STYLE } from "./assets.ts";
import { Mark } from "./parts.tsx";
import { STATES } from "./states.ts";
import { plain } from "./texts.ts";

/** What a page needs to know about the person who looks at it. */
export interface Viewer {
  /** The scheme and host of the request, for the commands to copy. */
  readonly origin: string;
  /** Goes with each form; null where IAM has let the viewer in. */
  readonly formToken: string | null;
  /** Whether there is a session that can be ended. */
  readonly canSignOut: boolean;
  /** Whether what this viewer gets may load itself again: the answer to a form may not. */
  readonly reloads: boolean;
}

interface PageProps {
  readonly title: string;
  readonly environment: string;
  /** Null where the state is not known, or not for this viewer. */
  readonly health: Health | null;
  readonly viewer: Viewer | null;
  readonly children?: Child;
}

export const FormToken = ({ viewer }: { viewer: Viewer }) =>
  viewer.formToken === null ? null : <input type="hidden" name="form_token" value={viewer.formToken} />;

function Document({ title, environment, health, viewer, children }: PageProps) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{title}</title>
        <link rel="icon" href={ICONS[health?.state ?? "off"].path} type="image/svg+xml" />
        <link rel="stylesheet" href={STYLE.path} />
        <script src={SCRIPT.path} defer></script>
      </head>
      <body data-reloads={viewer?.reloads ? "" : undefined}>
        <a class="skip" href="#main">
          Skip to the content
        </a>
        <header class="top">
          <a class="home" href="/">
            <Mark state={health?.state ?? "off"} />
            <span>
              <b>{plain(environment)}</b> canary
            </span>
          </a>
          {viewer?.canSignOut && (
            <form method="post" action="/sign-out">
              <FormToken viewer={viewer} />
              <button type="submit" class="quiet">
                Sign out
              </button>
            </form>
          )}
        </header>
        <main id="main">{children}</main>
      </body>
    </html>
  );
}

/** Renders the whole document. Its title begins with the state, which can then be read on the tab. */
export function renderPage(props: PageProps): string {
  const { health, title, environment } = props;
  const state = health ? `${STATES[health.state].tabSign} ${health.text} · ` : "";
  const whole = `${state}${title ? `${title} · ` : ""}${plain(environment)} canary`;
  return `<!doctype html>${<Document {...props} title={whole} />}`;
}
