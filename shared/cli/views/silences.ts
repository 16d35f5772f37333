/** Silences as lines of a terminal. */
import { printable } from "../../text.ts";
import type { SilenceBody, SilencesBody } from "../../wire/schemas/silences.ts";
import { wrap } from "../layout.ts";
import { type Screen, whenOf } from "../screen.ts";

/** Says when it ends: `ends in 2h or when it recovers`. */
function endOf({ until, until_recovered }: SilenceBody, screen: Screen): string {
  const ends = [until && whenOf(screen, until), until_recovered && "when it recovers"];
  return `ends ${ends.filter(Boolean).join(" or ")}`;
}

/** Renders a silence as one line. */
export const renderSilence = (silence: SilenceBody, screen: Screen): string => {
  const { id, invariant_id, subject, reason, by } = silence;
  const whom = subject === null ? "" : ` for ${subject}`;
  return printable(`silence ${id}  ${invariant_id}${whom}, ${endOf(silence, screen)}, by ${by}: ${reason}`);
};

/** Renders the silences in force, one per line. */
export const renderSilences = ({ silences }: SilencesBody, screen: Screen): string =>
  silences.length === 0
    ? "no silences"
    : silences
        .flatMap((silence) => wrap(renderSilence(silence, screen), screen.width, "    ", ""))
        .join("\n");
