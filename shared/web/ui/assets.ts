/** The files that pages load. Browsers keep them for a year, under an address that changes with the content. */
import { createHash } from "node:crypto";
import type { HealthState } from "../summary.ts";
import { SCRIPT_TEXT } from "./script.ts";
import { STATES } from "./states.ts";
import { STYLE_TEXT } from "./style.ts";

interface Asset {
  readonly path: string;
  readonly type: string;
  readonly text: string;
}

function asset(name: string, ending: string, type: string, text: string): Asset {
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 12);
  return { path: `/assets/${name}.${hash}.${ending}`, type, text };
}

export const STYLE = asset("page", "css", "text/css; charset=utf-8", STYLE_TEXT);
export const SCRIPT = asset("page", "js", "text/javascript; charset=utf-8", SCRIPT_TEXT);

/** Makes the tab's icon. */
function icon(state: HealthState): Asset {
  const { icon, outline, sign } = STATES[state];
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="${icon}" d="${outline}"/><path d="${sign}" fill="none" stroke="#fff" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"/></svg>`;
  return asset(`icon-${state}`, "svg", "image/svg+xml", svg);
}

export const ICONS = Object.fromEntries(
  (Object.keys(STATES) as HealthState[]).map((state) => [state, icon(state)]),
) as Readonly<Record<HealthState, Asset>>;

export const ASSETS: readonly Asset[] = [STYLE, SCRIPT, ...Object.values(ICONS)];
