/** Alerts of real cycles, to a Slack and a topic that may fail: each is sent once, none is lost, and no secret shows. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync } from "node:zlib";
import { type DynamoDBDocumentClient, ScanCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type LocalDynamo, startDynamo } from "../../infra/local/dynamodb.ts";
import { openDatabaseFile, type SqlClient } from "../../infra/platform/file-client.ts";
import { createSchema } from "../../infra/platform/schema.ts";
import type { SlackMessage } from "../../shared/alerts/channels/slack-blocks.ts";
import { type Canary, openCanary } from "../../shared/canary.ts";
import type { CycleOutcome } from "../../shared/cycle/outcome.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { INVARIANT_IDS, OFF_BY_DEFAULT } from "../../shared/invariants/index.ts";
import { documentClient } from "../../shared/store/client.ts";
import { dynamoStore, type Store } from "../../shared/store/store.ts";
import { cycleTelemetry } from "../../shared/telemetry.ts";
import { formatInstant } from "../../shared/time.ts";
import { createApp } from "../../shared/web/app.ts";
import { type StateCall, stateCall, withStateCall } from "../support/cycle.ts";
import { freePort, temporaryFolder } from "../support/live.ts";
import { idsOffWithout } from "../support/registry.ts";
import { expectNoMarkup, readSlack } from "../support/slack.ts";
import {
  startTopic,
  startWebhook,
  type Topic,
  type Webhook,
  type WebhookAnswer,
} from "../support/webhook.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const START_MS = Date.parse("2026-11-23T10:00:00.000Z");
const ADMIN_TOKEN = "admin-token-of-the-alerts-test";
const STATUS_URL = "https://canary.example.com/";
const HANDLER = fileURLToPath(new URL("../../functions/cycle.ts", import.meta.url));

/** The fields of the API's answers that these tests read. */
interface Answer {
  id: string;
  subject: string;
  code: string;
  detail: string;
  alerts: { status: string; channels: string[]; pending: number };
  silences: { id: string }[];
  invariants: { id: string; status: string }[];
  cycles: { transitions: unknown[] }[];
  violations: unknown[];
}
const answerOf = async (response: Response | Promise<Response>) => (await (await response).json()) as Answer;

type Done = Extract<CycleOutcome, { kind: "done" }>;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
/** Shared by all tests, since its reader starts a thread, which takes a tenth of a second. */
let sources: Canary["sources"] | undefined;
let dynamo: LocalDynamo;
let client: DynamoDBDocumentClient;
let store: Store;
let database: SqlClient;
let webhook: Webhook;
let topic: Topic;
let nowMs: number;
/** The variables of every canary, without its channels. */
let env: Record<string, string>;
/** The output of this process. */
let printed: string[];

beforeAll(async () => {
  folder = await temporaryFolder();
  const url = `file:${join(folder.path, "platform.db")}`;
  database = openDatabaseFile(url);
  // Nothing here has to survive a crash of the machine.
  await database.execute("PRAGMA synchronous = OFF");
  await createSchema(database);
  await database.execute("INSERT INTO agent_ownership (agent_name) VALUES ('ruby'), ('cornelius-m')");
  env = {
    // The second read of a red needs no wait: these tests are about the alerts.
    CONFIRM_AFTER_MS: "0",
    LIBSQL_URL: url,
    // A loaded machine may be slow.
    LIBSQL_LOCK_MS: "10000",
    UPSTASH_REDIS_REST_URL: "none",
    DOCKER_HOSTS: "none",
    CANARY_ENVIRONMENT: "staging",
    CANARY_STATUS_URL: STATUS_URL,
  };
});
afterAll(async () => {
  database?.close();
  await folder?.remove();
});

beforeEach(async () => {
  await cure();
  dynamo = await startDynamo();
  client = documentClient(dynamo);
  store = dynamoStore(client, dynamo.table);
  webhook = await startWebhook();
  topic = await startTopic();
  nowMs = START_MS;
  vi.stubEnv("AWS_ENDPOINT_URL_SNS", topic.endpoint);
  vi.stubEnv("AWS_ACCESS_KEY_ID", "local");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "local");
  printed = [];
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, "write").mockImplementation((chunk) => {
      printed.push(String(chunk));
      return true;
    });
  for (const method of ["log", "info", "warn", "error", "debug"] as const)
    vi.spyOn(console, method).mockImplementation((...parts) => void printed.push(parts.join(" ")));
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  client.destroy();
  for (const server of [webhook, topic, dynamo]) await server.close();
});

