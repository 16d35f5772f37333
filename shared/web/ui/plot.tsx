/** Plots over several days, drawn on the server, each with a table of the same numbers. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import { DAY_MS, formatInstant, MINUTE_MS } from "../../time.ts";

/** A line of a plot: its values in the order of time. */
export interface Line {
  readonly name: string;
  readonly points: readonly { readonly ms: number; readonly value: number }[];
}

interface PlotProps {
  readonly title: string;
  /** Of the values: "ms"; "" where they are counted. */
  readonly unit: string;
  readonly lines: readonly Line[];
  readonly startMs: number;
  readonly endMs: number;
}

const WIDTH = 360;
const HEIGHT = 150;
const LEFT = 44;
const BOTTOM = 22;
const TOP = 10;
/** A point of a line is the highest value of this time: a peak is never averaged away. */
const BUCKET_MS = 30 * MINUTE_MS;
/** Between points further apart than this there is no line: nothing was measured. */
const GAP_MS = 2 * BUCKET_MS;

/** The smallest of 2, 4, 10, 20, … at or above the value: its half is round, too. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [0.2, 0.4, 1, 2, 4, 10]
    .map((factor) => factor * power)
    .find((round) => round >= Math.max(value, 2))!;
}

/** The highest value of each half hour. */
function peaksOf({ points }: Line): { readonly ms: number; readonly value: number }[] {
  const peaks = new Map<number, number>();
  for (const { ms, value } of points) {
    const bucket = Math.floor(ms / BUCKET_MS) * BUCKET_MS;
    peaks.set(bucket, Math.max(peaks.get(bucket) ?? 0, value));
  }
  return [...peaks].map(([ms, value]) => ({ ms, value }));
}

function pathOf(line: Line, x: (ms: number) => number, y: (value: number) => number): string {
  let lastMs = Number.NEGATIVE_INFINITY;
  return peaksOf(line)
    .map(({ ms, value }) => {
      const isNew = ms - lastMs > GAP_MS;
      lastMs = ms;
      const at = `${x(ms).toFixed(1)} ${y(value).toFixed(1)}`;
      // A point alone is a dot: a line of no length with round ends.
      return isNew ? `M${at}h0` : `L${at}`;
    })
    .join("");
}

const dayStarts = (startMs: number, endMs: number): number[] => {
  const first = Math.ceil(startMs / DAY_MS) * DAY_MS;
  return Array.from({ length: Math.floor((endMs - first) / DAY_MS) + 1 }, (_, i) => first + i * DAY_MS);
};

const shown = (value: number, unit: string) => `${value.toLocaleString("en")}${unit && ` ${unit}`}`;

const highest = (line: Line) => Math.max(0, ...line.points.map(({ value }) => value));

function Axes({ startMs, endMs, x, y, top }: AxesProps) {
  return (
    <g class="axes">
      {[0, top / 2, top].map((value) => (
        <>
          <path d={`M${LEFT} ${y(value)}H${WIDTH}`} />
          <text x={LEFT - 6} y={y(value) + 4} text-anchor="end">
            {value.toLocaleString("en")}
          </text>
        </>
      ))}
      {dayStarts(startMs, endMs).map((ms) => (
        <>
          <path d={`M${x(ms).toFixed(1)} ${TOP}V${HEIGHT - BOTTOM}`} />
          <text x={x(ms).toFixed(1)} y={HEIGHT - 6} text-anchor="middle">
            {formatInstant(ms).slice(5, 10)}
          </text>
        </>
      ))}
    </g>
  );
}
interface AxesProps extends Pick<PlotProps, "startMs" | "endMs"> {
  readonly x: (ms: number) => number;
  readonly y: (value: number) => number;
  readonly top: number;
}

/** The values of each day, sorted, by the day's number. */
function valuesByDay({ points }: Line): ReadonlyMap<number, readonly number[]> {
  const byDay = new Map<number, number[]>();
  for (const { ms, value } of points) {
    const day = Math.floor(ms / DAY_MS);
    const values = byDay.get(day);
    if (values) values.push(value);
    else byDay.set(day, [value]);
  }
  for (const values of byDay.values()) values.sort((a, b) => a - b);
  return byDay;
}

/** The middle and the highest value of each day: what the plot shows, in numbers. */
function Numbers({ lines, unit, startMs, endMs }: Omit<PlotProps, "title">) {
  const first = Math.floor(startMs / DAY_MS);
  const days = Array.from({ length: Math.floor(endMs / DAY_MS) - first + 1 }, (_, i) => first + i);
  const values = lines.map(valuesByDay);
  const cellOf = (ofDay: readonly number[] = []) =>
    ofDay.length === 0
      ? "–"
      : `${shown(ofDay[Math.floor(ofDay.length / 2)]!, unit)}, ${shown(ofDay.at(-1)!, unit)}`;
  return (
    <details class="command">
      <summary>In numbers</summary>
      <table>
        <thead>
          <tr>
            <th scope="col">Day</th>
            {lines.map(({ name }) => (
              <th scope="col">{name}: median, highest</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {days.map((day) => (
            <tr>
              <th scope="row">{formatInstant(day * DAY_MS).slice(0, 10)}</th>
              {values.map((byDay) => (
                <td>{cellOf(byDay.get(day))}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

/** A plot with axes, a legend where there are several lines, and the numbers below. Nothing without any value. */
export function Plot({ title, unit, lines, startMs, endMs }: PlotProps) {
  const drawn = lines.filter(({ points }) => points.length > 0);
  if (drawn.length === 0) return null;
  const top = roundUp(Math.max(...drawn.map(highest)));
  const x = (ms: number) => LEFT + ((WIDTH - LEFT) * (ms - startMs)) / (endMs - startMs);
  const y = (value: number) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
  const most = drawn.map((line) => `${line.name} at most ${shown(highest(line), unit)}`).join(", ");
  return (
    <figure class="plot">
      <h3>
        {title}
        {unit && <small>, {unit}</small>}
      </h3>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`${title}: ${most}`}>
        <Axes startMs={startMs} endMs={endMs} x={x} y={y} top={top} />
        {drawn.map((line, i) => (
          <path class={`series series-${i}`} d={pathOf(line, x, y)} />
        ))}
      </svg>
      {drawn.length > 1 && (
        <p class="legend" aria-hidden="true">
          {drawn.map(({ name }, i) => (
            <span>
              <svg viewBox="0 0 22 8" aria-hidden="true">
                <path class={`series series-${i}`} d="M1 4H21" />
              </svg>
              {name}
            </span>
          ))}
        </p>
      )}
      <Numbers lines={drawn} unit={unit} startMs={startMs} endMs={endMs} />
    </figure>
  );
}
