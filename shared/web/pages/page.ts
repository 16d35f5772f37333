/** What a page is, and what its requests carry. */
import type { Context } from "hono";
import type { ApiEnv } from "../env.ts";
import type { SilenceInput } from "../ui/forms.tsx";
import type { Viewer } from "../ui/layout.tsx";
import type { Said } from "../ui/parts.tsx";
import type { CanaryView } from "../view.ts";

export interface PageEnv extends ApiEnv {
  Variables: ApiEnv["Variables"] & {
    /** Set once the viewer is let in. */
    viewer: Viewer;
    /** The fields of a form that one of our own pages sent. */
    form: Record<string, string>;
  };
}
export type PageContext = Context<PageEnv>;

/** One request for a page: by its address, or as the answer to a form. */
export interface PageRequest {
  readonly view: CanaryView;
  readonly viewer: Viewer;
  /** The part of the address that names one of several, as in `/invariants/S-01`; "" where there is none. */
  readonly name: string;
  /** Reads a parameter of the address. */
  readonly query: (parameter: string) => string | undefined;
  readonly said: Said | null;
  /** What was typed into the form of a silence that could not be made. */
  readonly input: SilenceInput | null;
}

/** What the viewer gets to read where there is no page of that name. */
export interface Missing {
  readonly title: string;
  readonly text: string;
}

/** A page of the site. Each is one line of the registry. */
export interface Page {
  /** Where it is served, as hono writes a path. */
  readonly path: string;
  /** The addresses that a form or the sign-in may lead back to; the group is the name. */
  readonly address: RegExp;
  /** Whether it loads itself again each minute. */
  readonly reloads: boolean;
  /** Reads what the page shows, and renders it. */
  render(request: PageRequest): Promise<string | Missing>;
}

/** Answers with a page, which nobody may keep. */
export function show(
  c: PageContext,
  html: string,
  status: 200 | 401 | 403 | 404 | 409 | 413 | 422 | 500 | 503 = 200,
): Response | Promise<Response> {
  c.header("Cache-Control", "no-store");
  return c.html(html, status);
}
