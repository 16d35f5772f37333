/** The document around the content of every page. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import type { Child, PropsWithChildren } from "hono/jsx";
import { healthOf, type Summary, type SummaryHealth } from "../summary.ts";
import { ICONS, SCRIPT, STYLE } from "./assets.ts";
import { RenderContext, type Viewer } from "./context.ts";
import { FormToken } from "./form-token.tsx";
import { BlindLine, Mark, Name, NoticeLine, type PageNotice, StaleLine } from "./parts.tsx";
import { STATES } from "./states.ts";
import { plain } from "./texts.ts";

interface PageProps {
  readonly title: string;
  readonly environment: string;
  /** Absent where the state is unknown, or not for this viewer. */
  readonly summary?: Summary;
  readonly viewer?: Viewer | null;
  readonly notice?: PageNotice | null;
}

export const Breadcrumb = () => (
  <nav aria-label="Breadcrumb">
    <a href="/">All invariants</a>
  </nav>
);

const SiteNav = () => (
  <nav aria-label="Site">
    <a href="/agents">Agents</a>
    <a href="/cycles">Cycles</a>
  </nav>
);

const SignOut = ({ name }: { name: string }) => (
  <footer>
    <span class="dim">
      Signed in as <Name text={name} />
    </span>
    <form method="post" action="/sign-out">
      <FormToken />
      <button type="submit" class="quiet">
        Sign out
      </button>
    </form>
  </footer>
);

type DocumentProps = PropsWithChildren<PageProps & { readonly health: SummaryHealth | undefined }>;

function Document({ title, environment, summary, health, viewer, notice, children }: DocumentProps) {
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
          {viewer && <SiteNav />}
        </header>
        <main id="main">
          {notice && <NoticeLine notice={notice} health={health?.text} />}
          {summary && <StaleLine summary={summary} />}
          {summary && <BlindLine summary={summary} />}
          {children}
        </main>
        {viewer && viewer.formToken !== null && <SignOut name={viewer.caller.name} />}
      </body>
    </html>
  );
}

/** Renders the document. Its title begins with the state, so that the browser's tab shows it. */
export function renderPage(props: PageProps, children: Child): string {
  const { summary, title, environment, viewer = null } = props;
  const health = summary && healthOf(summary);
  const state = health ? `${STATES[health.state].tabSign} ${health.text} · ` : "";
  const whole = `${state}${title ? `${title} · ` : ""}${plain(environment)} canary`;
  return `<!doctype html>${(
    <RenderContext.Provider value={{ viewer, nowMs: summary?.nowMs ?? 0 }}>
      <Document {...props} title={whole} health={health}>
        {children}
      </Document>
    </RenderContext.Provider>
  )}`;
}
