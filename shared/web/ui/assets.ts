/** What the pages load: made once, and kept by browsers for a year under an address that changes with the content. */
import { createHash } from "node:crypto";
import type { Health } from "../summary.ts";
import { SCRIPT_TEXT } from "./script.ts";
import { STYLE_TEXT } from "./style.ts";

export interface Asset {
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

/** Shape and colour of a tab's icon: a cross for red, a triangle for stale, a question for unknown. */
const ICON_SHAPES: Record<Health["state"], readonly [fill: string, outline: string, sign: string]> = {
  green: ["#1a7f4b", "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1z", "M4.8 8.3l2.2 2.2 4.3-4.6"],
  red: ["#c8321f", "M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1z", "M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8"],
  unknown: [
    "#96640a",
    "M8 .6L15.4 8 8 15.4.6 8z",
    "M6.3 6.5a1.75 1.75 0 1 1 2.5 1.6c-.6.3-.8.6-.8 1.2M8 11.2v.3",
  ],
  stale: ["#96640a", "M8 1l7.3 13.5H.7z", "M8 5.8v4M8 12v.3"],
  silenced: ["#5d646e", "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1z", "M4.5 11.5l7-7"],
  off: ["#5d646e", "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1z", "M5 8h6"],
};

const icon = (state: Health["state"]): Asset => {
  const [fill, outline, sign] = ICON_SHAPES[state];
  return asset(
    `icon-${state}`,
    "svg",
    "image/svg+xml",
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="${fill}" d="${outline}"/><path d="${sign}" fill="none" stroke="#fff" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"/></svg>`,
  );
};
export const ICONS: Readonly<Record<Health["state"], Asset>> = {
  green: icon("green"),
  red: icon("red"),
  unknown: icon("unknown"),
  stale: icon("stale"),
  silenced: icon("silenced"),
  off: icon("off"),
};

export const ASSETS: readonly Asset[] = [STYLE, SCRIPT, ...Object.values(ICONS)];
