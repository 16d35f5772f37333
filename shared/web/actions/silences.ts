/** The forms that create, end and restore a silence. */
import type { Hono } from "hono";
import type { Silence } from "../../alerts/silence.ts";
import { formatInstant } from "../../time.ts";
import { isSameText } from "../callers.ts";
import { ownAddress, pageAt } from "../pages/index.ts";
import { type PageEnv, type PageRequest, showPage } from "../pages/page.ts";
import type { Sessions } from "../session.ts";
import { addSilence, endSilence, restoreSilence, silencesInForce } from "../silences.ts";
import type { Site } from "../site-context.ts";
import { lengthOf, RECOVERS, type SilenceInput } from "../ui/forms.tsx";

/** Renders the page that the form was sent from, or the first page if that page is gone. */
async function renderBack(back: string, request: Omit<PageRequest, "name">): Promise<string> {
  const { page, name } = pageAt(back);
  const html = await page.render({ ...request, name });
  return typeof html === "string" ? html : renderBack("/", request);
}

/** What the address after an end carries, so that one click restores the silence. */
interface Undo {
  readonly silence: Silence;
  readonly back: string;
}

/** Where each request is signed, nobody can bring a viewer to send one. */
const signatureOf = (sessions: Sessions | null, text: string) => sessions?.sign(text) ?? "signed";

function writeUndo(sessions: Sessions | null, undo: Undo): string {
  const text = Buffer.from(JSON.stringify(undo)).toString("base64url");
  return `${text}.${signatureOf(sessions, text)}`;
}

/** Reads what `writeUndo` wrote. Null for anything else. */
function readUndo(sessions: Sessions | null, written: string): Undo | null {
  const [text = "", signature = ""] = written.split(".");
  return isSameText(signature, signatureOf(sessions, text)) ? parseUndo(text) : null;
}

function parseUndo(text: string): Undo | null {
  try {
    return JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
  } catch {
    return null;
  }
}

export function registerSilenceForms(app: Hono<PageEnv>, site: Site): void {
  const { canary, view, guards, sessions, problem } = site;
  const forms = [guards.smallForm, guards.signedIn, guards.ownForm, guards.mayChange] as const;

  app.post("/silences", ...forms, async (c) => {
    const back = ownAddress(c.get("form").back);
    const { invariant = "", subject = "", length = "", until = "", reason = "" } = c.get("form");
    const input: SilenceInput = { invariant, subject, length, until, reason };
    const lengthMs = lengthOf(length);
    const end = until || (lengthMs === null ? "" : formatInstant(canary.now() + lengthMs));
    const silence = {
      invariant_id: invariant,
      ...(subject && { subject }),
      ...(length === RECOVERS && { until_recovered: true }),
      ...((end || length !== RECOVERS) && { until: end }),
      reason,
    };
    const added = await addSilence(canary, silence, c.get("caller"));
    if (!("detail" in added))
      return c.redirect(
        `${back}?said=${added.note === null ? "silenced" : "silenced-unchecked"}#silences`,
        303,
      );
    const notice = { text: `It was not silenced. ${added.detail}`, isProblem: true };
    const request = { view, viewer: c.get("viewer"), query: () => undefined, notice, input };
    return showPage(c, await renderBack(back, request), added.status);
  });

  app.post("/silences/end", ...forms, async (c) => {
    const { id = "" } = c.get("form");
    const back = ownAddress(c.get("form").back);
    const silence = (await silencesInForce(canary)).find((one) => one.id === id);
    const isEnded = await endSilence(canary, id);
    if (!isEnded || !silence) return c.redirect(`${back}?said=${isEnded ? "ended" : "gone"}`, 303);
    return c.redirect(`${back}?said=ended&undo=${writeUndo(sessions, { silence, back })}`, 303);
  });

  app.post("/silences/restore", ...forms, async (c) => {
    const undo = readUndo(sessions, c.get("form").undo ?? "");
    if (undo === null)
      return problem(
        c,
        403,
        "Nothing was restored",
        "That is no silence that was ended on this page. Silence it again.",
      );
    const outcome = await restoreSilence(canary, undo.silence);
    const said = outcome === "no room" ? "full" : outcome;
    return c.redirect(`${ownAddress(undo.back)}?said=${said}#silences`, 303);
  });
}
