/** Reads the pages of docs/runbooks. A bundle has them inside: infra/inline-runbooks.ts puts them in place of this file. */
import { readFileSync } from "node:fs";

/**
 * Reads a page of docs/runbooks.
 * @throws where there is none for that invariant
 */
export const readRunbook = (id: string): string =>
  readFileSync(new URL(`../docs/runbooks/${id}.md`, import.meta.url), "utf8");
