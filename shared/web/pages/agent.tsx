/** The page of one agent: what is red of it and what to type, its episodes, and its slots and rows as last seen. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import { findInvariant } from "../../invariants/index.ts";
import { cut } from "../../text.ts";
import type { AgentBody, SeenRowRecord, SeenSlotRecord } from "../../wire/schemas/agents.ts";
import { readAgent } from "../agents.ts";
import { readSummary } from "../summary.ts";
import { Command } from "../ui/command.tsx";
import { EpisodeList } from "../ui/episodes.tsx";
import { GuidanceBlock } from "../ui/guidance.tsx";
import { renderPage } from "../ui/layout.tsx";
import { InvariantLink, Name, Sentence, SilenceLink, SinceInstant, When } from "../ui/parts.tsx";
import { counted, plain } from "../ui/texts.ts";
import type { CanaryView } from "../view.ts";
import { AgentState, countWords } from "./agents.tsx";
import type { Page, PageRequest } from "./page.ts";

const MAX_EPISODES = 20;
const MAX_TITLE = 60;
const MAX_ROWS = 50;
/** Invariants whose commands are shown: an agent is rarely red in more. */
const MAX_RED = 10;

type AgentData = NonNullable<Awaited<ReturnType<typeof readAgentPage>>>;

/** Reads the agent in some eight requests. Null where nothing is known of that name. */
async function readAgentPage(view: CanaryView, name: string, cursor: string | null) {
  const nowMs = view.now();
  const [summary, agent, episodes] = await Promise.all([
    readSummary(view),
    readAgent(view, name),
    view.store.episodes.list({ subject: name, startMs: 0, endMs: nowMs, nowMs }, MAX_EPISODES, cursor),
  ]);
  return agent && { summary, agent, episodes, runbookAt: view.runbookAt };
}

const rosterWords = (onRoster: boolean | null): string =>
  onRoster === null
    ? "Whether it is on the roster is not known"
    : onRoster
      ? "On the roster"
      : "Not on the roster";

function Heading({ agent }: { agent: AgentBody }) {
  const { name, red, on_roster, seen_at, unread } = agent;
  return (
    <section class="one">
      <h1>
        <Name text={name} />
      </h1>
      <p>
        <AgentState red={red.length > 0} onRoster={on_roster} />{" "}
        {[rosterWords(on_roster), countWords(agent)].filter(Boolean).join(", ")}
      </p>
      {seen_at && (
        <p class="dim">
          as seen at <When ms={Date.parse(seen_at)} /> UTC
          {unread.length > 0 && (
            <>
              ; not read then: <Name text={unread.join("; ")} />
            </>
          )}
        </p>
      )}
    </section>
  );
}

function RedItem({ red, name, runbook }: { red: AgentBody["red"][number]; name: string; runbook: string }) {
  const { invariant_id: id, title, severity, since, cycles, words, verify, fix, safe } = red;
  return (
    <li class="red-item">
      <div class="head">
        <InvariantLink id={id} title={title} />
        <p>
          <span class={`severity ${severity}`}>{severity}</span> <SinceInstant ms={Date.parse(since)} />
          {cycles > 0 && `, ${counted(cycles, "cycle")}`}
        </p>
      </div>
      {words !== null && <Sentence text={words} />}
      <p>{findInvariant(id)?.impact}</p>
      <GuidanceBlock guidance={{ verify, fix }} safe={safe ?? ""} />
      <p class="who">
        <a href={runbook} class="quiet">
          Runbook <span class="unseen">of {id}</span>
        </a>
        <SilenceLink id={id} subject={name} />
      </p>
    </li>
  );
}

function Red({ data: { agent, runbookAt } }: { data: AgentData }) {
  const { red, name } = agent;
  if (red.length === 0) return null;
  return (
    <section>
      <h2>Red now</h2>
      <ul class="violations">
        {red.slice(0, MAX_RED).map((one) => (
          <RedItem red={one} name={name} runbook={runbookAt(one.invariant_id)} />
        ))}
      </ul>
      {red.length > MAX_RED && (
        <p>
          and{" "}
          {red
            .slice(MAX_RED)
            .map((one) => one.invariant_id)
            .join(", ")}
        </p>
      )}
    </section>
  );
}

