/** Agents as lines of a terminal. */
import pc from "picocolors";
import { findInvariant } from "../../invariants/index.ts";
import { listed, plural, printable } from "../../text.ts";
import type { AgentBody, AgentSummaryRecord, AgentsBody } from "../../wire/schemas/agents.ts";
import { besideOrBelow, padTo, widthOf, wrap } from "../layout.ts";
import { type Screen, sinceOf, whenOf } from "../screen.ts";
import { commandLines } from "../shell-lines.ts";
import { SYMBOLS } from "../symbols.ts";

const INDENT = "    ";
const MAX_NAME = 30;
const MAX_LISTED = 5;

/** `2 of 3 slots, 1 running, 0 queued`. What was not read is left out. */
function countsOf(agent: Omit<AgentSummaryRecord, "name" | "red">): string {
  const { on_roster, max_parallel_tasks, slots_used, running, queued } = agent;
  const slots =
    max_parallel_tasks === null
      ? slots_used !== null && plural(slots_used, "slot")
      : slots_used !== null && `${slots_used} of ${plural(max_parallel_tasks, "slot")}`;
  const facts = [
    on_roster === false && "not on the roster",
    slots,
    running !== null && `${running} running`,
    queued !== null && `${queued} queued`,
  ];
  return facts.filter(Boolean).join(", ") || "not seen";
}

/** Says when the agents were seen. */
const seenLine = (seen_at: string | null, screen: Screen): string =>
  seen_at === null ? "no full cycle has seen the agents" : `as seen ${whenOf(screen, seen_at)}`;

const unreadLines = (unread: readonly string[], { width }: Screen): string[] =>
  unread.flatMap((line) => wrap(printable(line), width, INDENT, "unread  "));

/** Renders every agent, the red ones first. */
export function renderAgents({ seen_at, agents, unread, left_out }: AgentsBody, screen: Screen): string {
  const c = pc.createColors(screen.colour);
  const width = Math.min(MAX_NAME, Math.max(0, ...agents.map(({ name }) => widthOf(printable(name)))));
  const rows = agents.flatMap((agent) => {
    const name = printable(agent.name);
    const isRed = agent.red.length > 0;
    // A name is never cut: it is typed again.
    const head = `${isRed ? SYMBOLS.red : " "} ${widthOf(name) > width ? name : padTo(name, width)}`;
    const red =
      isRed &&
      `red in ${listed(
        agent.red.map(({ invariant_id }) => invariant_id),
        19,
      )}`;
    const facts = [red, countsOf(agent)].filter(Boolean).join("; ");
    return besideOrBelow(head, printable(facts), screen.width, INDENT).map((line) =>
      isRed ? c.red(line) : line,
    );
  });
  const more = left_out > 0 ? [`… and ${left_out} more that are not kept`] : [];
  return [seenLine(seen_at, screen), ...rows, ...more, ...unreadLines(unread, screen)].join("\n");
}

function renderRed(red: AgentBody["red"][number], screen: Screen): string[] {
  const { invariant_id, severity, since, cycles, title, words, verify, fix, safe } = red;
  const c = pc.createColors(screen.colour);
  const head = `${SYMBOLS.red} ${invariant_id} ${title}, ${severity}, ${sinceOf(screen, since)}, ${plural(cycles, "cycle")}`;
  const text = (line: string | null | undefined) =>
    line ? wrap(printable(line), screen.width, `${INDENT}  `, INDENT) : [];
  return [
    "",
    ...wrap(printable(head), screen.width, INDENT, "").map(c.red),
    ...text(words),
    ...text(findInvariant(invariant_id)?.impact),
    ...commandLines("is it still so?", verify, screen.width, INDENT),
    ...commandLines("to fix it", fix, screen.width, INDENT),
    ...text(safe && `is that safe? ${safe}`),
  ];
}

/** Renders one agent: what is red of it and what to type, its slots and its rows. */
export function renderAgent(agent: AgentBody, screen: Screen): string {
  const { name, seen_at, slots, rows, red, unread } = agent;
  const { width, verbose } = screen;
  const c = pc.createColors(screen.colour);
  const most = verbose ? Number.POSITIVE_INFINITY : MAX_LISTED;
  const slotText = slots?.map(({ id, acquired_at }) =>
    acquired_at ? `${id} (${whenOf(screen, acquired_at)})` : id,
  );
  const rowText = rows?.map(({ id, status, started_at, queued_at }) => {
    const at = started_at ?? queued_at;
    return `${id} (${status}${at ? ` ${whenOf(screen, at)}` : ""})`;
  });
  const line = (title: string, texts: readonly string[] | undefined) =>
    texts && texts.length > 0 ? wrap(printable(listed(texts, most)), width, INDENT, title.padEnd(7)) : [];
  return [
    ...wrap(printable(name), width, INDENT, "").map(c.bold),
    ...wrap(printable(`${countsOf(agent)}, ${seenLine(seen_at, screen)}`), width, INDENT, ""),
    ...line("slots", slotText),
    ...line("rows", rowText),
    ...unreadLines(unread, screen),
    ...(red.length === 0 ? ["", "nothing of it is red"] : red.flatMap((one) => renderRed(one, screen))),
  ].join("\n");
}
