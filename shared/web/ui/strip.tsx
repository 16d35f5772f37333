/** The last 24 hours of an invariant: a picture of 288 bars, with links to its cycles over it. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import { formatInstant, MINUTE_MS } from "../../time.ts";
import type { CycleOutline } from "../../wire/schemas/cycles.ts";
import type { InvariantRow } from "../rows.ts";
import { BAR_STATES, type BarState, describeUptime, type UptimeBars } from "../uptime.ts";

/** Two hours each: in the narrowest strip such a link is 24 px wide. */
const LINKS = 12;

/** The height of a bar, of 20. The worse the state, the higher the bar. */
export const BAR_HEIGHTS: Readonly<Record<BarState, number>> = {
  red: 20,
  unknown: 15,
  green: 10,
  off: 6,
  missing: 2,
};

/** The cycles of each bar, oldest bar first. */
export type BarCycles = readonly (readonly CycleOutline[])[];

/** Where runs of equal values begin and end. */
function* runsIn<T>(values: readonly T[]): Generator<readonly [value: T, start: number, end: number]> {
  for (let start = 0, end = 0; start < values.length; start = end) {
    while (end < values.length && values[end] === values[start]) end += 1;
    yield [values[start]!, start, end];
  }
}

/** The path of one state's bars: a line for each run of equal bars. Its stroke has the bars' height, and CSS dashes it. */
function pathOf(bars: UptimeBars, state: BarState): string {
  let path = "";
  for (const [value, start, end] of runsIn(bars)) {
    if (value !== state) continue;
    // A single red bar must not be thinner than a pixel.
    const width = state === "red" || state === "unknown" ? Math.max(1.6, end - start) : end - start;
    path += `M${start} 0h${width}`;
  }
  return path;
}

/** Writes the runs of equal values, a single one without its length: `280g,7r,g`. The script reads it. */
const packed = (values: readonly (string | number)[], unit: string): string =>
  [...runsIn(values)]
    .map(([value, start, end]) => `${end - start > 1 ? end - start : ""}${unit}${value}`)
    .join(",");

/**
 * Writes the time of each bar's newest cycle for the script: a start in unix ms, then for each bar the ms after it in
 * base 36, with the number of its cycles where there are several; nothing where there is none.
 */
export function packedTimes(bars: BarCycles): string {
  const times = bars.map(([newest]) => (newest ? Date.parse(newest.snapshot_time) : null));
  const start = times.find((ms) => ms !== null) ?? 0;
  const entries = bars.map((cycles, i) => {
    const ms = times[i];
    if (ms == null) return "";
    return (ms - start).toString(36) + (cycles.length > 1 ? `*${cycles.length}` : "");
  });
  return [start, ...entries].join(",");
}

const clock = (ms: number) => formatInstant(ms).slice(11, 16);

/** The address of the list of cycles that begins with the one of that instant, newest first. */
export const cyclesUntil = (ms: number): string =>
  `/cycles?until=${formatInstant(Math.floor(ms / MINUTE_MS + 1) * MINUTE_MS).slice(0, 16)}Z`;

/** A link to the cycles of some neighbouring bars. Its name says what they found. */
function Span({ id, uptime, bars }: { id: string; uptime: UptimeBars; bars: BarCycles }) {
  const cycles = bars.flat();
  const times = cycles.map(({ snapshot_time }) => Date.parse(snapshot_time));
  if (times.length === 0) return <span />;
  const [oldest, newest] = [Math.min(...times), Math.max(...times)];
  const counts = BAR_STATES.map((state) => [state, uptime.filter((bar) => bar === state).length] as const);
  const words = counts.filter(([, count]) => count > 0).map(([state, count]) => `${count} ${state}`);
  const name = `${id}, ${clock(oldest)}–${clock(newest)} UTC: ${words.join(", ")}`;
  return (
    <a href={cyclesUntil(newest)} title={name}>
      {name}
    </a>
  );
}

interface StripProps {
  readonly row: Pick<InvariantRow, "id" | "uptime" | "counts">;
  readonly bars: BarCycles;
}

/** The last 24 hours, with a bar for each five minutes. The script makes each bar a link, and the strip one tab stop. */
export function Strip({ row: { id, uptime, counts }, bars }: StripProps) {
  const words = `${id}, last 24 hours: ${describeUptime(uptime)}`;
  const size = bars.length / LINKS;
  const most = Math.max(...counts);
  return (
    <div
      class="strip"
      data-of={id}
      data-bars={packed(
        uptime.map((state) => state[0]!),
        "",
      )}
      data-counts={most > 0 ? packed(counts, "*") : undefined}
    >
      <svg
        class="bars"
        viewBox={`0 0 ${uptime.length} 20`}
        preserveAspectRatio="none"
        role="img"
        aria-label={words}
      >
        {BAR_STATES.map((state) => {
          const path = pathOf(uptime, state);
          const height = BAR_HEIGHTS[state];
          const shift = `translate(0 ${20 - height / 2})`;
          return path && <path class={`bar ${state}`} d={path} stroke-width={height} transform={shift} />;
        })}
      </svg>
      <span class="spans">
        {Array.from({ length: LINKS }, (_, i) => {
          const part = [i * size, (i + 1) * size] as const;
          return <Span id={id} uptime={uptime.slice(...part)} bars={bars.slice(...part)} />;
        })}
      </span>
    </div>
  );
}
