/** The page of one invariant: its meaning, its runbook, and its violations over time. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import { findInvariant, INVARIANT_IDS } from "../../invariants/index.ts";
import type { Invariant } from "../../invariants/invariant.ts";
import { parseTimestamp } from "../../time.ts";
import { checkedWords, severityWords } from "../describe-status.ts";
import { readHistory } from "../history.ts";
import { type InvariantRow, invariantRows, readLastDay } from "../rows.ts";
import { readSummary } from "../summary.ts";
import { Days } from "../ui/bars.tsx";
import { Command } from "../ui/command.tsx";
import { EndSilence, NO_INPUT, SilenceForm } from "../ui/forms.tsx";
import { Breadcrumb, renderPage } from "../ui/layout.tsx";
import {
  Blind,
  Name,
  Off,
  Sentence,
  SinceInstant,
  StaleLine,
  State,
  SubjectLink,
  Until,
  ViolationList,
} from "../ui/parts.tsx";
import { type BarCycles, packedTimes, Strip } from "../ui/strip.tsx";
import { plain, withoutNames } from "../ui/texts.ts";
import { cyclesByBar } from "../uptime.ts";
import type { CanaryView } from "../view.ts";
import type { Page, PageRequest } from "./page.ts";

const MAX_SUBJECTS = 25;

type InvariantData = Awaited<ReturnType<typeof readInvariant>>;

/**
 * Reads the data in at most fifteen requests or so.
 * @param before only violations of cycles before this instant (unix ms)
 */
async function readInvariant(view: CanaryView, invariant: Invariant, before: number | null) {
  const { id } = invariant;
  const lastDay = readLastDay(view);
  const reads = [readSummary(view), lastDay, readHistory(view, id, lastDay, before)] as const;
  const [summary, cycles, history] = await Promise.all(reads);
  const row = invariantRows(summary, cycles).find((row) => row.id === id)!;
  return { summary, invariant, row, history, bars: cyclesByBar(cycles, summary.nowMs) };
}

function RedSubjects({ row }: { row: InvariantRow }) {
  if (row.redCount === 0) return null;
  const shown = row.red_subjects.slice(0, MAX_SUBJECTS);
  return (
    <section>
      <h2>Red now</h2>
      <ul class="facts">
        {shown.map((subject) => {
          const sinceMs = Object.hasOwn(row.red, subject) ? row.red[subject]!.sinceMs : null;
          return (
            <li>
              <SubjectLink name={subject} />
              {sinceMs !== null && (
                <span class="number">
                  <SinceInstant ms={sinceMs} />
                </span>
              )}
              <a class="quiet" href={`/invariants/${row.id}?${new URLSearchParams({ subject })}#silence`}>
                Silence <span class="unseen">{plain(subject)}</span>
              </a>
            </li>
          );
        })}
      </ul>
      {row.redCount > shown.length && (
        <>
          <p>and {(row.redCount - shown.length).toLocaleString("en")} more</p>
          <Command name="All of them: from a shell" path="/api/canary/status" />
        </>
      )}
    </section>
  );
}

function Violations({ data }: { data: InvariantData }) {
  const { invariant, history } = data;
  const { violations, violationsInCycles, olderThan, days } = history;
  const left = violationsInCycles - violations.length;
  const path = `/api/canary/violations?invariant_id=${invariant.id}&limit=1000`;
  return (
    <section>
      <h2>Violations</h2>
      <Days days={days} />
      {violations.length === 0 && <p class="dim">None in 90 days.</p>}
      {violations.length > 0 && <ViolationList violations={violations} />}
      {left > 0 && <p>and {left.toLocaleString("en")} more of these cycles</p>}
      {olderThan && (
        <p>
          <a href={`/invariants/${invariant.id}?before=${encodeURIComponent(olderThan)}`}>Older violations</a>
        </p>
      )}
      <Command name="All of them: from a shell" path={path} />
    </section>
  );
}

const Heading = ({ row, bars }: { row: InvariantRow; bars: BarCycles }) => (
  <section class="one">
    <h1>
      <span class="id">{row.id}</span> {row.title}
    </h1>
    <p>
      <State state={row.shown} /> {row.since && <SinceInstant ms={Date.parse(row.since)} />}
      {row.checked !== null && `, ${checkedWords(row.checked, row.status)}`}
    </p>
    {row.status === "red" && row.latest && (
      <Sentence text={withoutNames(row.latest.summary, row.red_subjects)} />
    )}
    <Blind row={row} />
    <Off reason={row.offReason} />
    <div data-cycles={packedTimes(bars)}>
      <Strip row={row} bars={bars} />
    </div>
    <p class="scale dim" aria-hidden="true">
      <span>24 hours ago</span>
      <span>now</span>
    </p>
  </section>
);

function Meaning({ invariant, row }: Pick<InvariantData, "invariant" | "row">) {
  const { tier, impact, runbook, reads, confirm } = invariant;
  return (
    <div class="cards two">
      <section>
        <h2>What breaks</h2>
        <p>{impact}</p>
        <p class="dim">
          tier {tier}, {severityWords(row)}, reads {reads.join(", ")}
          {confirm && ", read again before it counts"}
        </p>
      </section>
      <section>
        <h2>What to do</h2>
        <p>{runbook}</p>
      </section>
    </div>
  );
}

const Silences = ({ row }: { row: InvariantRow }) => (
  <section>
    <h2>Silences</h2>
    <ul class="facts">
      {row.silences.map((silence) => (
        <li>
          <span>
            {silence.subject === null ? "all of it" : <Name text={silence.subject} />}{" "}
            <Until silence={silence} />
          </span>
          <EndSilence id={silence.id} back={`/invariants/${row.id}`} />
        </li>
      ))}
    </ul>
  </section>
);

function renderInvariantPage(data: InvariantData, { viewer, notice, input, query }: PageRequest): string {
  const { summary, invariant, row } = data;
  const { environment } = summary;
  const { id } = invariant;
  const title = `${id} ${invariant.title}`;
  const back = `/invariants/${id}`;
  const typed = input ?? { ...NO_INPUT, subject: query("subject") ?? "" };
  return renderPage(
    { title, environment, summary, viewer, notice },
    <>
      <StaleLine summary={summary} />
      <Breadcrumb />
      <Heading row={row} bars={data.bars} />
      <Meaning invariant={invariant} row={row} />
      <RedSubjects row={row} />
      <Violations data={data} />
      <div class="cards two">
        <SilenceForm
          back={back}
          input={{ ...typed, invariant: id }}
          isFixed
          isOpen={input !== null || query("subject") !== undefined}
          subjects={row.red_subjects.slice(0, MAX_SUBJECTS)}
        />
        {row.silences.length > 0 && <Silences row={row} />}
      </div>
    </>,
  );
}

export const invariantPage: Page = {
  path: "/invariants/:id",
  address: /^\/invariants\/([A-Z]-\d\d)$/,
  reloads: true,
  async render(request) {
    const invariant = findInvariant(request.name);
    if (!invariant)
      return { title: "There is no such invariant", text: `There are ${INVARIANT_IDS.join(", ")}.` };
    const before = parseTimestamp(request.query("before") ?? null);
    return renderInvariantPage(await readInvariant(request.view, invariant, before), request);
  },
};