/** A canary of this platform and this state, on the test's clock. */
function canaryWith(channels: Record<string, string>, over: Partial<Canary> = {}) {
  const made = openCanary({ ...env, ...channels }, { state: store });
  sources ??= made.sources;
  const deps = { ...made, sources, now: () => nowMs, observe: cycleTelemetry("staging"), ...over };
  const app = createApp({
    canary: deps,
    runCycle: (request) => runCycle(deps, request),
    adminToken: ADMIN_TOKEN,
    logError: (line) => void printed.push(line),
  });
  /** Calls the API, by default with the admin token. */
  const api = async (method: string, path: string, body?: unknown, token = ADMIN_TOKEN) =>
    app.request(`/api/canary/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
  return {
    api,
    status: () => answerOf(api("GET", "status")),
    /** Lets some minutes pass, by default five, and runs a cycle. */
    async cycle({ afterMs = 5 * MINUTE_MS, timeLeftMs = 300_000 } = {}): Promise<Done> {
      nowMs += afterMs;
      const outcome = await runCycle(deps, { trigger: "schedule", timeLeftMs: () => timeLeftMs });
      if (outcome.kind !== "done") throw new Error(`the cycle is ${JSON.stringify(outcome)}`);
      return outcome;
    },
  };
}
const withSlack = (over?: Partial<Canary>) => canaryWith({ SLACK_WEBHOOK_URL: webhook.url }, over);
const withBoth = () => canaryWith({ SLACK_WEBHOOK_URL: webhook.url, ALERT_TOPIC_ARN: topic.arn });

/** Adds a running row of ten minutes without a session: E-05 becomes red for that agent. */
const strand = (agent: string, id = `run-of-${agent}`) =>
  database.execute({
    sql: `INSERT INTO schedule_executions (id, schedule_id, agent_name, status, started_at, message, triggered_by)
          VALUES (?, 's', ?, 'running', ?, 'm', 't')`,
    args: [id, agent, formatInstant(START_MS - 10 * MINUTE_MS)],
  });
const cure = () => database.execute("DELETE FROM schedule_executions");
/** Lets a cycle see a run ended, then restarts it without a session: E-02 and E-05 break in the next cycle. */
async function comeBack(canary: ReturnType<typeof canaryWith>) {
  await strand("ruby");
  await database.execute({
    sql: "UPDATE schedule_executions SET status = 'success', completed_at = ?",
    args: [formatInstant(nowMs)],
  });
  await canary.cycle();
  await database.execute("UPDATE schedule_executions SET status = 'running', completed_at = NULL");
}

const kindOf = (key: string) => key.slice(key.indexOf("/") + 1);
const textOf = (post: { body: unknown } | undefined) => JSON.stringify(post?.body);

describe("an alert that Slack takes", () => {
  test("arrives once, with all that its reader needs at 3 a.m.", async () => {
    const canary = withSlack();
    expect((await canary.cycle()).alerts).toEqual({ delivered: 0, pending: 0, dropped: [], failures: [] });
    await strand("ruby");
    const { report, alerts } = await canary.cycle();
    expect(alerts).toEqual({ delivered: 1, pending: 0, dropped: [], failures: [] });
    expect(webhook.posts).toHaveLength(1);
    const { body, keys } = webhook.posts[0]!;
    const key = `${report.snapshot_time}/E-05/broke`;
    expect(keys).toEqual([key]);
    const { header, lines, context, links, codes } = readSlack(body as unknown as SlackMessage);
    expect(header.text).toBe("⚠️ E-05 Dispatched rows have a session — major");
    expect(lines).toEqual(
      expect.arrayContaining([
        "1 running row without a session across 1 agent: ruby",
        "• ruby/run-of-ruby: no session after 1200 s",
        expect.stringMatching(/^Impact: /),
        expect.stringMatching(/^What to do: /),
        "Is it still so?",
        expect.stringMatching(/^Is it safe\? /),
      ]),
    );
    expect(codes).toEqual(expect.arrayContaining(["ruby", "run-of-ruby"]));
    expect(links).toEqual([
      ["page", `${STATUS_URL}invariants/E-05`],
      ["runbook", `${STATUS_URL}runbooks/E-05`],
      ["status", STATUS_URL],
    ]);
    expect(context).toEqual([
      "staging",
      `violation ${report.violations[0]!.id}`,
      `snapshot ${report.snapshot_time}`,
      "1 violation",
      "first red for this invariant",
      `alert ${key}`,
    ]);
    for (let n = 0; n < 3; n += 1) expect((await canary.cycle()).alerts.delivered).toBe(0);
    expect(webhook.posts).toHaveLength(1);
    expect((await canary.status()).alerts).toEqual({ status: "delivered", channels: ["slack"], pending: 0 });
  });

  test("and then each subject that joins, and the recovery, each once", async () => {
    const canary = withSlack();
    await strand("ruby");
    await canary.cycle();
    await strand("cornelius-m");
    await canary.cycle();
    await canary.cycle();
    await cure();
    await canary.cycle();
    await canary.cycle();
    expect(webhook.read.map(kindOf)).toEqual(["E-05/broke", "E-05/spread", "E-05/recovered"]);
    expect(textOf(webhook.posts[1])).toContain("joined: 1 running row without a session");
    expect(textOf(webhook.posts[2])).toContain("green again, it was red for 15 min");
    expect(new Set(webhook.read).size).toBe(3);
  });

  test("it comes over HTTP as well: a cycle that a person asks for tells too", async () => {
    const canary = withSlack();
    await strand("ruby");
    expect((await canary.api("POST", "run-cycle")).status).toBe(200);
    expect(webhook.read.map(kindOf)).toEqual(["E-05/broke"]);
  });

  test("an agent's name can't forge markup, a mention or a link", async () => {
    const canary = withSlack();
    await strand("<!channel> & *<https://evil.example|x>*");
    await canary.cycle();
    expect(webhook.read).toHaveLength(1);
    const message = webhook.posts[0]!.body as unknown as SlackMessage;
    expectNoMarkup(message);
    expect(readSlack(message).codes).toContain("<!channel> & *<https://evil.example|x>*");
  });
});

/** The text of each fault. */
const FAULTS: readonly (readonly [WebhookAnswer, string])[] = [
  ["http 500", "slack: HTTP 500"],
  ["http 429", "slack: HTTP 429 rate_limited"],
  ["hangs", "slack: no answer in time"],
  ["resets", "slack: "],
  ["invalid_token", "slack: HTTP 200 invalid_token"],
  ["invalid_blocks", "slack: HTTP 400 invalid_blocks"],
  ["http 403", "slack: HTTP 403 action_prohibited"],
  ["no_service", "slack: HTTP 404 no_service"],
  ["echoes its address", "slack: HTTP 502"],
];
/** A short time only where the channel hangs: a channel that answers may be slow. */
const patience = (answer: string) => (answer === "hangs" ? { timeLeftMs: 3_000 } : {});

describe("an alert that Slack does not take", () => {
  test.for(FAULTS)(
    "%s: it waits, is seen waiting, and arrives later under its key",
    async ([answer, reason]) => {
      const canary = withSlack();
      webhook.answer = answer;
      await strand("ruby");
      const { report, alerts } = await canary.cycle(patience(answer));
      expect(report.transitions).toMatchObject([{ invariant_id: "E-05", silenced: false }]);
      expect(alerts).toMatchObject({ delivered: 0, pending: 1, dropped: [] });
      expect(alerts.failures).toEqual([expect.stringContaining(reason)]);
      const status = await canary.status();
      expect(status.alerts).toEqual({ status: "pending", channels: ["slack"], pending: 1 });
      expect(status.invariants).toContainEqual(expect.objectContaining({ id: "E-05", status: "red" }));

      expect((await canary.cycle(patience(answer))).alerts.pending).toBe(1);
      webhook.answer = "ok";
      expect((await canary.cycle()).alerts).toMatchObject({ delivered: 1, pending: 0, failures: [] });
      expect(webhook.posts.flatMap((post) => post.keys)).toEqual(
        Array(3).fill(`${report.snapshot_time}/E-05/broke`),
      );
      await canary.cycle();
      expect(webhook.posts).toHaveLength(3);
      expect((await canary.status()).alerts).toMatchObject({ status: "delivered", pending: 0 });
    },
  );

  test("nobody listens there: the same", async () => {
    await strand("ruby");
    const url = `http://127.0.0.1:${await freePort()}/services/T/B/${webhook.token}`;
    const deaf = canaryWith({ SLACK_WEBHOOK_URL: url });
    const { report, alerts } = await deaf.cycle();
    expect(alerts).toMatchObject({ delivered: 0, pending: 1, failures: ["slack: ECONNREFUSED"] });
    await withSlack().cycle();
    expect(webhook.read).toEqual([`${report.snapshot_time}/E-05/broke`]);
  });

  test("a redirect is not followed: nobody else gets the message, and it waits", async () => {
    const canary = withSlack();
    webhook.answer = "redirects";
    await strand("ruby");
    expect((await canary.cycle()).alerts).toMatchObject({ pending: 1, failures: ["slack: HTTP 307"] });
    expect(webhook.posts).toHaveLength(1);
    webhook.answer = "ok";
    expect((await canary.cycle()).alerts.delivered).toBe(1);
  });

  test("what happened meanwhile arrives behind it, in its order, each under its own key", async () => {
    const canary = withSlack();
    webhook.answer = "http 500";
    await strand("ruby");
    await canary.cycle();
    await strand("cornelius-m");
    await canary.cycle();
    await cure();
    const { alerts } = await canary.cycle();
    expect(alerts.pending).toBe(3);
    webhook.answer = "ok";
    await canary.cycle({ afterMs: HOUR_MS });
    expect(webhook.read.map(kindOf)).toEqual(["E-05/broke", "E-05/spread", "E-05/recovered"]);
    expect(webhook.posts.flatMap((post) => post.keys.map(kindOf)).slice(0, 3)).toEqual(
      Array(3).fill("E-05/broke"),
    );
    expect((await canary.status()).alerts.pending).toBe(0);
  });

  test("a Slack that is down is asked once in a cycle, however much waits", async () => {
    const canary = withSlack();
    await comeBack(canary);
    webhook.answer = "http 500";
    const { alerts } = await canary.cycle();
    expect(alerts).toMatchObject({ delivered: 0, pending: 2, failures: ["slack: HTTP 500"] });
    expect(webhook.posts).toHaveLength(1);
    webhook.answer = "ok";
    await canary.cycle();
    expect(webhook.read.map(kindOf)).toEqual(["E-02/broke", "E-05/broke"]);
  });

  test("a message that Slack refuses for what it is goes in parts the next time, and one part does not hold back the others", async () => {
    const canary = withSlack();
    await comeBack(canary);
    webhook.answer = (keys) => (keys.some((key) => key.includes("E-02")) ? "invalid_blocks" : "ok");
    const { alerts } = await canary.cycle();
    expect(alerts).toMatchObject({ delivered: 0, pending: 2, failures: ["slack: HTTP 400 invalid_blocks"] });
    expect(webhook.posts.map(({ keys }) => keys.map(kindOf))).toEqual([["E-02/broke", "E-05/broke"]]);
    expect((await canary.cycle()).alerts).toMatchObject({ delivered: 1, pending: 1 });
    expect(webhook.read.map(kindOf)).toEqual(["E-05/broke"]);
    webhook.answer = "ok";
    await canary.cycle({ afterMs: HOUR_MS });
    expect(webhook.read.map(kindOf)).toEqual(["E-05/broke", "E-02/broke"]);
  });

  test("what one cycle found is one message for each channel, and an agent is named once", async () => {
    const canary = withBoth();
    await comeBack(canary);
    expect((await canary.cycle()).alerts).toMatchObject({ delivered: 4, pending: 0 });
    expect([webhook.posts.length, topic.publications.length]).toEqual([1, 1]);
    const { header, lines, keys } = readSlack(webhook.posts[0]!.body as unknown as SlackMessage);
    expect(header.text).toBe("🚨 2 red: E-02, E-05 — critical");
    expect(lines[0]).toBe("• ruby: E-02, E-05");
    expect(keys.map(kindOf)).toEqual(["E-02/broke", "E-05/broke"]);
    expect(topic.publications[0]!.message).toContain("\nruby: E-02, E-05\n");
  });

  test("it is tried less and less often, but every hour or so", async () => {
    const canary = withSlack();
    webhook.answer = "http 500";
    await strand("ruby");
    const triedAt: number[] = [];
    for (let n = 0; n < 72; n += 1) {
      const before = webhook.posts.length;
      await canary.cycle();
      if (webhook.posts.length > before) triedAt.push(nowMs);
    }
    const pauses = triedAt.slice(1).map((at, i) => at - triedAt[i]!);
    expect(pauses).toEqual([...pauses].sort((a, b) => a - b));
    expect(pauses[0]).toBe(5 * MINUTE_MS);
    expect(pauses.at(-1)).toBe(HOUR_MS);
    expect(new Set(webhook.posts.flatMap((post) => post.keys)).size).toBe(1);
  });

  test("after a day it is given up, loudly; the red is reported again as a reminder", async () => {
    const canary = withSlack();
    webhook.answer = "http 500";
    await strand("ruby");
    const first = await canary.cycle();
    const key = `${first.report.snapshot_time}/E-05/broke`;
    expect((await canary.cycle({ afterMs: DAY_MS - 1 })).alerts).toMatchObject({ dropped: [], pending: 1 });
    const last = await canary.cycle({ afterMs: 1 });
    expect(last.alerts.dropped).toEqual([{ key, channel: "slack" }]);
    const log = printed.join("");
    expect(log).toContain("alert given up");
    expect(log).toContain(key);
    expect(log).toMatch(/"AlertsDropped":1\b/);
    webhook.answer = "ok";
    await canary.cycle({ afterMs: 2 * HOUR_MS });
    expect(webhook.read.map(kindOf)).toEqual(["E-05/reminder"]);
  });
});

