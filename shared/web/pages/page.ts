/** The type of a page, and the context of its requests. */
import type { Context } from "hono";
import type { ApiEnv } from "../env.ts";
import type { Viewer } from "../ui/context.ts";
import type { SilenceInput } from "../ui/forms.tsx";
import type { PageNotice } from "../ui/parts.tsx";
import type { CanaryView } from "../view.ts";

export interface PageEnv extends ApiEnv {
  Variables: ApiEnv["Variables"] & {
    /** Set once the viewer is authorized. */
    viewer: Viewer;
    /** The fields of a form that one of our pages sent. */
    form: Record<string, string>;
  };
}
export type PageContext = Context<PageEnv>;

/** A request for a page: by its address, or as the answer to a form. */
export interface PageRequest {
  readonly view: CanaryView;
  readonly viewer: Viewer;
  /** The variable part of the address, such as `S-01` in `/invariants/S-01`; "" if it has none. */
  readonly name: string;
  /** Reads a parameter of the address. */
  readonly query: (parameter: string) => string | undefined;
  readonly notice: PageNotice | null;
  /** The input of a silence that was refused. */
  readonly input: SilenceInput | null;
}

export interface Page {
  /** A path of hono. */
  readonly path: string;
  /** The addresses that a form or the sign-in may lead back to; the group is the name. */
  readonly address: RegExp;
  /** Whether the page reloads itself every minute. */
  readonly reloads: boolean;
  /** Reads the data and renders it as HTML. Returns where it is, or what is missing, if there is no page of that name. */
  render(
    request: PageRequest,
  ): Promise<string | { readonly location: string } | { readonly title: string; readonly text: string }>;
}

/** Answers with a page, which must not be cached. */
export function showPage(
  c: PageContext,
  html: string,
  status: 200 | 401 | 403 | 404 | 409 | 413 | 422 | 500 | 502 | 503 | 504 = 200,
): Response | Promise<Response> {
  c.header("Cache-Control", "no-store");
  return c.html(html, status);
}
