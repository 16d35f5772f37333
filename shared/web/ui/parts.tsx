/** Components that several pages share. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import { cut } from "../../text.ts";
import { formatDuration, formatInstant } from "../../time.ts";
import type { ViolationRecord } from "../../wire/schemas.ts";
import { explainViolation } from "../../wire/serialize.ts";
import type { HealthState, InvariantSummary, ShownState, Summary } from "../summary.ts";
import { BAR_STATES, type BarState, describeUptime, type UptimeBars } from "../uptime.ts";
import { STATES } from "./states.ts";
import { plain, plainJson } from "./texts.ts";

/** Names and sentences are cut: nobody reads a page of a thousand long ones. */
const MAX_TEXT = 250;
const MAX_JSON = 1_000;

/** A name, or a sentence with names. Its characters can't change the direction of the text around it. */
export const Name = ({ text }: { text: string }) =>
  text.trim() === "" ? <em class="dim">(empty)</em> : <bdi dir="auto">{plain(cut(text, MAX_TEXT))}</bdi>;

/** The first names, and the number of the others. */
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

/** The time of day, with the date if it is not today. */
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

/** The age: `5 min`. */
export const Ago = ({ ms, nowMs }: { ms: number; nowMs: number }) => (
  <time datetime={formatInstant(ms)} title={formatInstant(ms)}>
    {formatDuration(Math.max(0, nowMs - ms))}
  </time>
);

/** When it began, and how long ago that is. */
export const Since = ({ ms, nowMs }: { ms: number; nowMs: number }) => (
  <>
    since <When ms={ms} nowMs={nowMs} /> (<Ago ms={ms} nowMs={nowMs} />)
  </>
);

/** The line for an invariant that can't be judged. */
export const Blind = ({ row, nowMs }: { row: InvariantSummary; nowMs: number }) =>
  row.blind_since && (
    <p>
      not judged since <When ms={Date.parse(row.blind_since)} nowMs={nowMs} />:{" "}
      <Name text={row.blind_reason ?? ""} />
    </p>
  );

/** The shape of a state. Its word is written next to it. */
export function Mark({ state }: { state: HealthState }) {
  const { shape, ring } = STATES[state];
  const { outline, sign } = ring ?? shape;
  return (
    <svg class={`mark ${state}`} viewBox="0 0 16 16" aria-hidden="true">
      <path d={outline} class={ring ? "line" : "fill"} />
      <path d={sign} class={ring ? "line" : "cut"} />
    </svg>
  );
}

export const State = ({ state }: { state: ShownState }) => (
  <span class={`state ${state}`}>
    <Mark state={state} />
    {state}
  </span>
);

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

/** A shell command. JavaScript adds a button that copies it. */
export const Command = ({ text, name }: { text: string; name: string }) => (
  <details class="command">
    <summary>{name}</summary>
    <pre data-copy>{text}</pre>
  </details>
);

interface ViolationsProps {
  readonly violations: readonly ViolationRecord[];
  readonly nowMs: number;
  readonly withInvariant?: boolean;
}

export const ViolationList = ({ violations, ...rest }: ViolationsProps) => (
  <ul class="violations">
    {violations.map((violation) => (
      <ViolationItem violation={violation} {...rest} />
    ))}
  </ul>
);

type ViolationProps = Omit<ViolationsProps, "violations"> & { readonly violation: ViolationRecord };

/** A violation in words. What was observed is folded away. */
function ViolationItem({ violation, nowMs, withInvariant = false }: ViolationProps) {
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

/** The outcome of the viewer's last action. */
export interface Notice {
  readonly text: string;
  readonly isProblem: boolean;
}

export const NoticeLine = ({ notice: { text, isProblem } }: { notice: Notice }) => (
  <p class={isProblem ? "said problem" : "said"} role={isProblem ? "alert" : "status"}>
    <Name text={text} />
  </p>
);

/** The warning that the last full cycle is too old, or that there was none. */
export function StaleLine({ summary }: { summary: Summary }) {
  const { isFresh, checkedAtMs, nowMs } = summary;
  if (isFresh) return null;
  return (
    <p class="stale-line" role="alert">
      <Mark state="stale" />
      <span>
        {checkedAtMs === null ? (
          <>
            <b>Never checked.</b> No full cycle has been completed yet: nothing here is known to hold.
          </>
        ) : (
          <>
            <b>Stale.</b> The last full cycle was {formatDuration(nowMs - checkedAtMs)} ago. What stands here
            may not be true any more: see that the schedule runs.
          </>
        )}
      </span>
    </p>
  );
}
