/** The list of cycles: page by page, back over 90 days. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import { INVARIANT_IDS } from "../../invariants/index.ts";
import type { TimeRange } from "../../store/history.ts";
import { keptRange } from "../../store/table.ts";
import { DAY_MS, formatInstant, HOUR_MS, parseTimestamp } from "../../time.ts";
import type { CyclePointRecord } from "../../wire/schemas/cycles.ts";
import { readSummary } from "../summary.ts";
import { CycleList } from "../ui/cycle-list.tsx";
import { Breadcrumb, renderPage } from "../ui/layout.tsx";
import { When } from "../ui/parts.tsx";
import { Plot } from "../ui/plot.tsx";
import type { CanaryView } from "../view.ts";
import type { Page, PageRequest } from "./page.ts";

/** Eight hours of scheduled cycles. */
const MAX_CYCLES = 96;
/** A little more than a page of them. */
const NEAR_MS = 9 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;
const MAX_SOURCES = 6;

type CyclesData = Awaited<ReturnType<typeof readCycles>>;

/** Reads the cycles of some hours, and those of a day where these hours have none. */
async function readStretch({ store }: CanaryView, rangeOf: (spanMs: number) => TimeRange) {
  const read = async (range: TimeRange) => ({
    range,
    found: await store.history.outlineCycles(range, INVARIANT_IDS),
  });
  const near = await read(rangeOf(NEAR_MS));
  return near.found.length > 0 ? near : read(rangeOf(DAY_MS));
}

/**
 * Reads one page of the list: of at most a day, in one or two requests for each of its two dates.
 * @param untilMs where the page begins, newest first; null for the newest
 * @param sinceMs where it ends instead
 */
async function readCycles(view: CanaryView, untilMs: number | null, sinceMs: number | null) {
  const nowMs = view.now();
  const kept = keptRange(undefined, undefined, nowMs);
  const within = (ms: number) => Math.min(Math.max(ms, kept.startMs), nowMs);
  const isForward = untilMs === null && sinceMs !== null;
  const rangeOf = (spanMs: number) =>
    isForward
      ? { startMs: within(sinceMs), endMs: within(sinceMs + spanMs), nowMs }
      : { startMs: within((untilMs ?? nowMs) - spanMs), endMs: within(untilMs ?? nowMs), nowMs };
  const isNewest = untilMs === null && sinceMs === null;
  const { history } = view.store;
  const [summary, { found, range }, points] = await Promise.all([
    readSummary(view),
    readStretch(view, rangeOf),
    isNewest ? history.series({ startMs: nowMs - WEEK_MS, endMs: nowMs, nowMs }) : [],
  ]);
  const cycles = isForward ? found.slice(-MAX_CYCLES) : found.slice(0, MAX_CYCLES);
  const isWhole = cycles.length === found.length;
  const timeOf = (cycle: (typeof cycles)[number] | undefined) =>
    cycle === undefined ? null : Date.parse(cycle.snapshot_time);
  // Where a side of what was read is shown whole, the next page begins where that ends.
  const oldest = (!isForward && isWhole ? null : timeOf(cycles.at(-1))) ?? range.startMs;
  const newest = (isForward && isWhole ? null : timeOf(cycles[0])) ?? range.endMs;
  return {
    summary,
    cycles,
    points,
    range,
    olderUntil: oldest > kept.startMs ? oldest - 1 : null,
    newerSince: untilMs === null && !isForward ? null : newest < nowMs ? newest + 1 : null,
  };
}

const Pager = ({ data: { olderUntil, newerSince }, name }: { data: CyclesData; name: string }) => (
  <nav class="pager" aria-label={name}>
    {newerSince !== null && (
      <>
        <a href="/cycles">Newest</a>
        <a href={`/cycles?since=${formatInstant(newerSince)}`} rel="prev">
          ← Newer
        </a>
      </>
    )}
    {olderUntil !== null && (
      <a href={`/cycles?until=${formatInstant(olderUntil)}`} rel="next">
        Older →
      </a>
    )}
  </nav>
);

/** The form that leads to an instant. */
const GoTo = ({ ms }: { ms: number }) => (
  <form method="get" action="/cycles" class="goto">
    <label>
      <span>
        Until <small>UTC</small>
      </span>
      <input name="until" type="datetime-local" value={formatInstant(ms).slice(0, 16)} required />
    </label>
    <button type="submit" class="quiet">
      Go there
    </button>
  </form>
);

/** What the cycles of a week took, and how many subjects were red after each. */
function Week({ points, nowMs }: { points: readonly CyclePointRecord[]; nowMs: number }) {
  const range = { startMs: nowMs - WEEK_MS, endMs: nowMs };
  const timed = points.map((point) => ({ point, ms: Date.parse(point.time) }));
  const line = (name: string, valueIn: (point: CyclePointRecord) => number | null | undefined) => ({
    name,
    points: timed.flatMap(({ point, ms }) => {
      const value = valueIn(point);
      return value == null ? [] : [{ ms, value }];
    }),
  });
  const sources = [...new Set(points.flatMap((point) => Object.keys(point.source_latency_ms ?? {})))].sort();
  return (
    <section>
      <h2>The last 7 days</h2>
      <div class="plots">
        <Plot title="Red subjects" unit="" lines={[line("red", (p) => p.red_subjects)]} {...range} />
        <Plot
          title="Duration of a cycle"
          unit="ms"
          lines={[line("cycle", (p) => p.duration_ms)]}
          {...range}
        />
        <Plot
          title="Latency of each source"
          unit="ms"
          lines={sources
            .slice(0, MAX_SOURCES)
            .map((source) => line(source, (p) => p.source_latency_ms?.[source]))}
          {...range}
        />
      </div>
    </section>
  );
}

function renderCyclesPage(data: CyclesData, { viewer, notice }: PageRequest): string {
  const { summary, cycles, points, range } = data;
  const { environment } = summary;
  return renderPage(
    { title: "cycles", environment, summary, viewer, notice },
    <>
      <Breadcrumb />
      <section class="one">
        <h1>Cycles</h1>
        <GoTo ms={Math.min(range.endMs, summary.nowMs)} />
      </section>
      {points.length > 0 && <Week points={points} nowMs={summary.nowMs} />}
      <section>
        <Pager data={data} name="Pages" />
        {cycles.length === 0 && (
          <p class="dim">
            No cycle was recorded from <When ms={range.startMs} /> to <When ms={range.endMs} />.
          </p>
        )}
        {cycles.length > 0 && <CycleList cycles={cycles} />}
        {cycles.length > 10 && <Pager data={data} name="Pages, again" />}
      </section>
    </>,
  );
}

export const cyclesPage: Page = {
  path: "/cycles",
  address: /^\/cycles$/,
  reloads: false,
  async render(request) {
    const at = (parameter: string) => parseTimestamp(request.query(parameter) ?? null);
    return renderCyclesPage(await readCycles(request.view, at("until"), at("since")), request);
  },
};