describe("a Slack that asks for a pause", () => {
  test.for([
    ["in seconds", (): string => "3000"],
    ["as a date", (): string => new Date(Date.now() + 50 * MINUTE_MS).toUTCString()],
  ] as const)("Retry-After %s: it is left alone that long, also by what is new", async ([, retryAfter]) => {
    const canary = withSlack();
    await strand("ruby");
    Object.assign(webhook, { answer: "http 429", retryAfter: retryAfter() });
    const { report } = await canary.cycle();
    webhook.answer = "ok";
    await strand("cornelius-m");
    for (let n = 0; n < 9; n += 1) await canary.cycle();
    await canary.cycle({ afterMs: 4 * MINUTE_MS });
    expect(webhook.posts).toHaveLength(1);
    expect((await canary.status()).alerts.pending).toBe(2);
    await canary.cycle({ afterMs: 2 * MINUTE_MS });
    expect(webhook.read.map(kindOf)).toEqual(["E-05/broke", "E-05/spread"]);
    expect(webhook.read[0]).toBe(`${report.snapshot_time}/E-05/broke`);
  });

  test("a pause shorter than a cycle is over with the next one", async () => {
    const canary = withSlack();
    await strand("ruby");
    Object.assign(webhook, { answer: "http 429", retryAfter: "1" });
    await canary.cycle();
    webhook.answer = "ok";
    expect((await canary.cycle()).alerts.delivered).toBe(1);
  });
});

