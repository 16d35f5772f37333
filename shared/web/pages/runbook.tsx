/** The runbook of one invariant. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import { findInvariant, INVARIANT_IDS } from "../../invariants/index.ts";
import { runbookOf } from "../../runbooks.ts";
import { readSummary } from "../summary.ts";
import { renderPage } from "../ui/layout.tsx";
import { Markdown } from "../ui/markdown.tsx";
import type { Page } from "./page.ts";

/** Links between runbooks stay on this site; those into the project's other files lead nowhere here. */
function linkTo(target: string): string | null {
  const [, id] = /^(?:\.\/)?([A-Z]-\d\d)\.md(?:#.*)?$/.exec(target) ?? [];
  if (id !== undefined) return `/runbooks/${id}`;
  return /^https:\/\//.test(target) ? target : null;
}

export const runbookPage: Page = {
  path: "/runbooks/:id",
  address: /^\/runbooks\/([A-Z]-\d\d)$/,
  reloads: false,
  async render({ view, viewer, name, notice }) {
    const invariant = findInvariant(name);
    if (!invariant)
      return { title: "There is no such runbook", text: `There are those of ${INVARIANT_IDS.join(", ")}.` };
    const summary = await readSummary(view);
    const { environment } = summary;
    return renderPage(
      { title: `runbook of ${invariant.id}`, environment, summary, viewer, notice },
      <>
        <nav aria-label="Breadcrumb" class="pager">
          <a href="/">All invariants</a>
          <a href={`/invariants/${invariant.id}`}>
            {invariant.id} {invariant.title}
          </a>
        </nav>
        <Markdown text={runbookOf(invariant.id)} linkTo={linkTo} />
      </>,
    );
  },
};
