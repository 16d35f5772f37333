/** Exit codes by what a canary answers. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { serve } from "../../infra/local/serve.ts";
import { runHere } from "../support/cli.ts";

let answer: unknown;
let server: Awaited<ReturnType<typeof serve>>;
beforeAll(async () => {
  server = await serve({ fetch: () => Response.json(answer) }, 0);
});
afterAll(() => server.close());
const type = (...args: string[]) => runHere({ CANARY_URL: server.url, CANARY_TOKEN: "t" }, args);

test("alert test: a line for each channel; one that did not take it is 1, and so is no channel", async () => {
  const slack = { channel: "slack", ok: true, answer: "HTTP 200 ok" };
  answer = { results: [slack] };
  expect(await type("alert", "test")).toEqual({ code: 0, out: "✓ slack  HTTP 200 ok\n", err: "" });
  answer = { results: [slack, { channel: "pagerduty", ok: false, answer: "HTTP 403\u001b[2J" }] };
  expect(await type("alert", "test")).toEqual({
    code: 1,
    out: "✓ slack  HTTP 200 ok\n✗ pagerduty  HTTP 403�[2J\n",
    err: "",
  });
  answer = { results: [] };
  expect(await type("alert", "test")).toMatchObject({ code: 1, out: "no channel: nobody is notified\n" });
});

test.each([
  ["green", 0, 0],
  ["green", 16, 2],
  ["unknown", 0, 2],
  ["off", 0, 2],
  ["red", 16, 1],
])(
  "status --exit-code of one that is %s, %i minutes after the last full cycle, is %i",
  async (status, minutes, code) => {
    const checked_at = new Date(Date.now() - minutes * 60_000).toISOString();
    answer = {
      ...{ checked_at, cycle_duration_ms: 1, sources_unavailable: [], silences: [], source_latency_ms: {} },
      alerts: { status: "delivered", channels: [], pending: 0 },
      invariants: [
        {
          ...{
            id: "S-02",
            title: "t",
            tier: "A",
            severity: "critical",
            status,
            since: null,
            last_red_at: null,
          },
          ...{ red_subjects: [], blind_since: null, blind_reason: null, checked: 1 },
        },
      ],
    };
    expect(await type("status", "--exit-code", "--json")).toMatchObject({ code, err: "" });
  },
);
