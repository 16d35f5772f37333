/**
 * Renders Markdown of the project's own: headings, paragraphs, lists, tables, code blocks, `code`, **bold**, *emphasis* and
 * links. Everything else is text: no HTML of a source reaches the page.
 */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import type { Child } from "hono/jsx";

/** Where a link leads; null where it is to be text. */
type LinkTo = (target: string) => string | null;

const INLINE = /`([^`]+)`|\*\*(.+?)\*\*|\*([^*\s][^*]*)\*|\[([^\]]+)\]\(([^()\s]+)\)/g;

/** The parts of a line. */
function Inline({ text, linkTo }: { text: string; linkTo: LinkTo }): Child {
  const parts: Child[] = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    const [whole, code, strong, emphasis, label, target] = match;
    parts.push(text.slice(end, match.index));
    end = match.index + whole.length;
    const within = strong ?? emphasis ?? label ?? "";
    const inner = <Inline text={within} linkTo={linkTo} />;
    const href = target === undefined ? null : linkTo(target);
    if (code !== undefined) parts.push(<code>{code}</code>);
    else if (strong !== undefined) parts.push(<b>{inner}</b>);
    else if (emphasis !== undefined) parts.push(<em>{inner}</em>);
    else parts.push(href === null ? inner : <a href={href}>{inner}</a>);
  }
  return (
    <>
      {parts}
      {text.slice(end)}
    </>
  );
}

const ITEM = /^(\s*)(?:[-*]|\d+[.)])\s+/;
const NUMBERED = /^\s*\d/;

/** Takes the lines at the start for which it holds. */
function takeWhile(lines: string[], holds: (line: string, i: number) => boolean): string[] {
  const end = lines.findIndex((line, i) => !holds(line, i));
  return lines.splice(0, end === -1 ? lines.length : end);
}

function Heading({ line, linkTo }: { line: string; linkTo: LinkTo }) {
  const [, marks = "", text = ""] = /^(#+)\s+(.*)$/.exec(line)!;
  const inner = <Inline text={text} linkTo={linkTo} />;
  if (marks.length === 1) return <h1>{inner}</h1>;
  return marks.length === 2 ? <h2>{inner}</h2> : <h3>{inner}</h3>;
}

/** Joins the lines of each item. An item that is indented belongs to the one above it. */
function List({ lines, linkTo }: { lines: readonly string[]; linkTo: LinkTo }) {
  const depth = ITEM.exec(lines[0]!)![1]!.length;
  const items: { text: string; nested: string[] }[] = [];
  for (const line of lines) {
    const item = ITEM.exec(line);
    const last = items.at(-1);
    if (item && item[1]!.length <= depth) items.push({ text: line.slice(item[0].length), nested: [] });
    else if (item || last!.nested.length > 0) last!.nested.push(line);
    else last!.text += ` ${line.trim()}`;
  }
  const children = items.map(({ text, nested }) => (
    <li>
      <Inline text={text} linkTo={linkTo} />
      {nested.length > 0 && <List lines={nested} linkTo={linkTo} />}
    </li>
  ));
  return NUMBERED.test(lines[0]!) ? <ol>{children}</ol> : <ul>{children}</ul>;
}

/** Splits a row at the bars that are not escaped. */
const cellsOf = (line: string): string[] =>
  line
    .trim()
    .replace(/^\||\|$/g, "")
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll("\\|", "|"));

function Table({ lines, linkTo }: { lines: readonly string[]; linkTo: LinkTo }) {
  const [head = "", , ...rows] = lines;
  const names = cellsOf(head);
  return (
    <table>
      <thead>
        <tr>
          {names.map((cell) => (
            <th scope="col">
              <Inline text={cell} linkTo={linkTo} />
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr>
            {cellsOf(row).map((cell, i) => (
              <td data-of={names[i]}>
                <Inline text={cell} linkTo={linkTo} />
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Takes the next block off the lines. */
function takeBlock(lines: string[], linkTo: LinkTo): Child {
  const [first = ""] = lines;
  if (/^\s*```/.test(first)) {
    lines.shift();
    const code = takeWhile(lines, (line) => !/^\s*```\s*$/.test(line));
    lines.shift();
    return <pre data-copy>{code.join("\n")}</pre>;
  }
  if (/^#+\s/.test(first)) return <Heading line={lines.shift()!} linkTo={linkTo} />;
  if (/^\s*\|/.test(first))
    return <Table lines={takeWhile(lines, (line) => /^\s*\|/.test(line))} linkTo={linkTo} />;
  if (ITEM.test(first))
    return (
      <List lines={takeWhile(lines, (line) => ITEM.test(line) || /^\s+\S/.test(line))} linkTo={linkTo} />
    );
  const isOther = (line: string) => line.trim() === "" || /^\s*(```|#+\s|\|)/.test(line) || ITEM.test(line);
  const [start = "", ...rest] = [lines.shift() ?? "", ...takeWhile(lines, (line) => !isOther(line))];
  return (
    <p>
      <Inline text={[start, ...rest].map((line) => line.trim()).join(" ")} linkTo={linkTo} />
    </p>
  );
}

/** Renders Markdown. @param linkTo where a link of the source leads on this site; null for one that leads nowhere here */
export function Markdown({ text, linkTo }: { text: string; linkTo: LinkTo }) {
  const lines = text.split(/\r?\n/);
  const blocks: Child[] = [];
  while (lines.length > 0) {
    takeWhile(lines, (line) => line.trim() === "");
    if (lines.length > 0) blocks.push(takeBlock(lines, linkTo));
  }
  return <div class="prose">{blocks}</div>;
}
