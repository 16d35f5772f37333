/** One cycle, whole. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import { INVARIANTS } from "../../invariants/index.ts";
import { type CycleView, healthOf } from "../summary.ts";
import { renderPage, type Viewer } from "../ui/layout.tsx";
import { Command, Name, Names, State, Violation } from "../ui/parts.tsx";
import { curl } from "../ui/texts.ts";

const MAX_NAMES = 8;

function Verdicts({ cycle }: { cycle: CycleView["cycle"] }) {
  const { verdicts, checks_off, found } = cycle;
  const shown = INVARIANTS.filter(({ id }) => verdicts[id] || checks_off.includes(id));
  return (
    <ol class="rows plain">
      {shown.map(({ id, title }) => {
        const verdict = verdicts[id];
        const of = found?.[id];
        return (
          <li class={`row ${verdict?.status ?? "off"}`}>
            <State state={verdict?.status ?? "off"} />
            <h3>
              <a href={`/invariants/${id}`}>
                <span class="id">{id}</span> {title}
              </a>
            </h3>
            <p class="since">{verdict ? `${verdict.checked} checked` : "not run"}</p>
            <div class="words">
              {of && (
                <p>
                  {of.violations.toLocaleString("en")} violation(s): <Name text={of.summary} />
                </p>
              )}
              {verdict?.reason && (
                <p>
                  <Name text={verdict.reason} />
                </p>
              )}
              {verdict && verdict.unseen.length > 0 && (
                <>
                  <p>unseen:</p>
                  <Names names={verdict.unseen} most={MAX_NAMES} total={verdict.unseen.length} />
                </>
              )}
            </div>
          </li>
        );
      })}
    </ol>
  );
}

function Changes({ cycle: { transitions, spreads, recoveries } }: { cycle: CycleView["cycle"] }) {
  const silenced = (is: boolean) => is && <span class="dim">(silenced)</span>;
  if (transitions.length + spreads.length + recoveries.length === 0)
    return <p class="dim">Nothing changed in it.</p>;
  return (
    <ul class="facts">
      {transitions.map((t) => (
        <li>
          <b class="id">{t.invariant_id}</b> broke {silenced(t.silenced)}
        </li>
      ))}
      {spreads.map((t) => (
        <li>
          <b class="id">{t.invariant_id}</b> spread {silenced(t.silenced)}
          <Names names={t.subjects} most={MAX_NAMES} total={t.subjects.length} />
        </li>
      ))}
      {recoveries.map((t) => (
        <li>
          <b class="id">{t.invariant_id}</b> recovered, red since {t.red_since} {silenced(t.silenced)}
          <Names names={t.subjects} most={MAX_NAMES} total={t.subjects.length} />
        </li>
      ))}
    </ul>
  );
}

/** @returns the page of one cycle */
export function renderCycle({ standings, cycle, violations }: CycleView, viewer: Viewer): string {
  const { snapshot_time, trigger, duration_ms, sources_unavailable, violation_count } = cycle;
  const query = `/api/canary/violations?start_time=${snapshot_time}&end_time=${snapshot_time}&limit=1000`;
  return renderPage({
    title: `cycle of ${snapshot_time}`,
    environment: standings.environment,
    health: healthOf(standings),
    viewer,
    children: (
      <>
        <nav aria-label="Breadcrumb">
          <a href="/">All invariants</a>
        </nav>
        <section class="one">
          <h1>
            Cycle of <time datetime={snapshot_time}>{snapshot_time.slice(0, 19).replace("T", " ")} UTC</time>
          </h1>
          <p class="dim">
            asked for by {trigger}, took {duration_ms.toLocaleString("en")} ms, found{" "}
            {violation_count.toLocaleString("en")} violation(s)
          </p>
        </section>
        <section>
          <h2>Verdicts</h2>
          <Verdicts cycle={cycle} />
        </section>
        <div class="cards two">
          <section>
            <h2>Changes</h2>
            <Changes cycle={cycle} />
          </section>
          <section>
            <h2>Sources</h2>
            {sources_unavailable.length === 0 && <p class="dim">All were read.</p>}
            <ul class="facts">
              {sources_unavailable.slice(0, 10).map((line) => (
                <li>
                  <Name text={line} />
                </li>
              ))}
              {sources_unavailable.length > 10 && <li>and {sources_unavailable.length - 10} more</li>}
            </ul>
          </section>
        </div>
        {violation_count > 0 && (
          <section>
            <h2>Violations</h2>
            <ul class="violations">
              {violations.map((violation) => (
                <Violation violation={violation} nowMs={standings.nowMs} withInvariant />
              ))}
            </ul>
            {violation_count > violations.length && (
              <p>and {(violation_count - violations.length).toLocaleString("en")} more</p>
            )}
            <Command name="All of them: from a shell" text={curl(viewer, "GET", query)} />
          </section>
        )}
      </>
    ),
  });
}
