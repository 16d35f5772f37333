/** Bars over time: the last 24 hours of an invariant, and its violations of 90 days. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import { BAR_STATES, type BarState, describeUptime, type UptimeBars } from "../uptime.ts";

/** The path of one state's bars: a line for each run of equal bars. Its stroke has the bars' height, and CSS dashes it. */
function runsOf(bars: UptimeBars, state: BarState): string {
  let path = "";
  for (let at = 0; at < bars.length; at += 1) {
    if (bars[at] !== state) continue;
    let end = at;
    while (bars[end] === state) end += 1;
    // A single red bar must not be thinner than a pixel.
    const width = state === "red" || state === "unknown" ? Math.max(1.6, end - at) : end - at;
    path += `M${at} 0h${width}`;
    at = end;
  }
  return path;
}

/** The height of a bar, of 20. The worse the state, the higher the bar. */
export const BAR_HEIGHTS: Readonly<Record<BarState, number>> = {
  red: 20,
  unknown: 15,
  green: 10,
  off: 6,
  missing: 2,
};

/** The last 24 hours, with a bar for each five minutes. */
export function Uptime({ bars, of }: { bars: UptimeBars; of: string }) {
  const words = `${of}, last 24 hours: ${describeUptime(bars)}`;
  return (
    <svg
      class="bars"
      viewBox={`0 0 ${bars.length} 20`}
      preserveAspectRatio="none"
      role="img"
      aria-label={words}
    >
      <title>{words}</title>
      {BAR_STATES.map((state) => {
        const path = runsOf(bars, state);
        const height = BAR_HEIGHTS[state];
        const shift = `translate(0 ${20 - height / 2})`;
        return path && <path class={`bar ${state}`} d={path} stroke-width={height} transform={shift} />;
      })}
    </svg>
  );
}

/** The number of violations on each day. */
export function Days({ days }: { days: readonly { readonly day: string; readonly count: number }[] }) {
  const most = Math.max(1, ...days.map(({ count }) => count));
  const total = days.reduce((sum, { count }) => sum + count, 0);
  const withSome = days.filter(({ count }) => count > 0);
  const words =
    total === 0
      ? "no violation in 90 days"
      : `${total.toLocaleString("en")} violation(s) on ${withSome.length} of 90 days, the last on ${withSome.at(-1)!.day}, most ${most.toLocaleString("en")} a day`;
  const path = days
    .map(({ count }, i) => (count > 0 ? `M${i} 40V${(39 - (36 * count) / most).toFixed(1)}` : ""))
    .join("");
  return (
    <figure>
      <svg class="bars days" viewBox="-0.5 0 90 40" preserveAspectRatio="none" role="img" aria-label={words}>
        <title>{words}</title>
        <path class="bar missing" d="M-.5 39.5h90" stroke-width="1" />
        {path && <path class="day red" d={path} />}
      </svg>
      <figcaption>{words}</figcaption>
    </figure>
  );
}
