/** Who may see the pages, and which forms are accepted. */
import type { MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { markRefused, READ_ONLY, requireSignature } from "./auth.ts";
import { isSameText } from "./callers.ts";
import { ownAddress } from "./pages/index.ts";
import { type PageContext, type PageEnv, showPage } from "./pages/page.ts";
import { isOwnForm, type Sessions } from "./session.ts";
import { renderOnceMore } from "./ui/problem.tsx";

const MAX_FORM_BYTES = 16 * 1024;

/** Answers with a page that says what went wrong. */
export type Problem = (
  c: PageContext,
  status: 403 | 404 | 413 | 422 | 500 | 502 | 503 | 504,
  title: string,
  text: string,
) => Response | Promise<Response>;

export type Guards = ReturnType<typeof guardsOf>;

/** @param sessions null where the function URL checks callers */
export const guardsOf = (sessions: Sessions | null, problem: Problem) => ({
  /** Accepts viewers with a session, or with a signed request. Sends others to the sign-in. */
  signedIn: sessions === null ? signedRequest : withSession(sessions),
  /** Refuses a form that is too large, before anything reads it. */
  smallForm: bodyLimit({
    maxSize: MAX_FORM_BYTES,
    onError: (c) => problem(c, 413, "That was too much", "The form is larger than 16 kB."),
  }),
  /** Reads the form. Accepts it only from a page of this session. */
  ownForm: formGuard(problem),
  /** Refuses a reader, for a form that changes something. */
  mayChange: adminsOnly(problem),
});

const setViewer = (c: PageContext, formToken: string | null) =>
  c.set("viewer", {
    origin: new URL(c.req.url).origin,
    formToken,
    reloads: false,
    caller: c.get("caller"),
  });

const adminsOnly =
  (problem: Problem): MiddlewareHandler<PageEnv> =>
  async (c, next) =>
    c.get("caller").role === "admin"
      ? next()
      : problem(c, 403, "Nothing was done", `It can't be: ${READ_ONLY}.`);

const signedRequest: MiddlewareHandler<PageEnv> = (c, next) =>
  requireSignature(c, () => {
    setViewer(c, null);
    return next();
  });

const withSession =
  (sessions: Sessions): MiddlewareHandler<PageEnv> =>
  async (c, next) => {
    const session = await sessions.read(c);
    if (session !== null) {
      c.set("caller", session.caller);
      setViewer(c, session.formToken);
      return next();
    }
    const isGet = c.req.method === "GET";
    const site = c.req.header("sec-fetch-site");
    if (isGet && (site === "cross-site" || site === "same-site"))
      return showPage(c, renderOnceMore(ownAddress(c.req.path)));
    markRefused(c);
    const to = isGet ? ownAddress(c.req.path) : "/";
    return c.redirect(to === "/" ? "/sign-in" : `/sign-in?to=${encodeURIComponent(to)}`, 303);
  };

const formGuard =
  (problem: Problem): MiddlewareHandler<PageEnv> =>
  async (c, next) => {
    const fields = await c.req.parseBody().catch(() => ({}));
    const form = Object.fromEntries(
      Object.entries(fields).map(([name, value]) => [name, typeof value === "string" ? value : ""]),
    );
    // The sign-in has no viewer yet, and a signed request has no token.
    const expected = c.get("viewer")?.formToken ?? null;
    if (!isOwnForm(c) || (expected !== null && !isSameText(form.form_token ?? "", expected))) {
      const text =
        "The form did not come from a page of this session. Load the page again, and send it from there.";
      return problem(c, 403, "Nothing was done", text);
    }
    c.set("form", form);
    return next();
  };
