/** The first page: what is red, since when, and what to do. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import { formatDuration } from "../../time.ts";
import type { CycleOutline } from "../../wire/schemas.ts";
import { healthOf, type Overview, type Row, type Standings } from "../summary.ts";
import { CycleForm, EndSilence, SilenceForm, type SilenceInput } from "../ui/forms.tsx";
import { renderPage, type Viewer } from "../ui/layout.tsx";
import { Ago, Bars, Command, Mark, Name, Names, State, When } from "../ui/parts.tsx";
import { curl } from "../ui/texts.ts";
import { BAR_STATES, worstOf } from "../uptime.ts";

const MAX_NAMES = 8;
const MAX_LISTED = 10;
const MAX_CYCLES = 6;

/** What the viewer has just done, in words. */
export interface Said {
  readonly text: string;
  readonly isProblem: boolean;
}

export const SaidLine = ({ said }: { said: Said | null }) =>
  said && (
    <p class={said.isProblem ? "said problem" : "said"} role={said.isProblem ? "alert" : "status"}>
      <Name text={said.text} />
    </p>
  );

export function StaleLine({ standings }: { standings: Standings }) {
  const { isFresh, checkedAtMs, nowMs } = standings;
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

function Verdict({ standings, viewer }: { standings: Standings; viewer: Viewer }) {
  const health = healthOf(standings);
  const { checkedAtMs, nowMs, status } = standings;
  return (
    <section class="verdict" aria-label="In short">
      <Mark state={health.state} />
      <div>
        <h1>{health.text === "green" ? "All green" : health.text}</h1>
        <p class="dim">
          {checkedAtMs === null ? (
            "not checked yet"
          ) : (
            <>
              checked <Ago ms={checkedAtMs} nowMs={nowMs} /> ago, at <When ms={checkedAtMs} nowMs={nowMs} />{" "}
              UTC, in {status.cycle_duration_ms} ms
            </>
          )}
        </p>
      </div>
      <CycleForm viewer={viewer} back="/" />
    </section>
  );
}

function RowWords({ row, nowMs }: { row: Row; nowMs: number }) {
  const { shown, latest, red_subjects, redCount, silences, blind_since, blind_reason, last_red_at } = row;
  return (
    <div class="words">
      {row.status === "red" && latest && (
        <p>
          <a href={`/cycles/${latest.cycle}`}>
            <When ms={Date.parse(latest.cycle)} nowMs={nowMs} />
          </a>{" "}
          <Name text={latest.words} />
        </p>
      )}
      {redCount > 0 && <Names names={red_subjects} most={MAX_NAMES} total={redCount} />}
      {blind_since && (
        <p>
          not judged since <When ms={Date.parse(blind_since)} nowMs={nowMs} />:{" "}
          <Name text={blind_reason ?? ""} />
        </p>
      )}
      {shown === "green" && latest && last_red_at && (
        <p class="dim">
          last red <Ago ms={Date.parse(last_red_at)} nowMs={nowMs} /> ago
        </p>
      )}
      {silences.map((silence) => (
        <p class="dim">
          silenced{silence.subject !== null && " for "}
          {silence.subject !== null && <Name text={silence.subject} />} until{" "}
          <When ms={silence.untilMs} nowMs={nowMs} />: <Name text={silence.reason} />
        </p>
      ))}
    </div>
  );
}

const InvariantRow = ({ row, nowMs }: { row: Row; nowMs: number }) => (
  <li class={`row ${row.shown}`} id={row.id}>
    <State state={row.shown} />
    <h3>
      <a href={`/invariants/${row.id}`}>
        <span class="id">{row.id}</span> {row.title}
      </a>
    </h3>
    <p class="since">
      {row.since ? (
        <>
          since <When ms={Date.parse(row.since)} nowMs={nowMs} /> <span class="dim">(</span>
          <Ago ms={Date.parse(row.since)} nowMs={nowMs} />
          <span class="dim">)</span>
        </>
      ) : (
        <span class="dim">not judged yet</span>
      )}
    </p>
    <Bars strip={row.strip} of={row.id} />
    <RowWords row={row} nowMs={nowMs} />
  </li>
);

function Sources({ standings: { status } }: { standings: Standings }) {
  const { source_latency_ms, sources_unavailable } = status;
  const unread = (name: string) => sources_unavailable.filter((line) => new RegExp(`^${name}\\b`).test(line));
  const named = Object.keys(source_latency_ms).filter((name) => /^\w+$/.test(name));
  const others = sources_unavailable.filter((line) => !named.some((name) => unread(name).includes(line)));
  return (
    <section>
      <h2>Sources</h2>
      {named.length + others.length === 0 && <p class="dim">none was read yet</p>}
      <ul class="facts">
        {named.map((name) => (
          <li>
            <State state={unread(name).length > 0 ? "unknown" : "green"} />
            <b>{name}</b>
            <span class="number">{source_latency_ms[name]!.toLocaleString("en")} ms</span>
            {unread(name)
              .slice(0, MAX_LISTED)
              .map((line) => (
                <p>
                  <Name text={line} />
                </p>
              ))}
          </li>
        ))}
        {others.slice(0, MAX_LISTED).map((line) => (
          <li>
            <State state="unknown" />
            <span>
              <Name text={line} />
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

const Alerts = ({ standings: { status, pending, nowMs } }: { standings: Standings }) => (
  <section>
    <h2>Alerts</h2>
    <p>
      {status.alerts.channels.length === 0
        ? "No channel: nobody is told. Set SLACK_WEBHOOK_URL or ALERT_TOPIC_ARN."
        : pending.length === 0
          ? `All told, by ${status.alerts.channels.join(" and ")}.`
          : `${pending.length} pending, by ${status.alerts.channels.join(" and ")}.`}
    </p>
    {pending.length > 0 && (
      <ul class="facts">
        {pending.slice(0, MAX_LISTED).map((alert) => (
          <li>
            <Name text={alert.title} />
            <span class="number">
              <Ago ms={alert.sinceMs} nowMs={nowMs} />, {alert.channels.join(", ")}
            </span>
          </li>
        ))}
        {pending.length > MAX_LISTED && <li class="dim">and {pending.length - MAX_LISTED} more</li>}
      </ul>
    )}
  </section>
);

const Silences = ({ standings, viewer }: { standings: Standings; viewer: Viewer }) => (
  <section id="silences">
    <h2>Silences</h2>
    {standings.status.silences.length === 0 && <p class="dim">None: whatever turns red is told.</p>}
    <ul class="facts">
      {standings.status.silences.map((silence) => (
        <li>
          <b class="id">{silence.invariant_id}</b>
          <span>
            {silence.subject !== null && (
              <>
                <Name text={silence.subject} />,{" "}
              </>
            )}
            until <When ms={Date.parse(silence.until)} nowMs={standings.nowMs} />:{" "}
            <Name text={silence.reason} />
          </span>
          <EndSilence viewer={viewer} id={silence.id} back="/" />
        </li>
      ))}
    </ul>
  </section>
);

const Cycles = ({ cycles, nowMs }: { cycles: readonly CycleOutline[]; nowMs: number }) => (
  <section>
    <h2>Latest cycles</h2>
    {cycles.length === 0 && <p class="dim">none in the last 24 hours</p>}
    <ul class="facts">
      {cycles.slice(0, MAX_CYCLES).map(({ snapshot_time, trigger, verdicts, found }) => {
        const worst = worstOf(Object.values(verdicts).map((v) => v.status));
        return (
          <li>
            <State state={worst === "missing" ? "off" : worst} />
            <a href={`/cycles/${snapshot_time}`}>
              <When ms={Date.parse(snapshot_time)} nowMs={nowMs} />
            </a>
            <span class="ids">{Object.keys(found ?? {}).join(" ")}</span>
            <span class="number dim">{trigger}</span>
          </li>
        );
      })}
    </ul>
  </section>
);

/** @returns the first page */
export function renderOverview(
  { standings, rows, cycles }: Overview,
  viewer: Viewer,
  said: Said | null,
  silence: SilenceInput,
): string {
  const { nowMs, environment } = standings;
  const mostRed = Math.max(...rows.map((row) => row.redCount));
  return renderPage({
    title: "",
    environment,
    health: healthOf(standings),
    viewer,
    children: (
      <>
        <SaidLine said={said} />
        <StaleLine standings={standings} />
        <Verdict standings={standings} viewer={viewer} />
        <section>
          <div class="head">
            <h2>Invariants</h2>
            <p class="legend" aria-hidden="true">
              {BAR_STATES.map((state) => (
                <span>
                  <svg viewBox="0 0 8 20" class="bars" aria-hidden="true">
                    <path
                      class={`bar ${state}`}
                      d={`M1 20V${{ red: 0, unknown: 5, green: 10, off: 14, missing: 18 }[state]}`}
                      stroke-width="6"
                      transform="translate(3 0)"
                    />
                  </svg>
                  {state}
                </span>
              ))}
              <span>24 hours, 5 minutes a bar</span>
            </p>
          </div>
          <ol class="rows">
            {rows.map((row) => (
              <InvariantRow row={row} nowMs={nowMs} />
            ))}
          </ol>
          {mostRed > MAX_NAMES && (
            <Command
              name="All red subjects: the same from a shell"
              text={curl(viewer, "GET", "/api/canary/status")}
            />
          )}
        </section>
        <div class="cards">
          <Sources standings={standings} />
          <Alerts standings={standings} />
          <Cycles cycles={cycles} nowMs={nowMs} />
          <Silences standings={standings} viewer={viewer} />
          <SilenceForm viewer={viewer} back="/" input={silence} subjects={[]} nowMs={nowMs} />
        </div>
      </>
    ),
  });
}
