/** The first page: what is red, since when, and what to do. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import { SEVERITIES } from "../../invariants/invariant.ts";
import { checkedWords } from "../describe-status.ts";
import { type InvariantRow, invariantRows, readLastDay, readWords } from "../rows.ts";
import { healthOf, readSummary, SHOWN_STATES, type Summary } from "../summary.ts";
import { Alerts, Cycles, Silences, Sources } from "../ui/cards.tsx";
import { Command } from "../ui/command.tsx";
import { CYCLE_COMMAND, CycleForm, NO_INPUT, SilenceForm } from "../ui/forms.tsx";
import { renderPage } from "../ui/layout.tsx";
import {
  Ago,
  Blind,
  InvariantLink,
  Judged,
  Mark,
  Name,
  Names,
  Off,
  SilenceLink,
  Until,
  When,
} from "../ui/parts.tsx";
import { BAR_HEIGHTS, type BarCycles, packedTimes, Strip } from "../ui/strip.tsx";
import { withoutNames } from "../ui/texts.ts";
import { BAR_STATES, cyclesByBar } from "../uptime.ts";
import type { CanaryView } from "../view.ts";
import type { Page, PageRequest } from "./page.ts";

const MAX_NAMES = 8;
/** Where more than five rows are red, the page says less of each. */
const MANY_RED = 5;
const FEW_NAMES = 2;
/** As many causes as the line on what is blind names. */
const MAX_CAUSES = 5;

type Overview = Awaited<ReturnType<typeof readOverview>>;

/**
 * Reads the rows, the most urgent and severe first, and the cycles, newest first: two or three requests at once, and one for
 * the words of what is red.
 */
async function readOverview(view: CanaryView) {
  const [summary, cycles] = await Promise.all([readSummary(view), readLastDay(view)]);
  const rows = invariantRows(summary, cycles).sort(
    (a, b) =>
      SHOWN_STATES.indexOf(a.shown) - SHOWN_STATES.indexOf(b.shown) ||
      SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity),
  );
  const words = await readWords(view, rows);
  return { summary, rows, words, cycles, bars: cyclesByBar(cycles, summary.nowMs) };
}

function Verdict({ summary }: { summary: Summary }) {
  const health = healthOf(summary);
  const { checkedAtMs, status } = summary;
  return (
    <section class="verdict" aria-label="In short">
      <Mark state={health.state} />
      <div>
        <h1>{health.text === "green" ? "All green" : health.text}</h1>
        <p class="dim">
          {checkedAtMs === null ? (
            "not checked yet"
          ) : (
            <>
              checked <Ago ms={checkedAtMs} /> ago, at <When ms={checkedAtMs} /> UTC, in{" "}
              {status.cycle_duration_ms} ms
            </>
          )}
        </p>
      </div>
      <CycleForm back="/" />
    </section>
  );
}

interface WordsProps {
  readonly row: InvariantRow;
  /** What is red of it; undefined where that is not known. */
  readonly words: string | undefined;
  /** Whether the line above all rows says why it is blind. */
  readonly isExplained: boolean;
  /** How many subjects it names. */
  readonly names: number;
}

function RowWords({ row, words, isExplained, names }: WordsProps) {
  const { id, shown, latest, red_subjects, redCount, silences, last_red_at } = row;
  return (
    <div class="words">
      {latest && words !== undefined && (
        <p>
          <a href={`/cycles/${latest.cycle}`}>
            <When ms={Date.parse(latest.cycle)} />
          </a>{" "}
          <Name text={withoutNames(words, red_subjects)} />
        </p>
      )}
      {redCount > 0 && (
        <div class="who">
          <Names names={red_subjects} most={names} total={redCount} />
          {shown !== "silenced" && <SilenceLink id={id} />}
        </div>
      )}
      {(redCount > 0 || !isExplained) && <Blind row={row} />}
      <Off reason={row.offReason} />
      {shown === "green" && latest && last_red_at && (
        <p class="dim">
          last red <Ago ms={Date.parse(last_red_at)} /> ago
        </p>
      )}
      {silences.map((silence) => (
        <p class="dim">
          silenced{silence.subject !== null && " for "}
          {silence.subject !== null && <Name text={silence.subject} />} <Until silence={silence} />
        </p>
      ))}
    </div>
  );
}

/** Says whether the line on what is blind names the cause, so that its row need not. */
const isExplained = ({ id, blind_reason }: InvariantRow, blind: Summary["blind"]): boolean =>
  blind?.causes
    .slice(0, MAX_CAUSES)
    .some(
      ({ source, reason }) => blind_reason === `${source}: ${reason}` || source.split(", ").includes(id),
    ) ?? false;

interface RowProps extends Pick<WordsProps, "row" | "words" | "names"> {
  readonly bars: BarCycles;
  readonly blind: Summary["blind"];
}

const RowItem = ({ row, words, bars, blind, names }: RowProps) => (
  <li class={`row ${row.shown}`} id={row.id}>
    <Judged row={row} />
    <InvariantLink id={row.id} title={row.title} />
    <p class="since">
      {row.since ? (
        <>
          since <When ms={Date.parse(row.since)} /> <span class="dim">(</span>
          <Ago ms={Date.parse(row.since)} />
          <span class="dim">)</span>
        </>
      ) : (
        <span class="dim">{row.shown === "off" ? "not run" : "not judged yet"}</span>
      )}
    </p>
    <p class="checked dim">{row.checked !== null && checkedWords(row.checked, row.status)}</p>
    {bars.some((cycles) => cycles.length > 0) && <Strip row={row} bars={bars} />}
    <RowWords row={row} words={words} isExplained={isExplained(row, blind)} names={names} />
  </li>
);

const Legend = () => (
  <p class="legend" aria-hidden="true">
    {BAR_STATES.map((state) => (
      <span>
        <svg viewBox="0 0 8 20" class="bars" aria-hidden="true">
          <path class={`bar ${state}`} d={`M4 20V${20 - BAR_HEIGHTS[state]}`} stroke-width="6" />
        </svg>
        {state}
      </span>
    ))}
    <span>24 hours, 5 minutes a bar</span>
  </p>
);

function renderOverview(data: Overview, { viewer, notice, input }: PageRequest): string {
  const { summary, rows, words, cycles, bars } = data;
  const { environment, status } = summary;
  const names = rows.filter(({ redCount }) => redCount > 0).length > MANY_RED ? FEW_NAMES : MAX_NAMES;
  const mostRed = Math.max(...rows.map((row) => row.redCount));
  return renderPage(
    { title: "", environment, summary, viewer, notice },
    <>
      <Verdict summary={summary} />
      <section>
        <h2>Invariants</h2>
        <ol class="rows" data-cycles={packedTimes(bars)}>
          {rows.map((row) => (
            <RowItem row={row} words={words.get(row.id)} bars={bars} blind={summary.blind} names={names} />
          ))}
        </ol>
        {cycles.length > 0 && <Legend />}
        {mostRed > names && (
          <Command name="All red subjects: the same from a shell" path="/api/canary/status" />
        )}
        <Command {...CYCLE_COMMAND} />
      </section>
      <div class="cards">
        <Sources status={status} />
        <Alerts summary={summary} />
        <Cycles cycles={cycles} />
        <Silences summary={summary}>
          <SilenceForm back="/" input={input ?? NO_INPUT} subjects={[]} isOpen={input !== null} />
        </Silences>
      </div>
    </>,
  );
}

export const overviewPage: Page = {
  path: "/",
  address: /^\/$/,
  reloads: true,
  render: async (request) => renderOverview(await readOverview(request.view), request),
};
