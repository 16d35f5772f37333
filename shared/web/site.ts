/** The site: pages, the actions of their forms, the badge and the assets. */
import { Hono } from "hono";
import { BadCursor } from "../store/cursor.ts";
import { parseTimestamp } from "../time.ts";
import { registerRunCycleForm } from "./actions/run-cycle.ts";
import { registerSilenceForms } from "./actions/silences.ts";
import { requireSignature } from "./auth.ts";
import { CycleNotRun } from "./cycles.ts";
import { failureLine, isStateFault } from "./errors.ts";
import { guardsOf, type Problem } from "./guards.ts";
import { registerBadge } from "./pages/badge.ts";
import { PAGES } from "./pages/index.ts";
import { noticeIn } from "./pages/notice.ts";
import { type Page, type PageEnv, showPage } from "./pages/page.ts";
import { registerSignIn } from "./pages/sign-in.tsx";
import { createSessions } from "./session.ts";
import type { Site } from "./site-context.ts";
import { ASSETS, ICONS } from "./ui/assets.ts";
import { renderProblem } from "./ui/problem.tsx";

/** The parameters of pages that are instants. */
const TIMES = ["until", "since", "before"];
const TIME_WORDS = "give an ISO 8601 time, such as 2026-11-23T10:30:00Z";

type RegisterPages = (app: Hono<PageEnv>, site: Site) => void;

const ROUTES: readonly RegisterPages[] = [
  registerAssets,
  registerSignIn,
  ...PAGES.map(registerPage),
  registerRunCycleForm,
  registerSilenceForms,
  registerBadge,
];

/** Makes the site. Other paths fall through to the API. */
export function createSite(options: Omit<Site, "sessions" | "guards" | "problem">): Hono<PageEnv> {
  const { view, tokens, log } = options;
  const sessions = tokens === null ? null : createSessions(tokens, view.now);
  const problem: Problem = (c, status, title, text) =>
    showPage(c, renderProblem(view.environment, c.get("viewer") ?? null, title, text), status);
  const app = new Hono<PageEnv>();
  app.onError((error, c) => {
    log(failureLine(c, error));
    if (error instanceof BadCursor)
      return problem(
        c,
        404,
        "There is no such page",
        "The address names a place in a list that is not there.",
      );
    if (error instanceof CycleNotRun)
      return problem(
        c,
        error.status,
        "The cycle gave no result",
        `There is nothing to show of it: ${error.message}.`,
      );
    if (!isStateFault(error))
      return problem(c, 500, "This went wrong", `The log says why, under request ${c.get("requestId")}.`);
    const text = "Try again in a minute. If it stays so, look at the table and the function's log.";
    return problem(c, 503, "The canary's state can't be read", text);
  });
  const site: Site = { ...options, sessions, problem, guards: guardsOf(sessions, problem) };
  for (const register of ROUTES) register(app, site);
  return app;
}

function registerPage(page: Page): RegisterPages {
  return (app, { view, guards, problem }) =>
    app.get(page.path, guards.signedIn, async (c) => {
      const viewer = { ...c.get("viewer"), reloads: page.reloads };
      c.set("viewer", viewer);
      const [name = ""] = Object.values<string>(c.req.param());
      const query = (parameter: string) => c.req.query(parameter);
      const bad = TIMES.find((parameter) => query(parameter) && parseTimestamp(query(parameter)!) === null);
      if (bad) return problem(c, 422, "There is no such time", `${bad}: ${TIME_WORDS}.`);
      const html = await page.render({ view, viewer, name, query, notice: noticeIn(query), input: null });
      if (typeof html !== "string" && "location" in html) return c.redirect(html.location, 302);
      return typeof html === "string" ? showPage(c, html) : problem(c, 404, html.title, html.text);
    });
}

function registerAssets(app: Hono<PageEnv>, { sessions }: Site): void {
  for (const { path, type, text } of ASSETS)
    app.get(path, sessions ? (_, next) => next() : requireSignature, (c) =>
      c.body(text, 200, { "Content-Type": type, "Cache-Control": "public, max-age=31536000, immutable" }),
    );
  // Browsers ask for it wherever a page has no icon of its own, such as a badge that is opened alone.
  app.get("/favicon.ico", sessions ? (_, next) => next() : requireSignature, (c) =>
    c.redirect(ICONS.off.path, 301),
  );
}
