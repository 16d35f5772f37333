/** The first page: what is red, since when, and what to do. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import { type InvariantRow, readLastDay, rowsOf } from "../rows.ts";
import { healthOf, readSummary, SHOWN_STATES, type Summary } from "../summary.ts";
import { BAR_HEIGHTS, Uptime } from "../ui/bars.tsx";
import { Alerts, Cycles, Silences, Sources } from "../ui/cards.tsx";
import { Command } from "../ui/command.tsx";
import { CycleForm, NO_INPUT, SilenceForm } from "../ui/forms.tsx";
import { renderPage, type Viewer } from "../ui/layout.tsx";
import { Ago, Blind, InvariantLink, Mark, Name, Names, StaleLine, State, Until, When } from "../ui/parts.tsx";
import { BAR_STATES } from "../uptime.ts";
import type { CanaryView } from "../view.ts";
import type { Page, PageRequest } from "./page.ts";

const MAX_NAMES = 8;

type Overview = Awaited<ReturnType<typeof readOverview>>;

/** Reads the data in two or three requests at once: the rows, the most urgent first, and the cycles, newest first. */
async function readOverview(view: CanaryView) {
  const [summary, cycles] = await Promise.all([readSummary(view), readLastDay(view)]);
  const urgency = ({ shown }: InvariantRow) => SHOWN_STATES.indexOf(shown);
  const rows = rowsOf(summary, cycles).sort((a, b) => urgency(a) - urgency(b));
  return { summary, rows, cycles };
}

function Verdict({ summary, viewer }: { summary: Summary; viewer: Viewer }) {
  const health = healthOf(summary);
  const { checkedAtMs, nowMs, status } = summary;
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
              checked <Ago ms={checkedAtMs} nowMs={nowMs} /> ago, at <When ms={checkedAtMs} nowMs={nowMs} />{" "}
              UTC, in {status.cycle_duration_ms} ms
            </>
          )}
        </p>
      </div>
      <CycleForm viewer={viewer} back="/" />
    </section>
  );
}

function RowWords({ row, nowMs }: { row: InvariantRow; nowMs: number }) {
  const { shown, latest, red_subjects, redCount, silences, last_red_at } = row;
  return (
    <div class="words">
      {row.status === "red" && latest && (
        <p>
          <a href={`/cycles/${latest.cycle}`}>
            <When ms={Date.parse(latest.cycle)} nowMs={nowMs} />
          </a>{" "}
          <Name text={latest.summary} />
        </p>
      )}
      {redCount > 0 && <Names names={red_subjects} most={MAX_NAMES} total={redCount} />}
      <Blind row={row} nowMs={nowMs} />
      {shown === "green" && latest && last_red_at && (
        <p class="dim">
          last red <Ago ms={Date.parse(last_red_at)} nowMs={nowMs} /> ago
        </p>
      )}
      {silences.map((silence) => (
        <p class="dim">
          silenced{silence.subject !== null && " for "}
          {silence.subject !== null && <Name text={silence.subject} />}{" "}
          <Until silence={silence} nowMs={nowMs} />
        </p>
      ))}
    </div>
  );
}

const RowItem = ({ row, nowMs }: { row: InvariantRow; nowMs: number }) => (
  <li class={`row ${row.shown}`} id={row.id}>
    <State state={row.shown} />
    <InvariantLink id={row.id} title={row.title} />
    <p class="since">
      {row.since ? (
        <>
          since <When ms={Date.parse(row.since)} nowMs={nowMs} /> <span class="dim">(</span>
          <Ago ms={Date.parse(row.since)} nowMs={nowMs} />
          <span class="dim">)</span>
        </>
      ) : (
        <span class="dim">not judged yet</span>
      )}
    </p>
    <Uptime bars={row.uptime} of={row.id} />
    <RowWords row={row} nowMs={nowMs} />
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

function renderOverview({ summary, rows, cycles }: Overview, { viewer, notice, input }: PageRequest): string {
  const { nowMs, environment, status } = summary;
  const mostRed = Math.max(...rows.map((row) => row.redCount));
  return renderPage(
    { title: "", environment, health: healthOf(summary), viewer, notice },
    <>
      <StaleLine summary={summary} />
      <Verdict summary={summary} viewer={viewer} />
      <section>
        <div class="head">
          <h2>Invariants</h2>
          <Legend />
        </div>
        <ol class="rows">
          {rows.map((row) => (
            <RowItem row={row} nowMs={nowMs} />
          ))}
        </ol>
        {mostRed > MAX_NAMES && (
          <Command name="All red subjects: the same from a shell" viewer={viewer} path="/api/canary/status" />
        )}
      </section>
      <div class="cards">
        <Sources status={status} />
        <Alerts summary={summary} />
        <Cycles cycles={cycles} nowMs={nowMs} />
        <Silences summary={summary} viewer={viewer} />
        <SilenceForm viewer={viewer} back="/" input={input ?? NO_INPUT} subjects={[]} nowMs={nowMs} />
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
