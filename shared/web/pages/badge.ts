/** The badge: the state as a small picture, for a README or a dashboard. */
import type { Hono, MiddlewareHandler } from "hono";
import { html } from "hono/html";
import { cut } from "../../text.ts";
import { bearerOf, requireSignature, unauthorized } from "../auth.ts";
import { errorResponse, failureLine } from "../errors.ts";
import type { Site } from "../site-context.ts";
import { healthOf, readSummary, type SummaryHealth } from "../summary.ts";
import { STATES } from "../ui/states.ts";
import { plain } from "../ui/texts.ts";
import type { PageEnv } from "./page.ts";

/** The approximate width in most fonts: the browser fits the text into it. */
const widthOf = (text: string) => Math.round([...text].length * 6.6);
const PADDING = 6;
const MAX_NAME = 60;

/** Draws an SVG 20 px high: the environment on the left, its state on the right. */
async function renderBadge(environment: string, { state, text }: SummaryHealth): Promise<string> {
  const label = `${environment} canary`.slice(0, 60);
  const [left, right] = [widthOf(label) + 2 * PADDING, widthOf(text) + 2 * PADDING];
  const words = plain(`${label}: ${text}`);
  const put = (x: number, width: number, what: string) =>
    html`<text x="${x + PADDING}" y="14" textLength="${width - 2 * PADDING}">${plain(what)}</text>`;
  return html`<svg xmlns="http://www.w3.org/2000/svg" width="${left + right}" height="20" role="img" aria-label="${words}"><title>${words}</title><rect width="${left + right}" height="20" rx="3" fill="#33383f"/><path d="M${left} 0h${right - 3}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-${right - 3}z" fill="${STATES[state].badge}"/><g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">${put(0, left, label)}${put(left, right, text)}</g></svg>`;
}

const mayBadge =
  ({ sessions, tokens, publicBadge }: Site): MiddlewareHandler<PageEnv> =>
  async (c, next) => {
    if (sessions === null || tokens === null) return requireSignature(c, next);
    const mayRead = publicBadge || bearerOf(c, tokens) !== null || (await sessions.read(c)) !== null;
    return mayRead ? next() : unauthorized(c);
  };

export function registerBadge(app: Hono<PageEnv>, site: Site): void {
  const { view, publicBadge, log } = site;
  app.get("/badge.svg", mayBadge(site), async (c) => {
    const [unknown] = Object.keys(c.req.query());
    if (unknown !== undefined) {
      const detail = `unknown query parameter: ${cut(unknown, MAX_NAME)}; this route takes none`;
      return errorResponse(c, 422, "invalid_request", detail);
    }
    const health = await readSummary(view).then(healthOf, (error: Error) => {
      log(failureLine(c, error));
      return { state: "unknown", text: "unknown" } as const;
    });
    return c.body(await renderBadge(view.environment, health), 200, {
      "Content-Type": "image/svg+xml; charset=utf-8",
      "Cache-Control": `${publicBadge ? "public" : "private"}, max-age=60`,
      // A public badge is for pages of other sites.
      ...(publicBadge && { "Cross-Origin-Resource-Policy": "cross-origin" }),
    });
  });
}
