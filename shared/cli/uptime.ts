/** The uptime bars in characters: half an hour in each, the worst state of it. */
import { type BarState, type UptimeBars, worstOf } from "../web/uptime.ts";

const BARS_IN_A_CHARACTER = 6;
/** By height and shape, not by colour alone: the worse, the higher. */
const CHARACTERS: Record<BarState, string> = { red: "█", unknown: "▒", green: "▁", off: "–", missing: "·" };

/** What the characters mean, for the foot of a list. */
export const UPTIME_LEGEND = `24 h, half an hour each: ${Object.entries(CHARACTERS)
  .map(([state, character]) => `${character} ${state}`)
  .join(", ")}`;

/** @param paint colours one character by its state */
export function uptimeText(bars: UptimeBars, paint: (state: BarState, text: string) => string): string {
  const parts: string[] = [];
  for (let at = 0; at < bars.length; at += BARS_IN_A_CHARACTER) {
    const state = worstOf(bars.slice(at, at + BARS_IN_A_CHARACTER));
    parts.push(paint(state, CHARACTERS[state]));
  }
  return parts.join("");
}
