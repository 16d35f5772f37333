/** The forms that create and end a silence. */
import type { Hono } from "hono";
import { formatInstant } from "../../time.ts";
import { addSilence, endSilence } from "../api/silences.ts";
import { ownAddress, pageAt } from "../pages/index.ts";
import { type PageEnv, type PageRequest, showPage } from "../pages/page.ts";
import type { Site } from "../site-context.ts";
import { lengthOf, type SilenceInput } from "../ui/forms.tsx";

/** Renders the page that the form was sent from, or the first page if that page is gone. */
async function renderBack(back: string, request: Omit<PageRequest, "name">): Promise<string> {
  const { page, name } = pageAt(back);
  const html = await page.render({ ...request, name });
  return typeof html === "string" ? html : renderBack("/", request);
}

export function registerSilenceForms(app: Hono<PageEnv>, { canary, view, guards }: Site): void {
  app.post("/silences", guards.smallForm, guards.signedIn, guards.ownForm, async (c) => {
    const back = ownAddress(c.get("form").back);
    const { invariant = "", subject = "", length = "", until = "", reason = "" } = c.get("form");
    const input: SilenceInput = { invariant, subject, length, until, reason };
    const lengthMs = lengthOf(length);
    const added = await addSilence(canary, {
      invariant_id: invariant,
      ...(subject && { subject }),
      until: until || (lengthMs === null ? "" : formatInstant(canary.now() + lengthMs)),
      reason,
    });
    if (!("detail" in added)) return c.redirect(`${back}?said=silenced#silences`, 303);
    const notice = { text: `It was not silenced. ${added.detail}`, isProblem: true };
    const request = { view, viewer: c.get("viewer"), query: () => undefined, notice, input };
    return showPage(c, await renderBack(back, request), added.status);
  });

  app.post("/silences/end", guards.smallForm, guards.signedIn, guards.ownForm, async (c) => {
    const { back, id = "" } = c.get("form");
    const said = (await endSilence(canary, id)) ? "ended" : "gone";
    return c.redirect(`${ownAddress(back)}?said=${said}`, 303);
  });
}
