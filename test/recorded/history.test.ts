/**
 * Thirty cycles in which everything happens at least once. All that leaves the canary (reports, messages, table items, HTTP
 * answers) is compared with what was recorded. A change that is meant to alter one of them records it again with
 * `vitest run test/recorded -u`, and the diff shows reviewers exactly what changed.
 */
import { brotliDecompressSync } from "node:zlib";
import { type NativeAttributeValue, ScanCommand } from "@aws-sdk/lib-dynamodb";
import { expect, test, vi } from "vitest";
import { NotDelivered, type Senders } from "../../shared/alerts/channels/channel.ts";
import { slackMessage } from "../../shared/alerts/channels/slack-blocks.ts";
import { publicationOf } from "../../shared/alerts/channels/sns.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { createApp } from "../../shared/web/app.ts";
import { oneByOne } from "../support/alert.ts";
import {
  container,
  DAY_MS,
  HOUR_MS,
  live,
  MINUTE_MS,
  runningRow,
  type ScriptedCanary,
  START_MS,
  slot,
  useCanaries,
} from "../support/cycle.ts";
import {
  countsOf,
  executionsOf,
  orphansOf,
  rosterOf,
  slotsOf,
  withoutAgent,
  withoutId,
  zombiesOf,
} from "../support/facts.ts";

const TOKEN = "the-token-of-the-recorded-history";
const canaryOf = useCanaries();

const idle = { executionTimeoutSeconds: 7 * 86_400 };
const FLEET = rosterOf({ alpha: idle, beta: idle, "gamma *bold* <b>": { maxParallelTasks: 1 } });
const NO_SLOTS = { slots: slotsOf({}) };
const queuedRow = (id: string, agent: string) =>
  runningRow(id, agent, { status: "queued", queuedAtMs: START_MS - 10 * MINUTE_MS });

/** What happens before each cycle. A cycle that is left out finds the platform as the one before did. */
const STORY: Record<number, (canary: ScriptedCanary) => void | Promise<void>> = {
  1: (c) => c.set({ roster: FLEET }),
  2: (c) => c.set({ slots: slotsOf({ alpha: [slot("e-1")] }) }),
  4: (c) => c.set({ slots: slotsOf({ alpha: [slot("e-1"), slot("e-2")], beta: [slot("e-3")] }) }),
  5: (c) => c.set({ ...NO_SLOTS, executions: live(runningRow("r-1", "alpha")), sessions: new Set(["r-1"]) }),
  6: (c) => c.set({ executions: live(), slots: slotsOf({ "gamma *bold* <b>": [slot("g-1"), slot("g-2")] }) }),
  7: (c) => {
    c.set({
      ...NO_SLOTS,
      executions: live(runningRow("old", "gamma *bold* <b>", { startedAtMs: START_MS - DAY_MS })),
    });
    c.set({ sessions: new Set(["old"]) });
  },
  8: (c) => {
    c.set({ executions: live(), sessions: new Set() });
    c.ends({ "x-1": "success", "x-2": "failed", "x-3": "cancelled" });
  },
  9: (c) => c.set({ executions: live(runningRow("x-1", "alpha"), queuedRow("x-3", "beta")), ...NO_SLOTS }),
  11: (c) => c.set({ executions: live() }),
  12: (c) =>
    c.set({
      orphans: orphansOf({
        ghost: {
          rows: { agent_tags: 2, schedule_executions: 1 },
          samples: [{ table: "agent_tags", column: "agent_name", rowId: "agent_name=ghost, tag=a" }],
        },
        minor: { rows: { agent_sharing: 1 } },
      }),
    }),
  13: (c) => c.set({ orphans: orphansOf({ minor: { rows: { agent_sharing: 1 } } }, ["agent_skills"]) }),
  14: (c) => c.set({ orphans: orphansOf({}), queueCounts: countsOf({ alpha: 3 }) }),
  15: (c) => {
    c.set({ queueCounts: countsOf({ alpha: 1 }), executions: live(queuedRow("q-1", "alpha")) });
    c.set({ drainTick: (nowMs) => ({ atSeconds: nowMs / 1000 - 600.5 }) });
  },
  16: (c) => {
    c.set({
      queueCounts: countsOf({}),
      executions: live(),
      drainTick: (nowMs) => ({ atSeconds: nowMs / 1000 }),
    });
    c.set({ zombies: zombiesOf([container("alpha", [7, 8]), container("beta"), container("beta", [9])]) });
  },
  17: (c) => c.set({ zombies: zombiesOf([container("beta")], { unseenDaemons: ["tcp://docker-2:2376"] }) }),
  18: (c) => c.set({ zombies: zombiesOf([container("alpha"), container("beta")]) }),
  19: (c) => {
    c.unread("slots", "redis: no answer within 10000 ms at https://user:hunter2@redis");
    c.when("docker", () => Promise.reject(new Error("connect ECONNREFUSED tcp://10.0.0.7:2376")));
  },
  22: (c) => {
    c.set(NO_SLOTS);
    c.when("docker");
  },
  23: async (c) => {
    c.set({ slots: slotsOf({ alpha: [slot("s-1", { ttlSeconds: 20 }), slot("s-2", { ttlSeconds: -2 })] }) });
    c.set({ executions: live(runningRow("s-1", "alpha"), runningRow("s-2", "alpha")) });
    const silence = { invariantId: "E-05", subject: "alpha", reason: "moving *it* <now>" };
    const times = { untilMs: c.now() + HOUR_MS, createdAtMs: c.now() };
    await c.store.silences.put({ id: "0a1b2c3d", ...silence, ...times }, c.now());
  },
  24: (c) => c.leaveOut("queue_counts", "off"),
  25: (c) =>
    c.set({
      executions: executionsOf(
        [runningRow("s-1", "alpha")],
        [withoutId(runningRow("s-3", "beta")), withoutAgent(runningRow("s-2", "beta"))],
      ),
    }),
  26: (c) => c.stateFails("lease.commit"),
  27: (c) => c.stateRecovers(),
  28: (c) => c.advance(25 * HOUR_MS),
  29: (c) => c.set({ ...NO_SLOTS, executions: live() }),
};

