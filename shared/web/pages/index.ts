/** The registry of the pages, and the search by address. */
import { agentPage } from "./agent.tsx";
import { agentsPage } from "./agents.tsx";
import { cyclePage } from "./cycle.tsx";
import { cyclesPage } from "./cycles.tsx";
import { invariantPage } from "./invariant.tsx";
import { overviewPage } from "./overview.tsx";
import type { Page } from "./page.ts";
import { runbookPage } from "./runbook.tsx";

export const PAGES: readonly Page[] = [
  overviewPage,
  invariantPage,
  agentsPage,
  agentPage,
  cyclesPage,
  cyclePage,
  runbookPage,
];

/** Reads a part of a path; as it stands where it is not well formed. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Finds the page of an address. Other addresses give the first page. */
export function pageAt(address: string): { readonly page: Page; readonly name: string } {
  const page = PAGES.find((page) => page.address.test(address)) ?? overviewPage;
  return { page, name: decoded(page.address.exec(address)?.[1] ?? "") };
}

/** Returns the address if it is one of our pages, else the first page: forms and sign-ins must not redirect elsewhere. */
export const ownAddress = (text: string | undefined): string =>
  text !== undefined && PAGES.some(({ address }) => address.test(text)) ? text : "/";
