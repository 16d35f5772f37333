/** The context that any component of a page may read: the viewer and the clock. */
import { createContext, useContext } from "hono/jsx";
import type { Caller } from "../callers.ts";

/** The person who looks at a page. */
export interface Viewer {
  /** The scheme and host of the request, for the commands that pages show. */
  readonly origin: string;
  /** Sent with each form. Null where the request was signed: there is no session, and no sign-out. */
  readonly formToken: string | null;
  /** Whether the page may reload itself: the answer to a form must not. */
  readonly reloads: boolean;
  /** Who it is. Forms that change something are for admins only. */
  readonly caller: Caller;
}

interface RenderContext {
  readonly viewer: Viewer | null;
  /** Unix ms. */
  readonly nowMs: number;
}
export const RenderContext = createContext<RenderContext>({ viewer: null, nowMs: 0 });

export const useNow = (): number => useContext(RenderContext).nowMs;
/** Gets the viewer. Forms and commands are on pages for authorized viewers only. */
export const useViewer = (): Viewer => useContext(RenderContext).viewer!;
/** Whether the viewer may change something: a reader gets no forms for it. */
export const useMayChange = (): boolean => useContext(RenderContext).viewer?.caller.role === "admin";
