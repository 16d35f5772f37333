import { describe, expect, test } from "vitest";
import { testAlerts } from "../../shared/alerts/alert-test.ts";
import { NotDelivered } from "../../shared/alerts/channels/channel.ts";
import { readAlertTestCall, toAlertTestCall } from "../../shared/cycle/call.ts";
import { createApp } from "../../shared/web/app.ts";
import { oneByOne } from "../support/alert.ts";
import { useCanaries } from "../support/cycle.ts";

const ADMIN_TOKEN = "admin-token-of-the-alert-test";
const canaryWith = useCanaries();

async function api() {
  const canary = await canaryWith();
  const slack = oneByOne(async () => {});
  const sns = oneByOne(async () => {
    throw new NotDelivered("sns: hunter2 is not authorized");
  });
  const deps = { ...canary.deps, alerts: { ...canary.deps.alerts, senders: { slack, sns } } };
  const app = createApp({
    canary: deps,
    runCycle: () => Promise.reject(new Error("nobody asked")),
    testAlerts: ({ channel }) => testAlerts(deps, channel),
    adminToken: ADMIN_TOKEN,
    logError: () => {},
  });
  return (body?: string, token = ADMIN_TOKEN) =>
    app.request("/api/canary/alert-test", {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      ...(body !== undefined && { body }),
    });
}

describe("a test of the channels over HTTP", () => {
  test("says of each what it answered, without secrets", async () => {
    const post = await api();
    const response = await post();
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      results: [
        { channel: "slack", ok: true, answer: "ok" },
        { channel: "sns", ok: false, answer: "sns: *** is not authorized" },
      ],
    });
  });

  test("of one channel", async () => {
    const post = await api();
    const response = await post('{"channel": "slack"}');
    expect(await response.json()).toEqual({ results: [{ channel: "slack", ok: true, answer: "ok" }] });
  });

  test.each([
    ['{"channel": "fax"}', 422, 'there is no channel "fax" here: give one of slack, sns'],
    ['{"chanel": "slack"}', 422, "chanel"],
    ["slack", 400, 'send {"channel": "slack"}'],
  ])("%s is refused, and the fix named", async (body, status, detail) => {
    const response = await (await api())(body);
    expect(response.status).toBe(status);
    expect(((await response.json()) as { detail: string }).detail).toContain(detail);
  });

  test("needs the token", async () => {
    expect((await (await api())(undefined, "another-token-of-somebody")).status).toBe(401);
  });
});

test("the call to the function that has the channels is read as it was made, and nothing else is one", () => {
  expect(readAlertTestCall(toAlertTestCall("slack", 1))).toEqual({ channel: "slack" });
  expect(readAlertTestCall(toAlertTestCall(undefined, 1))).toEqual({ channel: undefined });
  for (const event of [
    null,
    {},
    { alert_test: {} },
    { alert_test: { channel: 1, answer_by: 1 } },
    { source: "aws.events" },
  ])
    expect(readAlertTestCall(event)).toBeNull();
});
