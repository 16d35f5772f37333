/** The runbooks, a page for each invariant. */
import { readRunbook } from "./runbook-texts.ts";

/** What `npm run docs` marks its own parts with. */
const MARKS = /^<!-- .* -->\n+/gm;

/**
 * Returns the runbook of an invariant as Markdown: headings, paragraphs, lists, tables and code blocks; links to other runbooks
 * are relative (`S-01.md`).
 * @throws where there is no such invariant
 */
export const runbookOf = (id: string): string => readRunbook(id).replaceAll(MARKS, "");
