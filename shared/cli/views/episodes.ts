/** Episodes as lines of a terminal. */
import { plural, printable } from "../../text.ts";
import { formatDuration } from "../../time.ts";
import type { EpisodeRecord, EpisodesBody } from "../../wire/schemas/episodes.ts";
import { besideOrBelow } from "../layout.ts";
import { type Screen, sinceOf, whenOf } from "../screen.ts";
import { SYMBOLS } from "../symbols.ts";

const ENDS = { recovered: SYMBOLS.green, gone: SYMBOLS.off, unknown: SYMBOLS.unknown } as const;

/** How long it lasted, and how it ended. */
function courseOf({ since, until, ended, held, cycles }: EpisodeRecord, screen: Screen): string {
  const found = plural(cycles, "cycle");
  if (until === null) return `${sinceOf(screen, since)}, ${found}${held === null ? "" : `, held: ${held}`}`;
  const lasted = screen.utc
    ? `${since} to ${until}`
    : `${formatDuration(Date.parse(until) - Date.parse(since))}`;
  const end = screen.utc ? ended : `${ended} ${whenOf(screen, until)}`;
  return `${lasted}, ${found}, ${end}`;
}

function renderRow(episode: EpisodeRecord, screen: Screen): string[] {
  const { invariant_id, severity, subject, ended, words, peak, id } = episode;
  const mark = ended === null ? SYMBOLS.red : ENDS[ended];
  const head = printable(`${mark} ${invariant_id}  ${severity.padEnd(8)}  ${subject}`);
  const worse = peak.words !== null && peak.words !== words && `at its worst: ${peak.words}`;
  const facts = [
    courseOf(episode, screen),
    words,
    worse,
    screen.verbose && `episode ${id}`,
    screen.verbose &&
      `violations ${episode.first_violation_id ?? "?"} to ${episode.last_violation_id ?? "?"}`,
  ];
  return besideOrBelow(head, printable(facts.filter(Boolean).join("; ")), screen.width, "    ");
}

/** Renders a page of episodes, newest first. @param isOpenOnly whether only open ones were asked for */
export function renderEpisodes(
  { episodes, next_cursor }: EpisodesBody,
  isOpenOnly: boolean,
  screen: Screen,
): string {
  if (episodes.length === 0)
    return isOpenOnly ? "no open episodes; --all lists those that have ended" : "no episodes";
  const lines = episodes.flatMap((episode) => renderRow(episode, screen));
  if (next_cursor) lines.push("… more: raise --limit, or narrow with --invariant, --agent or --since");
  return lines.join("\n");
}
