/** One invariant: what it means, what to do, and what it has found over time. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */

import { healthOf, type InvariantView, type Row } from "../summary.ts";
import { EndSilence, SilenceForm, type SilenceInput } from "../ui/forms.tsx";
import { renderPage, type Viewer } from "../ui/layout.tsx";
import { Ago, Bars, Command, Days, Name, State, Violation, When } from "../ui/parts.tsx";
import { curl, plain } from "../ui/texts.ts";
import { type Said, SaidLine, StaleLine } from "./overview.tsx";

const MAX_SUBJECTS = 25;

function RedSubjects({ row, nowMs, viewer }: { row: Row; nowMs: number; viewer: Viewer }) {
  if (row.redCount === 0) return null;
  const shown = row.red_subjects.slice(0, MAX_SUBJECTS);
  return (
    <section>
      <h2>Red now</h2>
      <ul class="facts">
        {shown.map((subject) => {
          const sinceMs = Object.hasOwn(row.red, subject) ? row.red[subject]!.sinceMs : null;
          return (
            <li>
              <Name text={subject} />
              {sinceMs !== null && (
                <span class="number">
                  since <When ms={sinceMs} nowMs={nowMs} /> (<Ago ms={sinceMs} nowMs={nowMs} />)
                </span>
              )}
              <a class="quiet" href={`/invariants/${row.id}?${new URLSearchParams({ subject })}#silence`}>
                Silence <span class="unseen">{plain(subject)}</span>
              </a>
            </li>
          );
        })}
      </ul>
      {row.redCount > shown.length && (
        <>
          <p>and {(row.redCount - shown.length).toLocaleString("en")} more</p>
          <Command name="All of them: from a shell" text={curl(viewer, "GET", "/api/canary/status")} />
        </>
      )}
    </section>
  );
}

function Violations({ view, viewer }: { view: InvariantView; viewer: Viewer }) {
  const { invariant, standings, violations, violationsInCycles, olderThan, days } = view;
  const { nowMs } = standings;
  const left = violationsInCycles - violations.length;
  return (
    <section>
      <h2>Violations</h2>
      <Days days={days} />
      {violations.length === 0 && <p class="dim">none to show</p>}
      <ul class="violations">
        {violations.map((violation) => (
          <Violation violation={violation} nowMs={nowMs} />
        ))}
      </ul>
      {left > 0 && <p>and {left.toLocaleString("en")} more of these cycles</p>}
      {olderThan && (
        <p>
          <a href={`/invariants/${invariant.id}?before=${encodeURIComponent(olderThan)}`}>Older violations</a>
        </p>
      )}
      <Command
        name="All of them: from a shell"
        text={curl(viewer, "GET", `/api/canary/violations?invariant_id=${invariant.id}&limit=1000`)}
      />
    </section>
  );
}

/** @returns the page of one invariant */
export function renderInvariant(
  view: InvariantView,
  viewer: Viewer,
  said: Said | null,
  silence: SilenceInput,
): string {
  const { standings, invariant, row } = view;
  const { nowMs } = standings;
  const { id, title, tier, severity, guards, runbook, reads, confirm } = invariant;
  const back = `/invariants/${id}`;
  return renderPage({
    title: `${id} ${title}`,
    environment: standings.environment,
    health: healthOf(standings),
    viewer,
    children: (
      <>
        <SaidLine said={said} />
        <StaleLine standings={standings} />
        <nav aria-label="Breadcrumb">
          <a href="/">All invariants</a>
        </nav>
        <section class="one">
          <h1>
            <span class="id">{id}</span> {title}
          </h1>
          <p>
            <State state={row.shown} />{" "}
            {row.since && (
              <>
                since <When ms={Date.parse(row.since)} nowMs={nowMs} /> (
                <Ago ms={Date.parse(row.since)} nowMs={nowMs} />)
              </>
            )}
          </p>
          {row.status === "red" && row.latest && (
            <p>
              <Name text={row.latest.words} />
            </p>
          )}
          {row.blind_since && (
            <p>
              not judged since <When ms={Date.parse(row.blind_since)} nowMs={nowMs} />:{" "}
              <Name text={row.blind_reason ?? ""} />
            </p>
          )}
          <Bars strip={row.strip} of={id} />
          <p class="scale dim" aria-hidden="true">
            <span>24 hours ago</span>
            <span>now</span>
          </p>
        </section>
        <div class="cards two">
          <section>
            <h2>What it guards</h2>
            <p>{guards}</p>
            <p class="dim">
              tier {tier}, {severity}, reads {reads.join(", ")}
              {confirm && ", read again before it counts"}
            </p>
          </section>
          <section>
            <h2>What to do</h2>
            <p>{runbook}</p>
          </section>
        </div>
        <RedSubjects row={row} nowMs={nowMs} viewer={viewer} />
        <Violations view={view} viewer={viewer} />
        <div class="cards two">
          <SilenceForm
            viewer={viewer}
            back={back}
            input={{ ...silence, invariant: id }}
            subjects={row.red_subjects.slice(0, MAX_SUBJECTS)}
            nowMs={nowMs}
          />
          {row.silences.length > 0 && (
            <section>
              <h2>Silences</h2>
              <ul class="facts">
                {row.silences.map((s) => (
                  <li>
                    <span>
                      {s.subject === null ? "all of it" : <Name text={s.subject} />} until{" "}
                      <When ms={s.untilMs} nowMs={nowMs} />: <Name text={s.reason} />
                    </span>
                    <EndSilence viewer={viewer} id={s.id} back={back} />
                  </li>
                ))}
              </ul>
            </section>
          )}
        </div>
      </>
    ),
  });
}