describe("two channels", () => {
  test("both are reported, with the same key", async () => {
    const canary = withBoth();
    await strand("ruby");
    const { report, alerts } = await canary.cycle();
    expect(alerts).toMatchObject({ delivered: 2, pending: 0 });
    const key = `${report.snapshot_time}/E-05/broke`;
    expect(webhook.read).toEqual([key]);
    expect(topic.publications).toEqual([
      {
        topicArn: topic.arn,
        subject: "[staging] E-05 Dispatched rows have a session - major",
        message: expect.stringContaining(`alert ${key}`),
        attributes: {
          severity: "major",
          kind: "broke",
          environment: "staging",
          invariant: '["E-05"]',
        },
      },
    ]);
    expect(topic.publications[0]!.message).toContain("- ruby/run-of-ruby: no session after 900 s");
    expect((await canary.status()).alerts).toEqual({
      status: "delivered",
      channels: ["slack", "sns"],
      pending: 0,
    });
  });

  test.for(["http 500", "http 429", "hangs", "invalid_blocks"] as const)(
    "Slack fails (%s): the topic has it at once, and only once",
    async (answer) => {
      const canary = withBoth();
      Object.assign(webhook, { answer, retryAfter: "1800" });
      await strand("ruby");
      const { alerts } = await canary.cycle(patience(answer));
      expect(alerts).toMatchObject({ delivered: 1, pending: 1 });
      expect(topic.publications).toHaveLength(1);
      await strand("cornelius-m");
      await canary.cycle(patience(answer));
      expect(topic.publications).toHaveLength(2);
      webhook.answer = "ok";
      await canary.cycle({ afterMs: HOUR_MS });
      expect(webhook.read.map(kindOf)).toEqual(["E-05/broke", "E-05/spread"]);
      expect(topic.publications).toHaveLength(2);
    },
  );

  test.for(["throttled", "hangs", "not authorized"] as const)(
    "the topic fails (%s): Slack has it at once, and only once",
    async (answer) => {
      const canary = withBoth();
      topic.answer = answer;
      await strand("ruby");
      const { report, alerts } = await canary.cycle(patience(answer));
      expect(alerts).toMatchObject({ delivered: 1, pending: 1 });
      expect(alerts.failures).toEqual([expect.stringMatching(/^sns: \w/)]);
      expect(webhook.read).toEqual([`${report.snapshot_time}/E-05/broke`]);
      topic.answer = "ok";
      const failed = topic.publications.length;
      expect((await canary.cycle()).alerts).toMatchObject({ delivered: 1, pending: 0 });
      expect(topic.publications.slice(failed).map((p) => p.message)).toEqual([
        expect.stringContaining(webhook.read[0]!),
      ]);
      expect(webhook.posts).toHaveLength(1);
    },
  );

  test("both fail, and recover at different times", async () => {
    const canary = withBoth();
    webhook.answer = "http 403";
    topic.answer = "not authorized";
    await strand("ruby");
    expect((await canary.cycle()).alerts).toMatchObject({ delivered: 0, pending: 1 });
    topic.answer = "ok";
    expect((await canary.cycle()).alerts).toMatchObject({ delivered: 1, pending: 1 });
    webhook.answer = "ok";
    expect((await canary.cycle()).alerts).toMatchObject({ delivered: 1, pending: 0 });
    expect(webhook.read).toHaveLength(1);
  });
});

