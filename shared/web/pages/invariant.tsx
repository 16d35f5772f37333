/** The page of one invariant: its meaning, its runbook, and its violations over time. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */

import { backendOf } from "../../cycle/memory.ts";
import { guidanceOf } from "../../invariants/guidance.ts";
import { findInvariant, INVARIANT_IDS } from "../../invariants/index.ts";
import type { Invariant } from "../../invariants/invariant.ts";
import { parseTimestamp } from "../../time.ts";
import type { EpisodeRecord } from "../../wire/schemas/episodes.ts";
import { checkedWords, severityWords } from "../describe-status.ts";
import { readHistory } from "../history.ts";
import { type InvariantRow, invariantRows, readLastDay, readWords } from "../rows.ts";
import { readSummary } from "../summary.ts";
import { Days } from "../ui/bars.tsx";
import { Command } from "../ui/command.tsx";
import { EpisodeList } from "../ui/episodes.tsx";
import { EndSilence, NO_INPUT, SilenceForm } from "../ui/forms.tsx";
import { GuidanceBlock } from "../ui/guidance.tsx";
import { Breadcrumb, renderPage } from "../ui/layout.tsx";
import {
  Blind,
  Name,
  Off,
  Sentence,
  SilenceLink,
  SinceInstant,
  State,
  SubjectLink,
  Until,
  ViolationList,
} from "../ui/parts.tsx";
import { packedTimes, Strip } from "../ui/strip.tsx";
import { counted, withoutNames } from "../ui/texts.ts";
import { cyclesByBar } from "../uptime.ts";
import type { CanaryView } from "../view.ts";
import type { Page, PageRequest } from "./page.ts";

const MAX_SUBJECTS = 25;
const MAX_EPISODES = 20;

type InvariantData = Awaited<ReturnType<typeof readInvariant>>;

interface Places {
  /** Only violations of cycles before this instant (unix ms). */
  readonly before: number | null;
  /** Where the page of episodes starts. */
  readonly cursor: string | null;
}

/** Reads the data in at most twenty requests or so. */
async function readInvariant(view: CanaryView, invariant: Invariant, { before, cursor }: Places) {
  const { id } = invariant;
  const nowMs = view.now();
  const lastDay = readLastDay(view);
  const [summary, cycles, history, latest] = await Promise.all([
    readSummary(view),
    lastDay,
    readHistory(view, id, lastDay, before),
    view.store.latest.read(nowMs),
  ]);
  const filter = { invariantId: id, startMs: 0, endMs: nowMs, nowMs };
  const episodesOf = (openOnly: boolean, most: number, from: string | null) =>
    view.store.episodes.list({ ...filter, openOnly }, most, from, { memory: summary.memory, latest });
  const row = invariantRows(summary, cycles).find((row) => row.id === id)!;
  const [open, episodes, words] = await Promise.all([
    episodesOf(true, MAX_SUBJECTS, null),
    episodesOf(false, MAX_EPISODES, cursor),
    readWords(view, [row]),
  ]);
  return {
    summary,
    invariant,
    row,
    words: words.get(id),
    runbook: view.runbookAt(id),
    history,
    bars: cyclesByBar(cycles, summary.nowMs),
    open: open.items,
    episodes,
  };
}

function RedItem({ row, episode }: { row: InvariantRow; episode: EpisodeRecord }) {
  const { subject, since, cycles, words, held } = episode;
  return (
    <li>
      <SubjectLink name={subject} />
      <span class="number">
        <SinceInstant ms={Date.parse(since)} />
        {cycles > 0 && `, ${counted(cycles, "cycle")}`}
      </span>
      <SilenceLink id={row.id} subject={subject} />
      {words !== null && <Sentence text={words} />}
      {held === "unseen" && <p class="dim">stays red: it could not be looked at since</p>}
    </li>
  );
}

function RedSubjects({ data: { row, open } }: { data: InvariantData }) {
  if (row.redCount === 0) return null;
  return (
    <section>
      <h2>Red now</h2>
      {open.length > 0 && (
        <ul class="facts">
          {open.map((episode) => (
            <RedItem row={row} episode={episode} />
          ))}
        </ul>
      )}
      {row.redCount > open.length && (
        <>
          <p>and {(row.redCount - open.length).toLocaleString("en")} more</p>
          <Command name="All of them: from a shell" path="/api/canary/status" />
        </>
      )}
    </section>
  );
}

