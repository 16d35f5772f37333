/** The badge: the state as a small picture, for a README or a screen on a wall. */
import type { Hono, MiddlewareHandler } from "hono";
import { hasToken, requireSignature, unauthorized } from "../auth.ts";
import { failureLine } from "../errors.ts";
import type { Site } from "../site.ts";
import { type Health, healthOf, readSummary } from "../summary.ts";
import { STATES } from "../ui/states.ts";
import { plain } from "../ui/texts.ts";
import type { PageEnv } from "./page.ts";

const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
const escaped = (text: string) => plain(text).replace(/[&<>"']/g, (character) => ENTITIES[character]!);

/** About as wide as the text is in most fonts: the viewer fits the text into it. */
const widthOf = (text: string) => Math.round([...text].length * 6.6);
const PADDING = 6;

/** Draws an SVG of 20 px: the environment on the left, its state on the right. */
function renderBadge(environment: string, { state, text }: Health): string {
  const label = `${environment} canary`.slice(0, 60);
  const [left, right] = [widthOf(label) + 2 * PADDING, widthOf(text) + 2 * PADDING];
  const words = `${escaped(label)}: ${escaped(text)}`;
  const put = (x: number, width: number, what: string) =>
    `<text x="${x + PADDING}" y="14" textLength="${width - 2 * PADDING}">${escaped(what)}</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${left + right}" height="20" role="img" aria-label="${words}"><title>${words}</title><rect width="${left + right}" height="20" rx="3" fill="#33383f"/><path d="M${left} 0h${right - 3}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-${right - 3}z" fill="${STATES[state].badge}"/><g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">${put(0, left, label)}${put(left, right, text)}</g></svg>`;
}

const mayBadge =
  ({ sessions, adminToken, publicBadge }: Site): MiddlewareHandler<PageEnv> =>
  async (c, next) => {
    if (sessions === null || adminToken === null) return requireSignature()(c, next);
    const isLetIn = publicBadge || hasToken(c, adminToken) || (await sessions.read(c)) !== null;
    return isLetIn ? next() : unauthorized(c);
  };

export function registerBadge(app: Hono<PageEnv>, site: Site): void {
  const { view, publicBadge, log } = site;
  app.get("/badge.svg", mayBadge(site), async (c) => {
    const health = await readSummary(view).then(healthOf, (error: Error) => {
      log(failureLine(c, error));
      return { state: "unknown", text: "unknown" } as const;
    });
    return c.body(renderBadge(view.environment, health), 200, {
      "Content-Type": "image/svg+xml; charset=utf-8",
      "Cache-Control": `${publicBadge ? "public" : "private"}, max-age=60`,
      // A public one is for pages of other sites.
      ...(publicBadge && { "Cross-Origin-Resource-Policy": "cross-origin" }),
    });
  });
}