describe("no channel", () => {
  test("cycles and records go on, and the status says it", async () => {
    const canary = canaryWith({});
    await strand("ruby");
    const { report, alerts } = await canary.cycle();
    expect(report.transitions).toMatchObject([{ invariant_id: "E-05" }]);
    expect(alerts).toEqual({ delivered: 0, pending: 0, dropped: [], failures: [] });
    expect((await canary.status()).alerts).toEqual({ status: "no channel", channels: [], pending: 0 });
    const cycles = await answerOf(canary.api("GET", "cycles"));
    expect(cycles.cycles).toMatchObject([{ transitions: [{ invariant_id: "E-05" }] }]);
    const { violations } = await answerOf(canary.api("GET", "violations"));
    expect(violations).toMatchObject([{ invariant_id: "E-05", subject: "ruby" }]);
  });

  test("one that comes later is reported what is red then", async () => {
    await strand("ruby");
    await canaryWith({}).cycle();
    await withSlack().cycle();
    expect(webhook.read.map(kindOf)).toEqual(["E-05/broke"]);
  });

  test("one that is taken away and comes back has lost nothing", async () => {
    webhook.answer = "http 500";
    await strand("ruby");
    const { report } = await withSlack().cycle();
    const without = canaryWith({});
    await without.cycle();
    expect((await without.status()).alerts).toMatchObject({ status: "no channel", pending: 1 });
    webhook.answer = "ok";
    await withSlack().cycle();
    expect(webhook.read).toEqual([`${report.snapshot_time}/E-05/broke`]);
  });
});

describe("the time that is left", () => {
  test.for([0, 500, 1_999])("%i ms: nothing is sent, and all of it waits", async (timeLeftMs) => {
    const canary = withBoth();
    await comeBack(canary);
    const { report, alerts } = await canary.cycle({ timeLeftMs });
    expect(report.transitions.map((t) => t.invariant_id)).toEqual(["E-02", "E-05"]);
    expect(alerts).toEqual({ delivered: 0, pending: 2, dropped: [], failures: [] });
    expect([webhook.posts, topic.publications]).toEqual([[], []]);
    expect((await canary.status()).alerts).toMatchObject({ status: "pending", pending: 2 });
    expect((await canary.cycle()).alerts).toMatchObject({ delivered: 4, pending: 0 });
    expect(webhook.read.map(kindOf)).toEqual(["E-02/broke", "E-05/broke"]);
    expect(webhook.read.every((key) => key.startsWith(report.snapshot_time))).toBe(true);
  });

  test("a Slack that hangs takes no more than that", async () => {
    const canary = withSlack();
    webhook.answer = "hangs";
    await strand("ruby");
    const started = performance.now();
    await canary.cycle({ timeLeftMs: 2_300 });
    expect(performance.now() - started).toBeLessThan(4_000);
    expect((await canary.status()).alerts.pending).toBe(1);
  });
});

describe("what was delivered but could not be marked", () => {
  test("is reported again with the next cycle, under the same key", async () => {
    let commits = 0;
    const forgetful: Store = {
      ...store,
      lease: {
        ...store.lease,
        commit(...args) {
          commits += 1;
          return commits === 2
            ? Promise.reject(new Error("the state went away"))
            : store.lease.commit(...args);
        },
      },
    };
    const canary = withSlack({ store: forgetful });
    await strand("ruby");
    const { report, alerts } = await canary.cycle();
    expect(alerts.failures).toEqual(["state: delivered alerts could not be marked: the state went away"]);
    await canary.cycle();
    expect(webhook.read).toEqual(Array(2).fill(`${report.snapshot_time}/E-05/broke`));
    await canary.cycle();
    expect(webhook.read).toHaveLength(2);
  });
});

/** Reads every item of the table, with the memory decompressed. */
async function storedText(): Promise<string> {
  const { Items = [] } = await client.send(new ScanCommand({ TableName: dynamo.table }));
  expect(Items.length).toBeGreaterThan(0);
  return Items.map((item) => {
    const memory = item.memory ? brotliDecompressSync(item.memory).toString("utf8") : "";
    return JSON.stringify({ ...item, memory: undefined }) + memory;
  }).join("\n");
}

describe("the webhook's address", () => {
  test("no fault shows it, or its token, in a log, an error, a response or an item", async () => {
    const canary = withBoth();
    await strand("ruby");
    const answers: string[] = [];
    for (const [answer] of FAULTS) {
      webhook.answer = answer;
      answers.push(JSON.stringify(await canary.cycle({ afterMs: 61 * MINUTE_MS, ...patience(answer) })));
      for (const path of ["status", "cycles", "violations", "silences"])
        answers.push(await (await canary.api("GET", path)).text());
      // Over HTTP it has five seconds to hang.
      if (answer === "hangs") continue;
      nowMs += 61 * MINUTE_MS;
      answers.push(await (await canary.api("POST", "run-cycle")).text());
    }
    await webhook.close();
    nowMs += 61 * MINUTE_MS;
    answers.push(JSON.stringify(await canary.cycle({ afterMs: 61 * MINUTE_MS })));
    expect(webhook.posts.length).toBeGreaterThan(FAULTS.length);
    const log = printed.join("");
    expect(log).toContain("slack: HTTP 403");
    const stored = await storedText();
    expect(stored).toContain("E-05/broke");
    for (const text of [log, stored, ...answers]) {
      expect(text).not.toContain(webhook.token);
      expect(text).not.toContain(webhook.url);
      expect(text).not.toContain(new URL(webhook.url).host);
    }
  });

  test("one that can't be used is refused without being shown", () => {
    const refused = () => openCanary({ ...env, SLACK_WEBHOOK_URL: `hooks.slack.com/${webhook.token}` });
    expect(refused).toThrow(/SLACK_WEBHOOK_URL is not an address/);
    expect(refused).not.toThrow(webhook.token);
  });
});

