/** A browser without a window, for the pages over a scripted canary. */
import { expect } from "vitest";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { type AppOptions, createApp } from "../../shared/web/app.ts";
import type { RunCycle } from "../../shared/web/cycles.ts";
import type { ScriptedCanary } from "./cycle.ts";

export const TOKEN = "correct-horse-battery-staple";
export const ORIGIN = "https://canary.example.com";

interface Options {
  /** Left out: a new one. */
  readonly canary?: ScriptedCanary;
  readonly adminToken?: string | null;
  readonly readTokens?: NonNullable<AppOptions["readTokens"]>;
  readonly publicBadge?: boolean;
  readonly environment?: string;
  readonly onRefused?: NonNullable<AppOptions["onRefused"]>;
  /** Left out: cycles run in this process. */
  readonly runCycle?: RunCycle;
}

/** Makes browsers, signed in or not. */
export function pageBrowsers(canaryOf: () => Promise<ScriptedCanary>) {
  /** A browser at one origin: it keeps its cookie, and sends the origin of its forms. */
  async function browserOf({ canary, adminToken = TOKEN, environment = "test", ...options }: Options = {}) {
    const scripted = canary ?? (await canaryOf());
    const logged: string[] = [];
    const deps = { ...scripted.deps, alerts: { ...scripted.deps.alerts, environment } };
    const app = createApp({
      canary: deps,
      runCycle: (request) => runCycle(deps, request),
      adminToken,
      logError: (line) => logged.push(line),
      ...options,
    });
    let cookie = "";
    const ask = async (path: string, init: RequestInit = {}, origin = ORIGIN) => {
      const headers = { host: new URL(origin).host, ...(cookie && { cookie }), ...init.headers };
      const response = await app.request(origin + path, { ...init, headers });
      const set = response.headers.get("set-cookie");
      if (set) cookie = set.split(";")[0]!;
      const { status, headers: answered } = response;
      return { status, headers: answered, location: answered.get("location"), text: await response.text() };
    };
    const formToken = async () => /name="form_token" value="([^"]+)"/.exec((await ask("/")).text)?.[1] ?? "";
    const send = (path: string, fields: Record<string, string>, headers: Record<string, string> = {}) =>
      ask(path, {
        method: "POST",
        body: new URLSearchParams(fields),
        headers: { "sec-fetch-site": "same-origin", ...headers },
      });
    /** Sends a form of the first page, with the page's token. */
    const submit = async (path: string, fields: Record<string, string> = {}) =>
      send(path, { form_token: await formToken(), ...fields });
    const signIn = (token = TOKEN, fields: Record<string, string> = {}) =>
      send("/sign-in", { token, ...fields });
    return {
      app,
      canary: scripted,
      logged,
      ask,
      send,
      submit,
      signIn,
      formToken,
      cookie: () => cookie,
      takeCookie: (value: string) => {
        cookie = value;
      },
    };
  }

  async function signedIn(options: Options = {}) {
    const browser = await browserOf(options);
    expect((await browser.signIn()).status).toBe(303);
    return browser;
  }
  return { browserOf, signedIn };
}

/** The id and the shown state of each row. */
export const rowsIn = (html: string) =>
  [...html.matchAll(/<li class="row (\w+)" id="([A-Z]-\d\d)"/g)].map(([, shown, id]) => [id, shown]);
export const titleIn = (html: string) => /<title>([^<]*)<\/title>/.exec(html)![1];
/** Gets the visible text of a page. */
export const textOf = (html: string) =>
  html
    .replace(/<head>.*<\/head>/s, "")
    .replace(/<[^>]+>/g, " ")
    .replace(/\s+/g, " ");
