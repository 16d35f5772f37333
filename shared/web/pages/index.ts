/** The registry of the pages. Their look-up by address is here too. */
import { cyclePage } from "./cycle.tsx";
import { invariantPage } from "./invariant.tsx";
import { overviewPage } from "./overview.tsx";
import type { Page } from "./page.ts";

export const PAGES: readonly Page[] = [overviewPage, invariantPage, cyclePage];

/** Finds the page of an address of this site, the first page where it is none. */
export function pageAt(address: string): { readonly page: Page; readonly name: string } {
  for (const page of PAGES) {
    const match = page.address.exec(address);
    if (match) return { page, name: match[1] ?? "" };
  }
  return { page: overviewPage, name: "" };
}

/** The address where it is one of our pages, else the first page: a form or a sign-in leads nowhere else. */
export const ownAddress = (text: string | undefined): string =>
  text !== undefined && PAGES.some(({ address }) => address.test(text)) ? text : "/";
