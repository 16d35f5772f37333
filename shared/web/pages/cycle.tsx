/** The page of one cycle. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import { INVARIANTS } from "../../invariants/index.ts";
import type { Neighbours as Cycles } from "../../store/history.ts";
import { formatInstant, MINUTE_MS, parseTimestamp } from "../../time.ts";
import type { CycleRecord } from "../../wire/schemas/cycles.ts";
import type { ViolationRecord } from "../../wire/schemas/violations.ts";
import { checkedWords } from "../describe-status.ts";
import { readSummary, SHOWN_STATES, type Summary } from "../summary.ts";
import { Command } from "../ui/command.tsx";
import { Breadcrumb, renderPage } from "../ui/layout.tsx";
import { InvariantLink, Name, Names, Off, Sentence, State, ViolationList, When } from "../ui/parts.tsx";
import { cyclesUntil } from "../ui/strip.tsx";
import { counted } from "../ui/texts.ts";
import type { CanaryView } from "../view.ts";
import type { Page, PageRequest } from "./page.ts";

const MAX_NAMES = 8;
const MAX_VIOLATIONS = 25;
const MAX_LISTED = 10;
/** Longer than a cycle waits for its lease, and shorter than the time between two cycles. */
const MAX_LEASE_MS = MINUTE_MS;

interface CycleData {
  readonly summary: Summary;
  readonly cycle: CycleRecord;
  readonly violations: readonly ViolationRecord[];
  readonly neighbours: Cycles;
}

/**
 * Reads one cycle and its neighbours in a handful of requests. The instants of episodes and alerts are those at which a cycle
 * began: what it is recorded under comes a little later.
 * @returns the address of the cycle that ran at that instant; null if there is none, or it is older than 90 days
 */
async function readCycleData(
  view: CanaryView,
  atMs: number,
): Promise<CycleData | { readonly location: string } | null> {
  const { history } = view.store;
  const nowMs = view.now();
  const time = formatInstant(atMs);
  const [summary, cycle, neighbours] = await Promise.all([
    readSummary(view),
    history.getCycle(time, nowMs),
    history.neighbours(time, nowMs),
  ]);
  if (!cycle) {
    const { next } = neighbours;
    return next !== null && Date.parse(next) - atMs <= MAX_LEASE_MS ? { location: `/cycles/${next}` } : null;
  }
  const firstIds = Object.values(cycle.found ?? {}).flatMap(({ first_violation_id: id }) => id ?? []);
  const most = Math.min(cycle.violation_count, MAX_VIOLATIONS);
  const violations =
    firstIds.length > 0 ? await history.listViolationsFrom(Math.min(...firstIds), most, nowMs) : [];
  return { summary, cycle, violations, neighbours };
}

function Verdicts({ cycle }: { cycle: CycleRecord }) {
  const { verdicts, checks_off, checks_off_reasons, found } = cycle;
  const urgency = (id: string) => SHOWN_STATES.indexOf(verdicts[id]?.status ?? "off");
  const shown = INVARIANTS.filter(({ id }) => verdicts[id] || checks_off.includes(id)).sort(
    (a, b) => urgency(a.id) - urgency(b.id),
  );
  return (
    <ol class="rows plain">
      {shown.map(({ id, title }) => {
        const verdict = verdicts[id];
        const of = found?.[id];
        return (
          <li class={`row ${verdict?.status ?? "off"}`}>
            <State state={verdict?.status ?? "off"} />
            <InvariantLink id={id} title={title} />
            <p class="since">{verdict ? checkedWords(verdict.checked, verdict.status) : "not run"}</p>
            <div class="words">
              {of && (
                <p>
                  {counted(of.violations, "violation")}: <Name text={of.summary} />
                </p>
              )}
              {!verdict && <Off reason={checks_off_reasons?.[id]} />}
              {verdict?.reason && <Sentence text={verdict.reason} />}
              {verdict && verdict.unseen.length > 0 && (
                <>
                  <p>unseen:</p>
                  <Names names={verdict.unseen} most={MAX_NAMES} />
                </>
              )}
            </div>
          </li>
        );
      })}
    </ol>
  );
}