describe("silences over HTTP", () => {
  const inOneHour = () => formatInstant(nowMs + HOUR_MS);
  const silence = (over: Record<string, unknown> = {}) => ({
    invariant_id: "E-05",
    until: inOneHour(),
    reason: "ruby is being repaired",
    ...over,
  });

  test("a name that was copied from Slack, with what stands beside its marks there, is the agent's", async () => {
    const canary = withSlack();
    const { subject } = await answerOf(
      canary.api("POST", "silences", silence({ subject: "my\u200b_\u200bagent" })),
    );
    expect(subject).toBe("my_agent");
  });

  test("one is made, listed, shown in the status, and deleted", async () => {
    const canary = withSlack();
    const made = await canary.api("POST", "silences", silence({ subject: "ruby" }));
    expect(made.status).toBe(201);
    const body = await answerOf(made);
    expect(body).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{8}$/),
      invariant_id: "E-05",
      subject: "ruby",
      until: inOneHour(),
      until_recovered: false,
      reason: "ruby is being repaired",
      by: "admin",
      created_at: formatInstant(nowMs),
      note: expect.stringContaining("ruby"),
    });
    const { note: _, ...kept } = body as object & { note?: unknown };
    expect(await answerOf(canary.api("GET", "silences"))).toEqual({ silences: [kept] });
    expect((await canary.status()).silences).toEqual([kept]);
    const deleted = await canary.api("DELETE", `silences/${body.id}`);
    expect([deleted.status, await deleted.text()]).toEqual([204, ""]);
    expect(await answerOf(canary.api("GET", "silences"))).toEqual({ silences: [] });
    const again = await canary.api("DELETE", `silences/${body.id}`);
    expect(again.status).toBe(404);
    expect(await answerOf(again)).toMatchObject({ code: "not_found", request_id: expect.any(String) });
  });

  test("without the admin token none is made, listed or deleted", async () => {
    const canary = withSlack();
    const { id } = await answerOf(canary.api("POST", "silences", silence()));
    for (const token of ["", "wrong", `${ADMIN_TOKEN}x`])
      for (const [method, path, body] of [
        ["POST", "silences", silence()],
        ["GET", "silences", undefined],
        ["DELETE", `silences/${id}`, undefined],
      ] as const) {
        const response = await canary.api(method, path, body, token);
        expect(response.status).toBe(401);
        expect(await answerOf(response)).toMatchObject({ code: "unauthorized" });
      }
    expect((await canary.status()).silences).toHaveLength(1);
  });

  test.for(["", "{", "silence please", '{"invariant_id": "E-05",}'])("400: %j is not JSON", async (body) => {
    const response = await withSlack().api("POST", "silences", body);
    expect(response.status).toBe(400);
    expect(await answerOf(response)).toMatchObject({ code: "invalid_json" });
  });

  test.for([
    ["an invariant that there is not", { invariant_id: "X-01" }, /invariant_id: .*there are H-01/],
    ["an invariant of another type", { invariant_id: 5 }, /invariant_id/],
    ["no reason", { reason: undefined }, /reason/],
    ["a blank reason", { reason: "  " }, /reason: say why/],
    ["a reason as long as a book", { reason: "x".repeat(501) }, /reason: give at most 200/],
    ["an empty subject", { subject: "" }, /subject: name an agent/],
    ["a subject that is too long", { subject: "x".repeat(501) }, /subject: give at most 200/],
    ["no end", { until: undefined }, /until/],
    ["an end that is no time", { until: "tomorrow" }, /until: give an ISO 8601 time/],
    ["an end that is past", { until: "2026-11-23T09:59:59Z" }, /until: give a time in the next 90 days/],
    ["an end that is now", { until: "2026-11-23T10:00:00.000Z" }, /until: give a time in the next 90 days/],
    ["an end after 90 days", { until: "2027-02-21T10:00:00.001Z" }, /until: give a time in the next 90 days/],
    ["a field that means nothing", { untill: "x" }, /untill/],
  ] as const)("422: %s", async ([, over, detail]) => {
    const canary = withSlack();
    const response = await canary.api("POST", "silences", silence(over));
    expect(response.status).toBe(422);
    const body = await answerOf(response);
    expect(body.code).toBe("invalid_request");
    expect(body.detail).toMatch(detail);
    expect((await canary.status()).silences).toEqual([]);
  });

  test.for(["null", "[]", '"E-05"', "5"])("422: %s is JSON, but no silence", async (body) => {
    expect((await withSlack().api("POST", "silences", body)).status).toBe(422);
  });

  test.for(["unknown", "00000000", "lease_until", "%2e%2e", "0000000g"])("404: %s", async (id) => {
    const canary = withSlack();
    await canary.api("POST", "silences", silence());
    expect((await canary.api("DELETE", `silences/${id}`)).status).toBe(404);
    expect((await canary.status()).silences).toHaveLength(1);
  });

  test("409: fifty are enough, until some have ended", async () => {
    const canary = withSlack();
    for (let n = 0; n < 50; n += 1)
      expect((await canary.api("POST", "silences", silence({ subject: `agent-${n}` }))).status).toBe(201);
    const refused = await canary.api("POST", "silences", silence());
    expect(refused.status).toBe(409);
    expect(await answerOf(refused)).toMatchObject({ code: "too_many_silences" });
    nowMs += HOUR_MS;
    await canary.cycle();
    expect((await canary.api("POST", "silences", silence())).status).toBe(201);
    expect((await storedText()).match(/silence_/g)).toHaveLength(1);
  });

  test("what breaks under one is recorded as silenced and not told; when it ends while red, it is reported", async () => {
    const canary = withSlack();
    await canary.api("POST", "silences", silence());
    await strand("ruby");
    const silenced = await canary.cycle();
    expect(silenced.report.transitions).toMatchObject([{ invariant_id: "E-05", silenced: true }]);
    expect(silenced.alerts).toMatchObject({ delivered: 0, pending: 0 });
    const { cycles } = await answerOf(canary.api("GET", "cycles"));
    expect(cycles[0]!.transitions).toMatchObject([{ invariant_id: "E-05", silenced: true }]);
    await canary.cycle({ afterMs: 54 * MINUTE_MS });
    expect(webhook.posts).toEqual([]);

    const ended = await canary.cycle({ afterMs: MINUTE_MS });
    expect(ended.report.transitions).toEqual([]);
    expect(webhook.read).toEqual([`${ended.report.snapshot_time}/E-05/broke`]);
    await canary.cycle();
    expect(webhook.posts).toHaveLength(1);
    expect((await canary.status()).silences).toEqual([]);
  });

  test("one that is deleted while red: told with the next cycle", async () => {
    const canary = withSlack();
    const { id } = await answerOf(canary.api("POST", "silences", silence()));
    await strand("ruby");
    await canary.cycle();
    await canary.api("DELETE", `silences/${id}`);
    await canary.cycle();
    expect(webhook.read.map(kindOf)).toEqual(["E-05/broke"]);
  });

  test("one for an agent covers that agent alone", async () => {
    const canary = withSlack();
    await canary.api("POST", "silences", silence({ subject: "ruby" }));
    await strand("ruby");
    await strand("cornelius-m");
    const { report } = await canary.cycle();
    expect(report.transitions).toMatchObject([{ silenced: false, violations_in_cycle: 2 }]);
    expect(webhook.read).toHaveLength(1);
    expect(textOf(webhook.posts[0])).toContain("across 1 agent: cornelius-m");
    await canary.cycle({ afterMs: HOUR_MS });
    expect(textOf(webhook.posts[1])).toContain("across 1 agent: ruby");
  });

  test("what breaks and recovers under one is nobody's news", async () => {
    const canary = withSlack();
    await canary.api("POST", "silences", silence());
    await strand("ruby");
    await canary.cycle();
    await cure();
    const { report } = await canary.cycle();
    expect(report.recoveries).toMatchObject([{ invariant_id: "E-05", silenced: true }]);
    await canary.cycle({ afterMs: HOUR_MS });
    expect(webhook.posts).toEqual([]);
  });

  const CALLS = [
    "lease.acquire",
    "journals.load",
    "evidence.reserveIds",
    "evidence.write",
    "lease.commit",
  ] as const satisfies readonly StateCall[];
  const MOMENTS = CALLS.flatMap((call) =>
    (["before", "after"] as const).map((when) => [when, call] as const),
  );

  test.for(MOMENTS)("made %s %s of a cycle that runs: it is not lost", async ([when, call]) => {
    const calm = withSlack();
    const old = await answerOf(calm.api("POST", "silences", silence({ until: inOneHour() })));
    nowMs += HOUR_MS;
    let made = "";
    const meddled = async (...args: unknown[]) => {
      const work = stateCall(store, call);
      const meddle = async () => {
        if (!made) made = (await answerOf(calm.api("POST", "silences", silence()))).id;
      };
      if (when === "before") await meddle();
      const result = await work(...args);
      if (when === "after") await meddle();
      return result;
    };
    const canary = withSlack({ store: withStateCall(store, call, meddled) });
    await strand("ruby");
    const { report } = await canary.cycle();
    // It counts only where it existed when the cycle took its lease. The cycle removes the expired one, and not this one.
    expect(report.transitions[0]!.silenced).toBe(call === "lease.acquire" && when === "before");
    expect((await calm.status()).silences.map(({ id }) => id)).toEqual([made]);
    expect(made).not.toBe(old.id);
    await strand("cornelius-m");
    expect((await calm.cycle()).report.spreads).toMatchObject([{ silenced: true }]);
  });

  test("deleted while a cycle runs, it does not come back", async () => {
    const calm = withSlack();
    const { id } = await answerOf(calm.api("POST", "silences", silence()));
    const meddled: Store = {
      ...store,
      evidence: {
        ...store.evidence,
        async write(...args) {
          await calm.api("DELETE", `silences/${id}`);
          return store.evidence.write(...args);
        },
      },
    };
    await strand("ruby");
    await withSlack({ store: meddled }).cycle();
    expect((await calm.status()).silences).toEqual([]);
    await calm.cycle();
    expect(webhook.read.map(kindOf)).toEqual(["E-05/broke"]);
  });
});

