/** The pages: routes, who may see them, and what their forms do. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { RequestIdVariables } from "hono/request-id";
import type { Canary } from "../../canary.ts";
import { runCycle } from "../../cycle/run-cycle.ts";
import { describeError } from "../../errors.ts";
import { INVARIANTS } from "../../invariants/index.ts";
import { formatInstant, parseTimestamp } from "../../time.ts";
import { bearerTokenOf, isSameText, requireSignature, unauthorized } from "../auth.ts";
import { type ApiEnv, isStateFault } from "../errors.ts";
import { createSessions, isOwnForm } from "../session.ts";
import { addSilence, endSilence } from "../silencing.ts";
import { healthOf, readCycle, readInvariant, readOverview, readStandings } from "../summary.ts";
import { ASSETS } from "../ui/assets.ts";
import { lengthOf, NO_INPUT, type SilenceInput } from "../ui/forms.tsx";
import type { Viewer } from "../ui/layout.tsx";
import { renderBadge } from "./badge.ts";
import { renderCycle } from "./cycle.tsx";
import { renderInvariant } from "./invariant.tsx";
import { renderOverview, type Said } from "./overview.tsx";
import { renderOnceMore, renderProblem, renderSignIn } from "./sign-in.tsx";

/** What a wrong token costs. It slows down who tries by hand or one after another; a good token is what keeps out. */
const WRONG_TOKEN_MS = 1_000;
const MAX_FORM_BYTES = 16 * 1024;
/** Where a form or a sign-in may lead back to: pages of this site. */
const OWN_PAGE = /^\/(invariants\/[A-Z]-\d\d|cycles\/[\dTZ:.-]{10,30})?$/;

export interface PagesOptions {
  readonly canary: Canary;
  /** Null where the function URL checks who calls: whoever got through is let in, and nobody signs in. */
  readonly adminToken: string | null;
  readonly publicBadge: boolean;
  readonly logError: (line: string) => void;
}

interface PageEnv extends ApiEnv {
  Variables: RequestIdVariables & { viewer: Viewer; form: Record<string, string> };
}
type PageContext = Context<PageEnv>;

const ownPage = (text: string | undefined) => (text !== undefined && OWN_PAGE.test(text) ? text : "/");

/** What a redirect's query says was done. Only these texts can be said: whoever makes up a link can't write another. */
function saidIn(c: PageContext): Said | null {
  const number = (name: string) => Number(/^\d{1,6}$/.exec(c.req.query(name) ?? "")?.[0] ?? 0);
  const texts: Record<string, Said> = {
    ran: {
      text: `The cycle is done: ${number("red")} red, ${number("unknown")} unknown.`,
      isProblem: false,
    },
    busy: {
      text: `Another cycle is in progress. Nothing was started; try again in ${number("wait")} s.`,
      isProblem: true,
    },
    silenced: { text: "It is silenced: nobody is told of it until then.", isProblem: false },
    ended: { text: "The silence has ended. What is red then is told with the next cycle.", isProblem: false },
    gone: { text: "There was no such silence any more.", isProblem: true },
  };
  const said = c.req.query("said") ?? "";
  return Object.hasOwn(texts, said) ? texts[said]! : null;
}