/** Runs the story. @returns what each cycle came to, and every message as its channel would have got it */
async function play(canary: ScriptedCanary) {
  const told: { cycle: number; channel: string; message: unknown }[] = [];
  let cycle = 0;
  const senders: Senders = {
    slack: oneByOne(async (alert) => {
      // A channel that is down for a while: what it did not take is kept, and arrives later.
      if (cycle === 12) throw new NotDelivered("slack: HTTP 503");
      told.push({ cycle, channel: "slack", message: slackMessage([alert]) });
    }),
    sns: oneByOne(async (alert) => {
      told.push({ cycle, channel: "sns", message: publicationOf([alert], "text") });
    }),
  };
  const deps = {
    ...canary.deps,
    alerts: { ...canary.deps.alerts, senders, statusUrl: "https://canary.example.com/?a=1&b=2" },
  };
  const outcomes: unknown[] = [];
  for (cycle = 1; cycle <= 30; cycle += 1) {
    canary.advance(5 * MINUTE_MS);
    await STORY[cycle]?.(canary);
    const invariantIds = cycle === 10 ? ["S-01", "E-02"] : undefined;
    outcomes.push({
      cycle,
      ...(await runCycle(deps, { invariantIds, trigger: cycle % 7 === 0 ? "http" : "schedule" })),
    });
  }
  return { deps, told, outcomes };
}

/** @returns every item of the table, what is packed in it unpacked */
async function itemsOf({ client, table }: ScriptedCanary) {
  const { Items = [] } = await client.send(new ScanCommand({ TableName: table }));
  return Items.map((item) => {
    const shown: Record<string, NativeAttributeValue> = {};
    for (const name of Object.keys(item).sort()) shown[name] = item[name];
    if (item.memory) shown.memory = brotliDecompressSync(item.memory).toString("utf8");
    if (item.latest) shown.latest = brotliDecompressSync(item.latest).toString("utf8");
    if (item.ids) shown.ids = Buffer.from(item.ids).toString("hex");
    return shown;
  }).sort((a, b) => (`${a.pk} ${a.sk}` < `${b.pk} ${b.sk}` ? -1 : 1));
}

const PATHS = [
  "/healthz",
  "/api/canary/status",
  "/api/canary/violations?limit=50",
  "/api/canary/violations?invariant_id=S-01",
  "/api/canary/violations?severity=nonsense",
  "/api/canary/violations/stats",
  "/api/canary/violations/20261123000001",
  "/api/canary/violations/20261123999999",
  "/api/canary/cycles?start_time=2026-11-23",
  "/api/canary/silences",
  "/api/canary/nothing",
  "/metrics",
  "/openapi.json",
];

test("thirty cycles leave what they left when they were recorded", async () => {
  // How long a source took is measured by this clock: the only thing that differs between two runs.
  const clock = vi.spyOn(performance, "now").mockReturnValue(0);
  const canary = await canaryOf({ dwellSeconds: 0 });
  const { deps, told, outcomes } = await play(canary);
  const json = (value: unknown) => `${JSON.stringify(value, null, 1)}\n`;
  await expect(json(outcomes)).toMatchFileSnapshot("outcomes.json");
  await expect(json(told)).toMatchFileSnapshot("messages.json");
  await expect(json(await itemsOf(canary))).toMatchFileSnapshot("items.json");

  const app = createApp({
    canary: deps,
    runCycle: (request) => runCycle(deps, request),
    adminToken: TOKEN,
    logError: () => {},
  });
  const answers: Record<string, string> = {};
  for (const path of PATHS) {
    const response = await app.request(path, {
      headers: { authorization: `Bearer ${TOKEN}`, "x-request-id": "recorded" },
    });
    answers[path] = `${response.status} ${await response.text()}`;
  }
  await expect(json(answers)).toMatchFileSnapshot("answers.json");
  clock.mockRestore();
});
