/** `/mcp`: the canary for agents that operate, over streamable HTTP. */
import type { Context } from "hono";
import { linksOf } from "../../alerts/links.ts";
import type { RegisterRoutes } from "../api/route.ts";
import { BY_HEADER } from "../auth.ts";
import type { ApiEnv, App } from "../env.ts";
import { failureLine } from "../errors.ts";
import { isOfOtherSite } from "../session.ts";
import { type ToolContext, ToolError } from "./tool.ts";

export const MCP_PATH = "/mcp";

/** Answers outside of a tool: errors of the protocol are of JSON-RPC. */
const refuse = (c: Context<ApiEnv>, status: 403 | 405, message: string) =>
  c.json({ jsonrpc: "2.0", error: { code: -32_000, message }, id: null }, status);

/** What the caller has shown to be let in, for the calls of the API. */
function headersOf(c: Context<ApiEnv>): Record<string, string> {
  const headers = { authorization: c.req.header("authorization"), [BY_HEADER]: c.req.header(BY_HEADER) };
  const given = Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    ...Object.fromEntries(given),
    "content-type": "application/json",
    "x-request-id": c.get("requestId"),
  };
}

/** Calls the API in this process, through the same checks as a caller from outside. */
const apiOf =
  (app: App, c: Context<ApiEnv>): ToolContext["api"] =>
  async <T>(path: string, body?: object) => {
    const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    const answer = await app.request(path, { ...init, headers: headersOf(c) }, c.env);
    const given = await answer.json();
    if (answer.ok) return given as T;
    const { detail, code } = given as { readonly detail: string; readonly code: string };
    const wait = answer.headers.get("retry-after");
    throw new ToolError(`${detail} (${code})${wait ? `; try again in ${wait} s` : ""}`, answer.status);
  };

export const registerMcp: RegisterRoutes = (app, { view, canary, logError }) => {
  app.all(MCP_PATH, async (c) => {
    if (c.req.method !== "POST") {
      c.header("Allow", "POST");
      return refuse(c, 405, "send POST: there is no stream to open and no session to end");
    }
    if (isOfOtherSite(c)) return refuse(c, 403, "the request comes from a page of another site");
    // Loaded with the first request: the SDK is as large as the rest, and no other route needs it.
    const { answerMcp } = await import("./server.ts");
    return answerMcp(c.req.raw, {
      caller: c.get("caller"),
      context: {
        environment: view.environment,
        links: linksOf(new URL(c.req.url).origin),
        nowMs: canary.now(),
        api: apiOf(app, c),
      },
      logError: (error) => logError(failureLine(c, error)),
    });
  });
};
