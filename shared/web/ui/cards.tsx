/** The cards of the first page. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import type { PropsWithChildren } from "hono/jsx";
import type { CycleOutline } from "../../wire/schemas/cycles.ts";
import type { StatusBody } from "../../wire/schemas/status.ts";
import type { Summary } from "../summary.ts";
import { CycleList } from "./cycle-list.tsx";
import { EndSilence } from "./forms.tsx";
import { Ago, Name, Sentence, State, Until } from "./parts.tsx";

const MAX_LISTED = 10;
const MAX_CYCLES = 6;

/** The sources with their latency, and what could not be read. */
export function Sources({ status }: { status: StatusBody }) {
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
                <Sentence text={line} />
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

function channelsLine({ status, channels }: StatusBody["alerts"], pendingCount: number): string {
  if (status === "no channel")
    return "No channel: nobody is notified. Set SLACK_WEBHOOK_URL or ALERT_TOPIC_ARN.";
  if (channels.length === 0) return "The next full cycle says which channels there are.";
  return `${pendingCount === 0 ? "All delivered" : `${pendingCount} pending`}, by ${channels.join(" and ")}.`;
}

/** The alert channels and the pending alerts. */
export const Alerts = ({ summary: { status, pending } }: { summary: Summary }) => (
  <section>
    <h2>Alerts</h2>
    <p>{channelsLine(status.alerts, pending.length)}</p>
    {pending.length > 0 && (
      <ul class="facts">
        {pending.slice(0, MAX_LISTED).map((alert) => (
          <li>
            <Name text={alert.title} />
            <span class="number">
              <Ago ms={alert.sinceMs} />, {alert.channels.join(", ")}
            </span>
          </li>
        ))}
        {pending.length > MAX_LISTED && <li class="dim">and {pending.length - MAX_LISTED} more</li>}
      </ul>
    )}
  </section>
);

/** The silences in force, and the form for another one. */
export const Silences = ({ summary, children }: PropsWithChildren<{ summary: Summary }>) => (
  <section id="silences">
    <h2>Silences</h2>
    {summary.status.silences.length === 0 && (
      <p class="dim">None: everything that turns red makes an alert.</p>
    )}
    <ul class="facts">
      {summary.status.silences.map((silence) => (
        <li>
          <b class="id">{silence.invariant_id}</b>
          <span>
            {silence.subject !== null && (
              <>
                <Name text={silence.subject} />,{" "}
              </>
            )}
            <Until
              silence={{
                untilMs: silence.until === null ? null : Date.parse(silence.until),
                untilRecovered: silence.until_recovered,
                reason: silence.reason,
                by: silence.by,
              }}
            />
          </span>
          <EndSilence id={silence.id} back="/" />
        </li>
      ))}
    </ul>
    {children}
  </section>
);

/** The newest cycles. */
export const Cycles = ({ cycles }: { cycles: readonly CycleOutline[] }) => (
  <section>
    <h2>Latest cycles</h2>
    {cycles.length === 0 && <p class="dim">none in the last 24 hours</p>}
    <CycleList cycles={cycles.slice(0, MAX_CYCLES)} />
    <p>
      <a href="/cycles">All cycles</a>
    </p>
  </section>
);
