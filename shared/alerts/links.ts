/** The addresses that alerts, pages and command line lead to. Pure. */

/** The addresses under a status page and a place for runbooks. Each is null where nothing serves it, or the address is none. */
export interface Links {
  /** The status page itself, as it was given. */
  readonly status: string | null;
  invariant(id: string): string | null;
  runbook(id: string): string | null;
  agent(name: string): string | null;
  /** @param time the snapshot time of the cycle */
  cycle(time: string): string | null;
}

/**
 * Puts a path under an address. Its query and fragment belong to the page that they were given for.
 * @returns null where the address is none: an alert goes out all the same
 */
function under(base: string, ...path: readonly string[]): string | null {
  const url = URL.parse(base);
  if (url === null) return null;
  url.search = "";
  url.hash = "";
  url.pathname = [url.pathname.replace(/\/+$/, ""), ...path.map(encodeURIComponent)].join("/");
  return url.href;
}

/** Makes the address of one runbook: `{id}` in the address is replaced, else `/S-02.md` is put behind it. */
const runbookAt = (runbooksUrl: string, id: string): string | null =>
  runbooksUrl.includes("{id}")
    ? runbooksUrl.replaceAll("{id}", encodeURIComponent(id))
    : under(runbooksUrl, `${id}.md`);

/**
 * Makes the links of an environment.
 * @param statusUrl the address of its status page; null where there is none
 * @param runbooksUrl where the runbooks are; null: the status page serves them
 */
export function linksOf(statusUrl: string | null, runbooksUrl: string | null = null): Links {
  const page = (...path: readonly string[]) => (statusUrl === null ? null : under(statusUrl, ...path));
  return {
    status: statusUrl !== null && URL.canParse(statusUrl) ? statusUrl : null,
    invariant: (id) => page("invariants", id),
    runbook: (id) => (runbooksUrl === null ? page("runbooks", id) : runbookAt(runbooksUrl, id)),
    agent: (name) => page("agents", name),
    cycle: (time) => page("cycles", time),
  };
}