/** @returns the pages, the badge and what they load; every other path falls through */
export function createPages({ canary, adminToken, publicBadge, logError }: PagesOptions): Hono<PageEnv> {
  const { now } = canary;
  const { environment } = canary.alerts;
  const sessions = adminToken === null ? null : createSessions(adminToken, now);
  const app = new Hono<PageEnv>();

  const show = (
    c: PageContext,
    html: string,
    status: 200 | 401 | 403 | 404 | 409 | 413 | 422 | 500 | 503 = 200,
  ) => {
    c.header("Cache-Control", "no-store");
    return c.html(html, status);
  };
  const problem = (c: PageContext, status: 403 | 404 | 413 | 500 | 503, title: string, text: string) =>
    show(c, renderProblem(environment, c.get("viewer") ?? null, title, text), status);

  app.onError((error, c) => {
    logError(canary.redact(`${c.get("requestId")} ${c.req.method} ${c.req.path}: ${describeError(error)}`));
    return isStateFault(error)
      ? problem(
          c,
          503,
          "The canary's state can't be read",
          "Try again in a minute. If it stays so, look at the table and the function's log.",
        )
      : problem(c, 500, "This went wrong", `The log says why, under request ${c.get("requestId")}.`);
  });

  const signedIn: MiddlewareHandler<PageEnv> = async (c, next) => {
    const { origin } = new URL(c.req.url);
    if (sessions === null)
      return requireSignature()(c, async () => {
        c.set("viewer", { origin, formToken: null, canSignOut: false });
        await next();
      });
    const session = await sessions.read(c);
    if (session) {
      c.set("viewer", { origin, formToken: session.formToken, canSignOut: true });
      return next();
    }
    const site = c.req.header("sec-fetch-site");
    if (c.req.method === "GET" && (site === "cross-site" || site === "same-site"))
      return show(c, renderOnceMore(ownPage(c.req.path)));
    const to = c.req.method === "GET" ? ownPage(c.req.path) : "/";
    return c.redirect(to === "/" ? "/sign-in" : `/sign-in?to=${encodeURIComponent(to)}`, 303);
  };

  const small = bodyLimit({
    maxSize: MAX_FORM_BYTES,
    onError: (c) => problem(c as PageContext, 413, "That was too much", "The form is larger than 16 kB."),
  });
  /** Reads the form, and lets only those of our own pages through. */
  const ownForm: MiddlewareHandler<PageEnv> = async (c, next) => {
    const fields = await c.req.parseBody().catch(() => ({}));
    const form = Object.fromEntries(
      Object.entries(fields).map(([name, value]) => [name, typeof value === "string" ? value : ""]),
    );
    const expected = (c.get("viewer") as Viewer | undefined)?.formToken ?? null;
    if (!isOwnForm(c) || (expected !== null && !isSameText(form.form_token ?? "", expected)))
      return problem(
        c,
        403,
        "Nothing was done",
        "The form did not come from a page of this session. Load the page again, and send it from there.",
      );
    c.set("form", form);
    return next();
  };

  for (const { path, type, text } of ASSETS) {
    app.get(path, sessions ? (_, next) => next() : requireSignature(), (c) =>
      c.body(text, 200, { "Content-Type": type, "Cache-Control": "public, max-age=31536000, immutable" }),
    );
  }

  if (sessions !== null && adminToken !== null) {
    app.get("/sign-in", (c) => show(c, renderSignIn(environment, ownPage(c.req.query("to")), null)));
    app.post("/sign-in", small, ownForm, async (c) => {
      const { token = "", to } = c.get("form");
      if (!isSameText(token.trim(), adminToken)) {
        await canary.sleep(WRONG_TOKEN_MS);
        return show(c, renderSignIn(environment, ownPage(to), "That is not the admin token."), 401);
      }
      await sessions.start(c);
      return c.redirect(ownPage(to), 303);
    });
    app.post("/sign-out", small, signedIn, ownForm, (c) => {
      sessions.end(c);
      return c.redirect("/sign-in", 303);
    });
  }

  const showBack = async (
    c: PageContext,
    back: string,
    said: Said | null,
    input: SilenceInput,
    before?: number,
  ) => {
    const viewer = c.get("viewer");
    const id = /^\/invariants\/(.+)$/.exec(back)?.[1];
    if (id === undefined) return renderOverview(await readOverview(canary), viewer, said, input);
    const invariant = INVARIANTS.find((i) => i.id === id);
    return invariant
      ? renderInvariant(await readInvariant(canary, invariant, before), viewer, said, input)
      : null;
  };

  app.get("/", signedIn, async (c) => show(c, (await showBack(c, "/", saidIn(c), NO_INPUT))!));

  app.get("/invariants/:id", signedIn, async (c) => {
    const before = parseTimestamp(c.req.query("before") ?? null) ?? undefined;
    const input = { ...NO_INPUT, subject: c.req.query("subject") ?? "" };
    const page = await showBack(c, `/invariants/${c.req.param("id")}`, saidIn(c), input, before);
    const known = INVARIANTS.map((i) => i.id).join(", ");
    return page ? show(c, page) : problem(c, 404, "There is no such invariant", `There are ${known}.`);
  });

  app.get("/cycles/:time", signedIn, async (c) => {
    const atMs = parseTimestamp(c.req.param("time"));
    const view = atMs === null ? null : await readCycle(canary, atMs);
    return view
      ? show(c, renderCycle(view, c.get("viewer")))
      : problem(
          c,
          404,
          "There is no such cycle",
          "No cycle was recorded at that time, or it is older than 90 days.",
        );
  });

  app.post("/run-cycle", small, signedIn, ownForm, async (c) => {
    const back = ownPage(c.get("form").back);
    const context = c.env?.lambdaContext;
    const outcome = await runCycle(canary, {
      trigger: "page",
      ...(context && { timeLeftMs: () => context.getRemainingTimeInMillis() }),
    });
    if (outcome.kind === "busy")
      return c.redirect(`${back}?said=busy&wait=${outcome.retryAfterSeconds}`, 303);
    if (outcome.kind === "stateless")
      return problem(
        c,
        503,
        "The cycle is not remembered",
        `It ran, but nothing opened or closed: ${outcome.reason}`,
      );
    const statuses = Object.values(outcome.report.verdicts).map((v) => v.status);
    const count = (status: string) => statuses.filter((s) => s === status).length;
    return c.redirect(`${back}?said=ran&red=${count("red")}&unknown=${count("unknown")}`, 303);
  });

  app.post("/silences", small, signedIn, ownForm, async (c) => {
    const {
      back: wanted,
      invariant = "",
      subject = "",
      length = "",
      until = "",
      reason = "",
    } = c.get("form");
    const back = ownPage(wanted);
    const lengthMs = lengthOf(length);
    const added = await addSilence(canary, {
      invariant_id: invariant,
      ...(subject && { subject }),
      until: until || (lengthMs === null ? "" : formatInstant(now() + lengthMs)),
      reason,
    });
    if (!("detail" in added)) return c.redirect(`${back}?said=silenced#silences`, 303);
    const said = { text: `It was not silenced. ${added.detail}`, isProblem: true };
    const page = await showBack(c, back, said, { invariant, subject, length, until, reason });
    return show(c, page!, added.status);
  });

  app.post("/silences/end", small, signedIn, ownForm, async (c) => {
    const { back, id = "" } = c.get("form");
    return c.redirect(`${ownPage(back)}?said=${(await endSilence(canary, id)) ? "ended" : "gone"}`, 303);
  });

  const mayBadge: MiddlewareHandler<PageEnv> = async (c, next) => {
    if (sessions === null) return requireSignature()(c, next);
    const token = bearerTokenOf(c);
    const isLetIn = publicBadge || (token && isSameText(token, adminToken!)) || (await sessions.read(c));
    return isLetIn ? next() : unauthorized(c);
  };
  app.get("/badge.svg", mayBadge, async (c) => {
    const health = await readStandings(canary).then(healthOf, (error: Error) => {
      logError(canary.redact(`${c.get("requestId")} ${c.req.path}: ${describeError(error)}`));
      return { state: "unknown", text: "unknown" } as const;
    });
    return c.body(renderBadge(environment, health), 200, {
      "Content-Type": "image/svg+xml; charset=utf-8",
      "Cache-Control": `${publicBadge ? "public" : "private"}, max-age=60`,
      // A public one is for pages of other sites.
      ...(publicBadge && { "Cross-Origin-Resource-Policy": "cross-origin" }),
    });
  });
  return app;
}