function Changes({ cycle: { transitions, spreads, recoveries } }: { cycle: CycleRecord }) {
  const changes = [
    ...transitions.map((t) => ({ ...t, words: "broke", subjects: [] })),
    ...spreads.map((t) => ({ ...t, words: "spread" })),
    ...recoveries.map((t) => ({ ...t, words: `recovered, red since ${t.red_since}` })),
  ];
  if (changes.length === 0) return <p class="dim">Nothing changed in it.</p>;
  return (
    <ul class="facts">
      {changes.map(({ invariant_id, words, silenced, subjects }) => (
        <li>
          <b class="id">{invariant_id}</b> {words} {silenced && <span class="dim">(silenced)</span>}
          {subjects.length > 0 && <Names names={subjects} most={MAX_NAMES} />}
        </li>
      ))}
    </ul>
  );
}

const Sources = ({ unavailable }: { unavailable: readonly string[] }) => (
  <section>
    <h2>Sources</h2>
    {unavailable.length === 0 && <p class="dim">All were read.</p>}
    <ul class="facts">
      {unavailable.slice(0, MAX_LISTED).map((line) => (
        <li>
          <Name text={line} />
        </li>
      ))}
      {unavailable.length > MAX_LISTED && <li>and {unavailable.length - MAX_LISTED} more</li>}
    </ul>
  </section>
);

function Violations({ data }: { data: CycleData }) {
  const { cycle, violations } = data;
  const more = cycle.violation_count - violations.length;
  const time = cycle.snapshot_time;
  const path = `/api/canary/violations?start_time=${time}&end_time=${time}&limit=1000`;
  return (
    <section>
      <h2>Violations</h2>
      <ViolationList violations={violations} withInvariant />
      {more > 0 && <p>and {more.toLocaleString("en")} more</p>}
      <Command name="All of them: from a shell" path={path} />
    </section>
  );
}

function Neighbours({ data: { cycle, neighbours } }: { data: CycleData }) {
  const { previous, next } = neighbours;
  return (
    <nav class="pager" aria-label="Other cycles">
      {previous && (
        <a href={`/cycles/${previous}`} rel="prev">
          ← <When ms={Date.parse(previous)} />
        </a>
      )}
      <a href={cyclesUntil(Date.parse(cycle.snapshot_time))}>All cycles</a>
      {next && (
        <a href={`/cycles/${next}`} rel="next">
          <When ms={Date.parse(next)} /> →
        </a>
      )}
    </nav>
  );
}

function renderCyclePage(data: CycleData, { viewer, notice }: PageRequest): string {
  const { summary, cycle } = data;
  const { environment } = summary;
  const { snapshot_time, trigger, duration_ms, sources_unavailable, violation_count } = cycle;
  const title = `cycle of ${snapshot_time}`;
  return renderPage(
    { title, environment, summary, viewer, notice },
    <>
      <Breadcrumb />
      <section class="one">
        <h1>
          Cycle of <time datetime={snapshot_time}>{snapshot_time.slice(0, 19).replace("T", " ")} UTC</time>
        </h1>
        <p class="dim">
          triggered by {trigger}, took {duration_ms.toLocaleString("en")} ms, found{" "}
          {counted(violation_count, "violation")}
        </p>
        <Neighbours data={data} />
      </section>
      <section>
        <h2>Verdicts</h2>
        <Verdicts cycle={cycle} />
      </section>
      <div class="cards two">
        <section>
          <h2>Changes</h2>
          <Changes cycle={cycle} />
        </section>
        <Sources unavailable={sources_unavailable} />
      </div>
      {violation_count > 0 && <Violations data={data} />}
    </>,
  );
}

export const cyclePage: Page = {
  path: "/cycles/:time",
  address: /^\/cycles\/([\dTZ:.-]{10,30})$/,
  reloads: false,
  async render(request) {
    const atMs = parseTimestamp(request.name);
    const data = atMs === null ? null : await readCycleData(request.view, atMs);
    if (data) return "cycle" in data ? renderCyclePage(data, request) : data;
    const text = "No cycle was recorded at that time, or it is older than 90 days.";
    return { title: "There is no such cycle", text };
  },
};
