/** The look of each state: its shape, its colour outside of the style sheet, and its sign in the title of a tab. */
import type { HealthState } from "../summary.ts";

/** Paths of 16 by 16. */
interface Shape {
  readonly outline: string;
  readonly sign: string;
}

interface StateLook extends Shape {
  readonly tabSign: string;
  /** The badge's colour, behind white text. */
  readonly badge: string;
  /** The colour of the tab's icon, behind a white sign. */
  readonly icon: string;
  /** Drawn with lines within a page, instead of the filled shape. */
  readonly ring?: Shape;
}

const DISC = "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1z";
const RING = "M8 1.8a6.2 6.2 0 1 1 0 12.4A6.2 6.2 0 0 1 8 1.8z";

const GREEN = "#1a7f4b";
const RED = "#c8321f";
const GREY = "#5d646e";

export const STATES: Readonly<Record<HealthState, StateLook>> = {
  green: { tabSign: "✓", badge: GREEN, icon: GREEN, outline: DISC, sign: "M4.8 8.3l2.2 2.2 4.3-4.6" },
  red: {
    tabSign: "●",
    badge: RED,
    icon: RED,
    outline: "M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1z",
    sign: "M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8",
  },
  unknown: {
    tabSign: "?",
    badge: "#8a5a00",
    icon: "#96640a",
    // Neither a diamond nor a box around the sign: both look like a letter that the font lacks.
    outline: DISC,
    sign: "M5.9 6.2a2.15 2.15 0 1 1 3.1 2c-.7.4-1 .8-1 1.5M8 12v.2",
  },
  stale: {
    tabSign: "▲",
    badge: "#8a5a00",
    icon: "#96640a",
    outline: "M8 1l7.3 13.5H.7z",
    sign: "M8 5.8v4M8 12v.3",
  },
  silenced: {
    tabSign: "○",
    badge: GREY,
    icon: GREY,
    outline: DISC,
    sign: "M4.5 11.5l7-7",
    ring: { outline: RING, sign: "M3.7 12.3l8.6-8.6" },
  },
  off: {
    tabSign: "–",
    badge: GREY,
    icon: GREY,
    outline: DISC,
    sign: "M5 8h6",
    ring: { outline: RING, sign: "M5 8h6" },
  },
};
