/** The pieces that the pages are made of. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import type { Child } from "hono/jsx";
import { cut } from "../../text.ts";
import { formatDuration, formatInstant } from "../../time.ts";
import type { ViolationRecord } from "../../wire/schemas.ts";
import { explainViolation } from "../../wire/serialize.ts";
import type { Shown } from "../summary.ts";
import { type BarState, describeStrip, type Strip } from "../uptime.ts";
import { plain, plainJson } from "./texts.ts";

/** Names and sentences are cut here: a page of a thousand long ones would not be read. */
const MAX_TEXT = 250;
const MAX_JSON = 1_000;

/** A name or a sentence with names in it: text, whatever is in it, that can't turn what stands beside it around. */
export const Name = ({ text }: { text: string }) =>
  text.trim() === "" ? <em class="dim">(empty)</em> : <bdi dir="auto">{plain(cut(text, MAX_TEXT))}</bdi>;

/** The first names, and how many more there are. */
export function Names({ names, most, total }: { names: readonly string[]; most: number; total: number }) {
  const shown = names.slice(0, most);
  return (
    <ul class="names">
      {shown.map((name) => (
        <li>
          <Name text={name} />
        </li>
      ))}
      {total > shown.length && <li class="more">and {(total - shown.length).toLocaleString("en")} more</li>}
    </ul>
  );
}

/** An instant as the clock has it, the day too where it is not today's. */
export function When({ ms, nowMs }: { ms: number; nowMs: number }) {
  const iso = formatInstant(ms);
  const isToday = iso.slice(0, 10) === formatInstant(nowMs).slice(0, 10);
  return (
    <time datetime={iso} title={iso}>
      {isToday ? "" : `${iso.slice(5, 10)} `}
      {iso.slice(11, 16)}
    </time>
  );
}

/** How long ago it was: `5 min`. */
export const Ago = ({ ms, nowMs }: { ms: number; nowMs: number }) => (
  <time datetime={formatInstant(ms)} title={formatInstant(ms)}>
    {formatDuration(Math.max(0, nowMs - ms))}
  </time>
);

const SHAPES: Record<Shown | "stale", Child> = {
  green: (
    <>
      <circle cx="8" cy="8" r="7" class="fill" />
      <path d="M4.8 8.3l2.2 2.2 4.3-4.6" class="cut" />
    </>
  ),
  red: (
    <>
      <path d="M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1z" class="fill" />
      <path d="M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8" class="cut" />
    </>
  ),
  unknown: (
    <>
      <path d="M8 .6L15.4 8 8 15.4.6 8z" class="fill" />
      <path d="M6.3 6.5a1.75 1.75 0 1 1 2.5 1.6c-.6.3-.8.6-.8 1.2M8 11.2v.3" class="cut" />
    </>
  ),
  stale: (
    <>
      <path d="M8 1l7.3 13.5H.7z" class="fill" />
      <path d="M8 5.8v4M8 12v.3" class="cut" />
    </>
  ),
  silenced: (
    <>
      <circle cx="8" cy="8" r="6.2" class="line" />
      <path d="M3.7 12.3l8.6-8.6" class="line" />
    </>
  ),
  off: (
    <>
      <circle cx="8" cy="8" r="6.2" class="line" />
      <path d="M5 8h6" class="line" />
    </>
  ),
};

/** The state's shape; its word stands beside it. */
export const Mark = ({ state }: { state: Shown | "stale" }) => (
  <svg class={`mark ${state}`} viewBox="0 0 16 16" aria-hidden="true">
    {SHAPES[state]}
  </svg>
);

export const State = ({ state }: { state: Shown }) => (
  <span class={`state ${state}`}>
    <Mark state={state} />
    {state}
  </span>
);

/** Bars of one state as runs: a stroke that is as wide as the bar is high, dashed into bars. */
function runsOf(strip: Strip, state: BarState): string {
  let path = "";
  for (let at = 0; at < strip.length; at += 1) {
    if (strip[at] !== state) continue;
    let end = at;
    while (strip[end] === state) end += 1;
    // A single red bar must not be thinner than a dot of the screen.
    const width = state === "red" || state === "unknown" ? Math.max(1.6, end - at) : end - at;
    path += `M${at} 0h${width}`;
    at = end;
  }
  return path;
}

/** How high the bars of a state are, of 20: the worse the higher. */
const HEIGHTS = { red: 20, unknown: 15, green: 10, off: 6, missing: 2 } as const;

/** The last day, five minutes in each bar. */
export function Bars({ strip, of }: { strip: Strip; of: string }) {
  const words = `${of}, last 24 hours: ${describeStrip(strip)}`;
  return (
    <svg
      class="bars"
      viewBox={`0 0 ${strip.length} 20`}
      preserveAspectRatio="none"
      role="img"
      aria-label={words}
    >
      <title>{words}</title>
      {(Object.keys(HEIGHTS) as BarState[]).map((state) => {
        const path = runsOf(strip, state);
        const height = HEIGHTS[state];
        return (
          path && (
            <path
              class={`bar ${state}`}
              d={path}
              stroke-width={height}
              transform={`translate(0 ${20 - height / 2})`}
            />
          )
        );
      })}
    </svg>
  );
}

/** How many there were on each day. */
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

/** A command, and with JavaScript a button that copies it. */
export const Command = ({ text, name }: { text: string; name: string }) => (
  <details class="command">
    <summary>{name}</summary>
    <pre data-copy>{text}</pre>
  </details>
);

/** One violation: what it is in words, and behind that what was seen. */
export function Violation({
  violation,
  nowMs,
  withInvariant = false,
}: {
  violation: ViolationRecord;
  nowMs: number;
  withInvariant?: boolean;
}) {
  const { id, invariant_id, subject, severity, snapshot_time, observed_state, signal_query } = violation;
  return (
    <li>
      <details class="violation">
        <summary>
          <When ms={Date.parse(snapshot_time)} nowMs={nowMs} />
          {withInvariant && <b class="id">{invariant_id}</b>}
          <span class="says">
            <Name text={explainViolation(violation)} />
          </span>
        </summary>
        <dl>
          <dt>Subject</dt>
          <dd>
            <Name text={subject} />, {severity}
          </dd>
          <dt>Cycle</dt>
          <dd>
            <a href={`/cycles/${snapshot_time}`}>{snapshot_time}</a>, violation {id}
          </dd>
          <dt>Query that shows it</dt>
          <dd>
            <code>
              <Name text={signal_query} />
            </code>
          </dd>
          <dt>Observed state</dt>
          <dd>
            <pre>{cut(plainJson(observed_state), MAX_JSON)}</pre>
          </dd>
        </dl>
      </details>
    </li>
  );
}
