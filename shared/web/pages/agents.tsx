/** The list of agents: what is red first. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import { formatDuration } from "../../time.ts";
import type { AgentSummaryRecord } from "../../wire/schemas/agents.ts";
import { describeAgents } from "../agents.ts";
import { readSummary } from "../summary.ts";
import { Command } from "../ui/command.tsx";
import { Breadcrumb, renderPage } from "../ui/layout.tsx";
import { Name, State, SubjectLink, When } from "../ui/parts.tsx";
import { counted } from "../ui/texts.ts";
import type { CanaryView } from "../view.ts";
import type { Page, PageRequest } from "./page.ts";

const MAX_AGENTS = 100;
/** Invariants that an agent's line names. */
const MAX_RED = 8;

type AgentsData = Awaited<ReturnType<typeof readAgents>>;

/**
 * Reads the agents in two requests.
 * @param part of the names that are wanted, in any case; "" for all
 * @param page from 1
 */
async function readAgents(view: CanaryView, part: string, page: number) {
  const [summary, latest] = await Promise.all([readSummary(view), view.store.latest.read(view.now())]);
  const { agents, ...rest } = describeAgents(view.checks, summary.memory, latest);
  const wanted = part.toLowerCase();
  const found = agents.filter(({ name }) => name.toLowerCase().includes(wanted));
  const pages = Math.max(1, Math.ceil(found.length / MAX_AGENTS));
  const at = Math.min(Math.max(page, 1), pages);
  return {
    summary,
    ...rest,
    part,
    total: agents.length,
    found: found.length,
    red: found.filter((agent) => agent.red.length > 0).length,
    at,
    pages,
    shown: found.slice((at - 1) * MAX_AGENTS, at * MAX_AGENTS),
  };
}

/** `2 of 3 slots, 1 running, 0 queued`; what was not read is left out. */
export function countWords(
  agent: Pick<AgentSummaryRecord, "slots_used" | "max_parallel_tasks" | "running" | "queued">,
): string {
  const { slots_used, max_parallel_tasks, running, queued } = agent;
  const cap = max_parallel_tasks === null ? "" : ` of ${max_parallel_tasks}`;
  return [
    ...(slots_used === null ? [] : [cap ? `${slots_used}${cap} slots` : counted(slots_used, "slot")]),
    ...(running === null ? [] : [`${running} running`]),
    ...(queued === null ? [] : [`${queued} queued`]),
  ].join(", ");
}

/** What is not on the roster is neither red nor green, unless something of it is red. */
export function AgentState({ red, onRoster }: { red: boolean; onRoster: boolean | null }) {
  if (red) return <State state="red" />;
  if (onRoster === null) return <State state="unknown" />;
  return onRoster ? <State state="green" /> : <State state="off" word="gone" />;
}

function AgentItem({ agent, nowMs }: { agent: AgentSummaryRecord; nowMs: number }) {
  const { name, red, on_roster } = agent;
  return (
    <li>
      <AgentState red={red.length > 0} onRoster={on_roster} />
      <SubjectLink name={name} />
      <span class="ids">
        {red
          .slice(0, MAX_RED)
          .map(
            ({ invariant_id, since }) =>
              `${invariant_id} ${formatDuration(Math.max(0, nowMs - Date.parse(since)))}`,
          )
          .join(", ")}
        {red.length > MAX_RED && ` and ${red.length - MAX_RED} more`}
      </span>
      <span class="number dim">
        {on_roster === false && "not on the roster, "}
        {countWords(agent)}
      </span>
    </li>
  );
}

const addressOf = (part: string, page: number) =>
  `/agents?${new URLSearchParams({ ...(part && { q: part }), ...(page > 1 && { page: String(page) }) })}`.replace(
    /\?$/,
    "",
  );

const Pager = ({ data: { part, at, pages } }: { data: AgentsData }) =>
  pages === 1 ? null : (
    <nav class="pager" aria-label="Pages">
      {at > 1 && (
        <a href={addressOf(part, at - 1)} rel="prev">
          ← Previous
        </a>
      )}
      <span class="dim">
        page {at} of {pages}
      </span>
      {at < pages && (
        <a href={addressOf(part, at + 1)} rel="next">
          Next →
        </a>
      )}
    </nav>
  );

const Filter = ({ part }: { part: string }) => (
  <form method="get" action="/agents" class="goto">
    <label>
      Name has
      <input name="q" type="search" value={part} maxlength={200} dir="auto" autocomplete="off" />
    </label>
    <button type="submit" class="quiet">
      Filter
    </button>
  </form>
);

function Facts({ data }: { data: AgentsData }) {
  const { seen_at, unread, left_out, total, found, red, part } = data;
  return (
    <>
      <p class="dim">
        {part ? `${counted(found, "agent")} of ${total.toLocaleString("en")}` : counted(total, "agent")},{" "}
        {red} red
        {seen_at && (
          <>
            ; slots and rows as seen at <When ms={Date.parse(seen_at)} />
          </>
        )}
      </p>
      {unread.length > 0 && (
        <p class="dim">
          Not read then: <Name text={unread.join("; ")} />
        </p>
      )}
      {left_out > 0 && (
        <p class="dim">
          {counted(left_out, "agent")} more are on the roster: no place was left to keep them.
        </p>
      )}
    </>
  );
}

function renderAgentsPage(data: AgentsData, { viewer, notice }: PageRequest): string {
  const { summary, shown, part } = data;
  const { environment, nowMs } = summary;
  return renderPage(
    { title: "agents", environment, summary, viewer, notice },
    <>
      <Breadcrumb />
      <section class="one">
        <h1>Agents</h1>
        <Facts data={data} />
        <Filter part={part} />
      </section>
      <section>
        {shown.length === 0 && (
          <p class="dim">{part ? "No agent's name has that." : "No cycle has seen an agent yet."}</p>
        )}
        {shown.length > 0 && (
          <ul class="facts agents">
            {shown.map((agent) => (
              <AgentItem agent={agent} nowMs={nowMs} />
            ))}
          </ul>
        )}
        <Pager data={data} />
        <Command name="All of them: from a shell" path="/api/canary/agents" />
      </section>
    </>,
  );
}

export const agentsPage: Page = {
  path: "/agents",
  address: /^\/agents$/,
  reloads: true,
  async render(request) {
    const { view, query } = request;
    const page = Number(/^\d{1,4}$/.exec(query("page") ?? "")?.[0] ?? 1);
    return renderAgentsPage(await readAgents(view, (query("q") ?? "").trim().slice(0, 200), page), request);
  },
};
