/** Silences as lines of a terminal. */
import { printable } from "../../text.ts";
import type { SilenceBody, SilencesBody } from "../../wire/schemas.ts";
import { wrap } from "../layout.ts";
import { type Screen, whenOf } from "../screen.ts";

/** Says how long a silence lasts: `ends in 2h`. */
const endOf = ({ until }: SilenceBody, screen: Screen): string => `ends ${whenOf(screen, until)}`;

/** Renders a silence as one line. */
export const renderSilence = (silence: SilenceBody, screen: Screen): string => {
  const { id, invariant_id, subject, reason } = silence;
  const whom = subject === null ? "" : ` for ${subject}`;
  return printable(`silence ${id}  ${invariant_id}${whom}, ${endOf(silence, screen)}: ${reason}`);
};

/** Renders the silences in force, one per line. */
export const renderSilences = ({ silences }: SilencesBody, screen: Screen): string =>
  silences.length === 0
    ? "no silences"
    : silences
        .flatMap((silence) => wrap(renderSilence(silence, screen), screen.width, "    ", ""))
        .join("\n");