describe("the log and the metrics of a scheduled cycle", () => {
  /** Runs the handler of `functions/cycle.ts` once in a new process. Gives its lines and how it ended. */
  async function invoke(over: Record<string, string> = {}, remainingMs = 60_000) {
    const script = `import { handler } from ${JSON.stringify(HANDLER)};
      await handler({}, { getRemainingTimeInMillis: () => ${remainingMs} });`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      env: {
        PATH: process.env.PATH,
        AWS_ENDPOINT_URL_DYNAMODB: dynamo.endpoint,
        AWS_ENDPOINT_URL_SNS: topic.endpoint,
        AWS_REGION: "eu-west-1",
        AWS_ACCESS_KEY_ID: "local",
        AWS_SECRET_ACCESS_KEY: "local",
        STATE_TABLE: dynamo.table,
        ...env,
        ...over,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [output, errors] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (chunk) => {
      output += chunk;
    });
    child.stderr.setEncoding("utf8").on("data", (chunk) => {
      errors += chunk;
    });
    const [code] = await once(child, "close");
    // stderr has the logger's errors, and the error that ended Node.
    const lines = `${output}\n${errors}`
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line));
    return {
      code,
      text: output + errors,
      log: lines.filter((line) => !("_aws" in line)),
      emf: lines.filter((line) => "_aws" in line),
    };
  }

  type Emf = Record<string, unknown> & {
    _aws: {
      CloudWatchMetrics: {
        Namespace: string;
        Dimensions: string[][];
        Metrics: { Name: string; Unit: string }[];
      }[];
    };
  };
  /** The value of each metric, by its name and dimensions. */
  const metricsOf = (emf: Emf[]) =>
    emf.flatMap((line) =>
      line._aws.CloudWatchMetrics.flatMap(({ Namespace, Dimensions, Metrics }) =>
        Metrics.map(({ Name, Unit }) => ({
          namespace: Namespace,
          name: Name,
          unit: Unit,
          value: line[Name],
          dimensions: Object.fromEntries(Dimensions.flat().map((name) => [name, line[name]])),
        })),
      ),
    );
  const valuesOf = (emf: Emf[]) =>
    Object.fromEntries(metricsOf(emf).map(({ name, value }) => [name, value] as const));

  test("one wide line, and every metric", async () => {
    await strandLongAgo();
    const off = [...idsOffWithout("redis"), ...idsOffWithout("docker")];
    const checksOff = INVARIANT_IDS.filter((id) => off.includes(id));
    const { code, log, emf } = await invoke({
      SLACK_WEBHOOK_URL: webhook.url,
      CHECKS_ON: OFF_BY_DEFAULT.join(","),
    });
    expect(code).toBe(0);
    expect(log).toHaveLength(1);
    expect(log[0]).toMatchObject({
      level: "INFO",
      message: "cycle",
      service: "trinity-canary",
      environment: "staging",
      trigger: "schedule",
      cycle_duration_ms: expect.any(Number),
      checks_run: INVARIANT_IDS.filter((id) => !off.includes(id)),
      checks_off: checksOff,
      red: ["E-05"],
      unknown: [],
      violation_count: 1,
      sources_unavailable: [],
      transitions: [{ invariant_id: "E-05", severity: "major", silenced: false }],
      spreads: [],
      recoveries: [],
      alerts: { delivered: 1, pending: 0, dropped: 0, failures: [] },
      source_latency_ms: { sqlite: expect.any(Number) },
    });
    expect(webhook.read).toEqual([`${log[0].snapshot_time}/E-05/broke`]);

    const metrics = metricsOf(emf);
    for (const { namespace, dimensions } of metrics) {
      expect(namespace).toBe("TrinityCanary");
      expect(dimensions).toMatchObject({ environment: "staging" });
    }
    expect(Object.fromEntries(metrics.map(({ name, unit, value }) => [name, [unit, value]]))).toEqual({
      CycleDuration: ["Milliseconds", log[0].cycle_duration_ms],
      CyclesCompleted: ["Count", 1],
      RedInvariants: ["Count", 1],
      UnknownInvariants: ["Count", 0],
      Violations: ["Count", 1],
      AlertsDelivered: ["Count", 1],
      AlertsPending: ["Count", 0],
      AlertsDropped: ["Count", 0],
      SourceLatency: ["Milliseconds", log[0].source_latency_ms.sqlite],
    });
    expect(metrics.filter(({ name }) => name === "SourceLatency")).toMatchObject([
      { dimensions: { source: "sqlite" } },
    ]);
  });

  test("a Slack that fails: counted as pending, told why, and without the secret", async () => {
    await strandLongAgo();
    webhook.answer = "echoes its address";
    const { code, text, log, emf } = await invoke({ SLACK_WEBHOOK_URL: webhook.url });
    expect(code).toBe(0);
    expect(log[0].alerts).toEqual({ delivered: 0, pending: 1, dropped: 0, failures: ["slack: HTTP 502"] });
    expect(valuesOf(emf)).toMatchObject({ AlertsDelivered: 0, AlertsPending: 1, AlertsDropped: 0 });
    expect(text).not.toContain(webhook.token);
  });

  test("a second and a half before the function is ended, nothing is sent", async () => {
    await strandLongAgo();
    const { code, emf } = await invoke({ SLACK_WEBHOOK_URL: webhook.url }, 1_500);
    expect(code).toBe(0);
    expect(valuesOf(emf)).toMatchObject({ CyclesCompleted: 1, AlertsDelivered: 0, AlertsPending: 1 });
    expect(webhook.posts).toEqual([]);
  });

  test("a state that is not there: the cycle is said to have failed, and so has the invocation", async () => {
    await strandLongAgo();
    const { code, log, emf } = await invoke({
      AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${await freePort()}`,
      SLACK_WEBHOOK_URL: webhook.url,
    });
    expect(code).not.toBe(0);
    expect(log).toHaveLength(1);
    expect(log[0]).toMatchObject({
      level: "ERROR",
      reason: expect.stringMatching(/^state: /),
      red: ["E-05"],
    });
    expect(valuesOf(emf)).toMatchObject({ CyclesCompleted: 0, RedInvariants: 1, Violations: 1 });
    expect(webhook.posts).toEqual([]);
  });

  test("another cycle that runs: one line, no failure", async () => {
    await store.lease.acquire("another", Date.now(), 5 * MINUTE_MS);
    const { code, log, emf } = await invoke();
    expect(code).toBe(0);
    expect(log).toMatchObject([{ message: "cycle in progress", retry_after_seconds: expect.any(Number) }]);
    expect(valuesOf(emf)).toEqual({});
  });

  /** By the real clock of the new process: red on any date. */
  async function strandLongAgo() {
    await strand("ruby");
    await database.execute("UPDATE schedule_executions SET started_at = '2020-01-01T00:00:00Z'");
  }
});