const ttlWords = (seconds: number | null): string => {
  if (seconds === null) return "not read";
  return seconds === -2
    ? "hash missing"
    : seconds === -1
      ? "never expires"
      : `${seconds.toLocaleString("en")} s`;
};

const Slots = ({ slots, total }: { slots: readonly SeenSlotRecord[]; total: number }) => (
  <section>
    <h2>Slots</h2>
    {slots.length === 0 && <p class="dim">none</p>}
    {slots.length > 0 && (
      <table>
        <thead>
          <tr>
            <th scope="col">Execution</th>
            <th scope="col">Acquired</th>
            <th scope="col">Expires in</th>
          </tr>
        </thead>
        <tbody>
          {slots.slice(0, MAX_ROWS).map(({ id, acquired_at, ttl_seconds }) => (
            <tr>
              <td>
                <code>
                  <Name text={id} />
                </code>
              </td>
              <td>{acquired_at ? <When ms={Date.parse(acquired_at)} /> : "not known"}</td>
              <td>{ttlWords(ttl_seconds)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    )}
    {total > Math.min(slots.length, MAX_ROWS) && <p>and {total - Math.min(slots.length, MAX_ROWS)} more</p>}
  </section>
);

const Rows = ({ rows, total }: { rows: readonly SeenRowRecord[]; total: number }) => (
  <section>
    <h2>Rows</h2>
    {rows.length === 0 && <p class="dim">none is running or queued</p>}
    {rows.length > 0 && (
      <table>
        <thead>
          <tr>
            <th scope="col">Execution</th>
            <th scope="col">Status</th>
            <th scope="col">Started</th>
            <th scope="col">By</th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, MAX_ROWS).map(({ id, status, started_at, triggered_by }) => (
            <tr>
              <td>
                <code>
                  <Name text={id} />
                </code>
              </td>
              <td>{status}</td>
              <td>{started_at === null ? "–" : <Name text={started_at} />}</td>
              <td>{triggered_by === null ? "–" : <Name text={triggered_by} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    )}
    {total > Math.min(rows.length, MAX_ROWS) && <p>and {total - Math.min(rows.length, MAX_ROWS)} more</p>}
  </section>
);

const AsLastSeen = ({ agent: { slots, rows, slots_used, running, queued } }: { agent: AgentBody }) =>
  slots === null && rows === null ? null : (
    <div class="cards two">
      {slots && <Slots slots={slots} total={slots_used ?? slots.length} />}
      {rows && <Rows rows={rows} total={(running ?? 0) + (queued ?? 0)} />}
    </div>
  );

function Episodes({ data: { agent, episodes } }: { data: AgentData }) {
  const query = new URLSearchParams({ subject: agent.name, limit: "1000" });
  return (
    <section>
      <h2>Episodes</h2>
      {episodes.items.length === 0 && <p class="dim">None in 90 days.</p>}
      {episodes.items.length > 0 && <EpisodeList episodes={episodes.items} by="invariant" />}
      {episodes.cursor !== null && (
        <p>
          <a href={`?${new URLSearchParams({ name: agent.name, episodes: episodes.cursor })}`}>
            Older episodes
          </a>
        </p>
      )}
      <Command name="All of them: from a shell" path={`/api/canary/episodes?${query}`} />
    </section>
  );
}

function renderAgentPage(data: AgentData, { viewer, notice }: PageRequest): string {
  const { summary, agent } = data;
  const { environment } = summary;
  return renderPage(
    { title: plain(cut(agent.name, MAX_TITLE)), environment, summary, viewer, notice },
    <>
      <nav aria-label="Breadcrumb" class="pager">
        <a href="/">All invariants</a>
        <a href="/agents">All agents</a>
      </nav>
      <Heading agent={agent} />
      <Red data={data} />
      <AsLastSeen agent={agent} />
      <Episodes data={data} />
    </>,
  );
}

export const agentPage: Page = {
  path: "/agents/:name",
  address: /^\/agents\/([\w.~!*'()%-]{1,2000})$/,
  reloads: true,
  async render(request) {
    // A name that can't stand in a path is a parameter.
    const name = request.query("name") ?? request.name;
    const data = await readAgentPage(request.view, name, request.query("episodes") ?? null);
    if (data) return renderAgentPage(data, request);
    const text = "No agent with that name was on the roster or red, as far as is known.";
    return { title: "There is no such agent", text };
  },
};