/** The commands, with the names of the first that is red. */
function WhatToType({ data: { summary, invariant, row, open } }: { data: InvariantData }) {
  const first = row.status === "red" ? open.find(({ last_state }) => last_state !== null) : undefined;
  const guidance = guidanceOf(invariant, first?.last_state ?? null, backendOf(summary.memory));
  const block = <GuidanceBlock guidance={guidance} safe={invariant.safe} />;
  if (first === undefined)
    return (
      <details class="fold">
        <summary>What to type when it is red</summary>
        {block}
      </details>
    );
  return (
    <section>
      <h2>
        What to type for <Name text={first.subject} />
      </h2>
      {row.redCount > 1 && <p class="dim">The page of each agent has the commands for that one.</p>}
      {block}
    </section>
  );
}

/** The episodes that have ended: those that are open stand above. */
function Episodes({ data: { row, episodes } }: { data: InvariantData }) {
  const ended = episodes.items.filter(({ ended }) => ended !== null);
  const path = `/api/canary/episodes?invariant_id=${row.id}&limit=1000`;
  return (
    <section>
      <h2>Earlier episodes</h2>
      {ended.length === 0 && (
        <p class="dim">{episodes.cursor === null ? "None in 90 days." : "The newest are all open."}</p>
      )}
      {ended.length > 0 && <EpisodeList episodes={ended} by="subject" />}
      {episodes.cursor !== null && (
        <p>
          <a href={`/invariants/${row.id}?${new URLSearchParams({ episodes: episodes.cursor })}`}>
            Older episodes
          </a>
        </p>
      )}
      <Command name="All of them: from a shell" path={path} />
    </section>
  );
}

/** Cycle by cycle, folded away: an episode says it shorter. */
function Violations({ data, isOpen }: { data: InvariantData; isOpen: boolean }) {
  const { invariant, history } = data;
  const { violations, violationsInCycles, olderThan, days } = history;
  const left = violationsInCycles - violations.length;
  const path = `/api/canary/violations?invariant_id=${invariant.id}&limit=1000`;
  if (violations.length === 0 && days.every(({ count }) => count === 0)) return null;
  return (
    <section>
      <h2>Violations</h2>
      <Days days={days} />
      <details class="fold" open={isOpen}>
        <summary>Cycle by cycle</summary>
        {violations.length === 0 && <p class="dim">None before that.</p>}
        {violations.length > 0 && <ViolationList violations={violations} />}
        {left > 0 && <p>and {left.toLocaleString("en")} more of these cycles</p>}
        {olderThan && (
          <p>
            <a href={`/invariants/${invariant.id}?before=${encodeURIComponent(olderThan)}`}>
              Older violations
            </a>
          </p>
        )}
      </details>
      <Command name="All of them: from a shell" path={path} />
    </section>
  );
}

const Heading = ({ data: { row, words, bars } }: { data: InvariantData }) => (
  <section class="one">
    <h1>
      <span class="id">{row.id}</span> {row.title}
    </h1>
    <p>
      <State state={row.shown} /> {row.since && <SinceInstant ms={Date.parse(row.since)} />}
      {row.checked !== null && `, ${checkedWords(row.checked, row.status)}`}
    </p>
    {words !== undefined && <Sentence text={withoutNames(words, row.red_subjects)} />}
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

function Meaning({ data: { invariant, row, runbook } }: { data: InvariantData }) {
  const { tier, impact, reads, confirm } = invariant;
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
        <p>{invariant.runbook}</p>
        <p>
          <a href={runbook}>Runbook</a>
        </p>
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
      <Breadcrumb />
      <Heading data={data} />
      <Meaning data={data} />
      <RedSubjects data={data} />
      <WhatToType data={data} />
      <Episodes data={data} />
      <Violations data={data} isOpen={query("before") !== undefined} />
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
    const places = { before, cursor: request.query("episodes") ?? null };
    return renderInvariantPage(await readInvariant(request.view, invariant, places), request);
  },
};
