/** The state as a small picture, for a README or a wall. */

import type { Health } from "../summary.ts";
import { plain } from "../ui/texts.ts";

const COLOURS: Record<Health["state"], string> = {
  green: "#1a7f4b",
  red: "#c8321f",
  unknown: "#8a5a00",
  stale: "#8a5a00",
  silenced: "#5d646e",
  off: "#5d646e",
};
const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
const escaped = (text: string) => plain(text).replace(/[&<>"']/g, (character) => ENTITIES[character]!);

/** Wide enough for the letters of a font that nobody knows: the text is fitted to it. */
const widthOf = (text: string) => Math.round([...text].length * 6.6);
const PADDING = 6;

/** @returns an SVG of 20 px: the environment on the left, its state on the right */
export function renderBadge(environment: string, { state, text }: Health): string {
  const label = `${environment} canary`.slice(0, 60);
  const [left, right] = [widthOf(label) + 2 * PADDING, widthOf(text) + 2 * PADDING];
  const words = `${escaped(label)}: ${escaped(text)}`;
  const put = (x: number, width: number, what: string) =>
    `<text x="${x + PADDING}" y="14" textLength="${width - 2 * PADDING}">${escaped(what)}</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${left + right}" height="20" role="img" aria-label="${words}"><title>${words}</title><rect width="${left + right}" height="20" rx="3" fill="#33383f"/><path d="M${left} 0h${right - 3}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-${right - 3}z" fill="${COLOURS[state]}"/><g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">${put(0, left, label)}${put(left, right, text)}</g></svg>`;
}
