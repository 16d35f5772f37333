/** Components that several pages share. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import type { Silence } from "../../alerts/silence.ts";
import { cut, plainJson } from "../../text.ts";
import { formatDuration, formatInstant } from "../../time.ts";
import type { ViolationRecord } from "../../wire/schemas/violations.ts";
import { explainViolation } from "../../wire/serialize.ts";
import { describeAge } from "../describe-status.ts";
import type { HealthState, InvariantSummary, ShownState, Summary } from "../summary.ts";
import { useMayChange, useNow } from "./context.ts";
import { STATES } from "./states.ts";
import { agentPath, plain } from "./texts.ts";
import { RestoreSilence } from "./undo.tsx";

/** Names and sentences are cut: nobody reads a page of a thousand long ones. */
const MAX_TEXT = 250;
const MAX_JSON = 1_000;
const MAX_BLIND = 1_500;
/** The length of a name beside others, and of the address of its page. */
const MAX_NAME = 80;
const MAX_PATH = 300;

/** A name, or a sentence with names. Its characters can't change the direction of the text around it. */
export const Name = ({ text, most = MAX_TEXT }: { text: string; most?: number }) =>
  text.trim() === "" ? <em class="dim">(empty)</em> : <bdi dir="auto">{plain(cut(text, most))}</bdi>;

export const Sentence = ({ text }: { text: string }) => (
  <p>
    <Name text={text} />
  </p>
);

/** An agent, or another subject, with a link to its page. A name whose address would be very long has none. */
export function SubjectLink({ name }: { name: string }) {
  const path = agentPath(name);
  const shown = <Name text={name} most={MAX_NAME} />;
  return path.length > MAX_PATH || name.trim() === "" ? shown : <a href={path}>{shown}</a>;
}

interface NamesProps {
  readonly names: readonly string[];
  readonly most: number;
  readonly total?: number;
}

/** The first names, each with a link to its page, and the number of the others. */
export function Names({ names, most, total = names.length }: NamesProps) {
  const shown = names.slice(0, most);
  return (
    <ul class="names">
      {shown.map((name) => (
        <li>
          <SubjectLink name={name} />
        </li>
      ))}
      {total > shown.length && <li class="more">and {(total - shown.length).toLocaleString("en")} more</li>}
    </ul>
  );
}

/** The time of day, with the date if it is not today. */
export function When({ ms }: { ms: number }) {
  const iso = formatInstant(ms);
  const isToday = iso.slice(0, 10) === formatInstant(useNow()).slice(0, 10);
  return (
    <time datetime={iso} title={iso}>
      {isToday ? "" : `${iso.slice(5, 10)} `}
      {iso.slice(11, 16)}
    </time>
  );
}

/** The age: `5 min`. */
export const Ago = ({ ms }: { ms: number }) => (
  <time datetime={formatInstant(ms)} title={formatInstant(ms)}>
    {formatDuration(Math.max(0, useNow() - ms))}
  </time>
);

export const InvariantLink = ({ id, title }: { id: string; title: string }) => (
  <h3>
    <a href={`/invariants/${id}`}>
      <span class="id">{id}</span> {title}
    </a>
  </h3>
);

interface SilenceLinkProps {
  readonly id: string;
  /** "" for all of it. */
  readonly subject?: string;
}

/** The link to the form that silences an invariant, or one subject of it. Who may only read has none. */
export const SilenceLink = ({ id, subject = "" }: SilenceLinkProps) =>
  useMayChange() ? (
    <a class="quiet" href={`/invariants/${id}?${new URLSearchParams({ subject })}#silence`}>
      Silence <span class="unseen">{plain(subject || id)}</span>
    </a>
  ) : null;

type SilenceEnd = Pick<Silence, "untilMs" | "untilRecovered" | "reason" | "by">;

/** The end and the reason of a silence, and who made it. */
export const Until = ({ silence: { untilMs, untilRecovered, reason, by } }: { silence: SilenceEnd }) => (
  <>
    until {untilMs !== null && <When ms={untilMs} />}
    {untilMs !== null && untilRecovered && " or "}
    {untilRecovered && "it recovers"}: <Name text={reason} />
    {by !== undefined && (
      <span class="dim">
        {" "}
        (<Name text={by} />)
      </span>
    )}
  </>
);

/** When it began, and how long ago that is. */
export const SinceInstant = ({ ms }: { ms: number }) => (
  <>
    since <When ms={ms} /> (<Ago ms={ms} />)
  </>
);

/** The line for an invariant that can't be judged. */
export const Blind = ({ row }: { row: InvariantSummary }) =>
  row.blind_since && (
    <p>
      not judged since <When ms={Date.parse(row.blind_since)} />: <Name text={row.blind_reason ?? ""} />
    </p>
  );

/** Why an invariant is off. That it is stands next to it. */
export const Off = ({ reason }: { reason: string | null | undefined }) =>
  reason && (
    <p class="dim">
      <Name text={reason} />
    </p>
  );

/** The shape of a state. Its word is written next to it. */
export function Mark({ state }: { state: HealthState }) {
  const { ring } = STATES[state];
  const { outline, sign } = ring ?? STATES[state];
  return (
    <svg class={`mark ${state}`} viewBox="0 0 16 16" aria-hidden="true">
      <path d={outline} class={ring ? "line" : "fill"} />
      <path d={sign} class={ring ? "line" : "cut"} />
    </svg>
  );
}

/** The state of an invariant, and how severe it is where it breaks. */
export const Judged = ({ row }: { row: InvariantSummary }) => (
  <p class="judged">
    <State state={row.shown} />
    <span class={`severity ${row.severity}`}>{row.severity}</span>
  </p>
);

/** @param word another word for it */
export const State = ({ state, word = state }: { state: ShownState; word?: string }) => (
  <span class={`state ${state}`}>
    <Mark state={state} />
    {word}
  </span>
);

interface ViolationsProps {
  readonly violations: readonly ViolationRecord[];
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
function ViolationItem({ violation, withInvariant = false }: ViolationProps) {
  const { id, invariant_id, subject, severity, snapshot_time, observed_state, signal_query } = violation;
  return (
    <li>
      <details class="violation">
        <summary>
          <When ms={Date.parse(snapshot_time)} />
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
export interface PageNotice {
  readonly text: string;
  readonly isProblem: boolean;
  /** Whether the state of now follows: `The cycle is done: 2 red, 1 silenced.` */
  readonly withHealth?: boolean;
  /** A silence that the viewer has just ended, signed: one click restores it. */
  readonly undo?: string | undefined;
}

interface NoticeProps {
  readonly notice: PageNotice;
  /** The state of now, in the words of the page. */
  readonly health: string | undefined;
}

export const NoticeLine = ({ notice: { text, isProblem, withHealth, undo }, health }: NoticeProps) => (
  <div class={isProblem ? "said problem" : "said"} role={isProblem ? "alert" : "status"}>
    <Name text={withHealth && health ? `${text}: ${health}.` : text} />
    {undo !== undefined && <RestoreSilence undo={undo} />}
  </div>
);

/** What the canary can't see, and why: on every page. */
export const BlindLine = ({ summary: { blind } }: { summary: Summary }) =>
  blind && (
    <p class="stale-line blind" role="status">
      <Mark state="unknown" />
      <span>
        <Name text={blind.words} most={MAX_BLIND} />
      </span>
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
            <b>Stale.</b> The last full cycle was {describeAge(checkedAtMs, nowMs)}. What stands here may be
            out of date: check that the schedule runs.
          </>
        )}
      </span>
    </p>
  );
}
