/** Episodes in a list: who, from when to when, and how it was first, last and at its worst. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import { cut, plainJson } from "../../text.ts";
import { formatDuration } from "../../time.ts";
import type { EpisodeRecord } from "../../wire/schemas/episodes.ts";
import { useNow } from "./context.ts";
import { Name, State, SubjectLink, When } from "./parts.tsx";
import { counted } from "./texts.ts";

const MAX_JSON = 500;

/** Why it is open although the last cycle did not find it. */
const HELD: Readonly<Record<NonNullable<EpisodeRecord["held"]>, string>> = {
  unseen: "stays red: it could not be looked at since",
  off: "not looked at: the invariant is off",
  uncounted: "one of those that are only counted",
};

const ENDED: Readonly<Record<NonNullable<EpisodeRecord["ended"]>, string>> = {
  recovered: "recovered",
  gone: "gone from the roster",
  unknown: "its end is not known",
};

/** `19:55–20:07, 12 min, 12 cycles` */
function Span({ episode: { since, until, cycles } }: { episode: EpisodeRecord }) {
  const [sinceMs, untilMs] = [Date.parse(since), until === null ? null : Date.parse(until)];
  const now = useNow();
  return (
    <span class="span">
      {untilMs === null && "since "}
      <When ms={sinceMs} />
      {untilMs !== null && (
        <>
          –<When ms={untilMs} />
        </>
      )}
      , {formatDuration(Math.max(0, (untilMs ?? now) - sinceMs))}, {counted(cycles, "cycle")}
    </span>
  );
}

const StateText = ({ state, ofCycle }: { state: EpisodeRecord["first_state"]; ofCycle?: string }) => (
  <>
    {ofCycle && (
      <a href={`/cycles/${ofCycle}`}>
        <When ms={Date.parse(ofCycle)} />
      </a>
    )}
    {state === null ? " not known" : <pre>{cut(plainJson(state), MAX_JSON)}</pre>}
  </>
);

function Details({ episode }: { episode: EpisodeRecord }) {
  const { id, since, first_state, last_state, peak, words } = episode;
  const isSame = JSON.stringify(first_state) === JSON.stringify(last_state);
  return (
    <dl>
      <dt>First</dt>
      <dd>
        <StateText state={first_state} ofCycle={since} />
      </dd>
      <dt>Last</dt>
      <dd>{isSame && first_state !== null ? "as at first" : <StateText state={last_state} />}</dd>
      <dt>Worst</dt>
      <dd>
        {counted(peak.value, "finding")}, at{" "}
        <a href={`/cycles/${peak.at}`}>
          <When ms={Date.parse(peak.at)} />
        </a>
        {peak.words !== null && peak.words !== words && (
          <>
            : <Name text={peak.words} />
          </>
        )}
      </dd>
      <dt>Episode</dt>
      <dd>
        <code>{id}</code>
      </dd>
    </dl>
  );
}

interface EpisodeListProps {
  readonly episodes: readonly EpisodeRecord[];
  /** What tells them apart. */
  readonly by: "subject" | "invariant";
}

function EpisodeItem({ episode, by }: { episode: EpisodeRecord } & Pick<EpisodeListProps, "by">) {
  const { invariant_id: id, subject, severity, ended, held, words } = episode;
  return (
    <li class="episode">
      <p class="head">
        <State state={ended === null ? "red" : "off"} word={ended === null ? "open" : "ended"} />
        {by === "subject" ? (
          <SubjectLink name={subject} />
        ) : (
          <a href={`/invariants/${id}`} class="id">
            {id}
          </a>
        )}
        <Span episode={episode} />
        <span class="dim">
          {severity}
          {ended !== null && `, ${ENDED[ended]}`}
          {held !== null && `, ${HELD[held]}`}
        </span>
      </p>
      <details class="violation">
        <summary>{words === null ? "what was found" : <Name text={words} />}</summary>
        <Details episode={episode} />
      </details>
    </li>
  );
}

/** @param episodes newest first */
export const EpisodeList = ({ episodes, by }: EpisodeListProps) => (
  <ul class="violations">
    {episodes.map((episode) => (
      <EpisodeItem episode={episode} by={by} />
    ))}
  </ul>
);
