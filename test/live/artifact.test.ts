/** The functions as `cdk synth` builds them, each in its own process as on Lambda, against real servers. */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startRedis } from "../../infra/local/redis.ts";
import { redisRestApp } from "../../infra/local/redis-rest.ts";
import { serve } from "../../infra/local/serve.ts";
import { openDatabaseFile } from "../../infra/platform/file-client.ts";
import { createSchema } from "../../infra/platform/schema.ts";
import { INVARIANT_IDS, OFF_BY_DEFAULT } from "../../shared/invariants/index.ts";
import { documentClient } from "../../shared/store/client.ts";
import { dynamoStore } from "../../shared/store/store.ts";
import { METRICS } from "../../shared/telemetry.ts";
import {
  ACCOUNT,
  type BuiltFunction,
  type BuiltStack,
  buildStack,
  REGION,
} from "../support/built-functions.ts";
import { type Dockerd, startDockerd } from "../support/dockerd.ts";
import { type Invocation, type LambdaProcess, startLambda } from "../support/lambda-runtime.ts";
import { type InvokeFault, type LambdaService, startLambdaService } from "../support/lambda-service.ts";
import { describeLive, temporaryFolder, until } from "../support/live.ts";
import { type LivePlatform, REST_TOKEN, secondsAgo, startLivePlatform } from "../support/live-platform.ts";
import { idsReading } from "../support/registry.ts";
import { type Secret, type SecretsManager, startSecretsManager } from "../support/secrets-manager.ts";
import { startTopic, startWebhook, type Topic, type Webhook } from "../support/webhook.ts";

const ENVIRONMENT = "staging";
const SECRET_ARN = `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:Canary-a1B2c3`;
const API_SECRET_ARN = `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:CanaryApi-d4E5f6`;
const TOPIC_ARN = `arn:aws:sns:${REGION}:${ACCOUNT}:canary`;
const TABLE_NAME = "trinity-canary";
const DOMAIN = `abcdefghij.lambda-url.${REGION}.on.aws`;
const STATUS_PAGE = `https://${DOMAIN}/`;
const ADMIN_TOKEN = "AdminTokenOfTheTest0123456789";
const OLD_ADMIN_TOKEN = "OldAdminTokenOfTheTest0123456789";

/** The event of EventBridge Scheduler for a schedule without an input. */
const SCHEDULED = {
  version: "0",
  id: "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
  "detail-type": "Scheduled Event",
  source: "aws.scheduler",
  account: ACCOUNT,
  time: "2026-11-23T10:00:00Z",
  region: REGION,
  resources: [`arn:aws:scheduler:${REGION}:${ACCOUNT}:schedule/default/canary`],
  detail: "{}",
};

interface Request {
  readonly method?: string;
  readonly path: string;
  readonly token?: string;
  readonly body?: string;
  /** Default: anything. */
  readonly accept?: string;
  /** The content type. `curl -d` calls its body a form, and Lambda encodes a body that is not text in base64. */
  readonly type?: "application/json" | "application/x-www-form-urlencoded";
  /** Whether it was signed with the credentials of a role, which the function URL has checked. */
  readonly signed?: boolean;
}

/** A request as the event of a function URL (payload version 2.0). */
function urlEvent({ method = "GET", path, token, body, signed = false, ...headers }: Request) {
  const { accept = "*/*", type = "application/json" } = headers;
  const isBase64Encoded = body !== undefined && type !== "application/json";
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath: path,
    rawQueryString: "",
    headers: {
      accept,
      host: DOMAIN,
      "user-agent": "curl/8.5.0",
      "x-amzn-trace-id": "Root=1-6563e988-bd862e3fe1be46a994272793",
      "x-forwarded-for": "203.0.113.7",
      "x-forwarded-port": "443",
      "x-forwarded-proto": "https",
      ...(body !== undefined && { "content-length": String(body.length), "content-type": type }),
      ...(token && { authorization: `Bearer ${token}` }),
    },
    requestContext: {
      accountId: signed ? ACCOUNT : "anonymous",
      apiId: "abcdefghij",
      ...(signed && {
        authorizer: {
          iam: {
            accessKey: "ASIAEXAMPLE",
            accountId: ACCOUNT,
            callerId: "AROAEXAMPLE:operator",
            cognitoIdentity: null,
            principalOrgId: "aws:PrincipalOrgID",
            userArn: `arn:aws:sts::${ACCOUNT}:assumed-role/operators/operator`,
            userId: "AROAEXAMPLE:operator",
          },
        },
      }),
      domainName: DOMAIN,
      domainPrefix: "abcdefghij",
      http: { method, path, protocol: "HTTP/1.1", sourceIp: "203.0.113.7", userAgent: "curl/8.5.0" },
      requestId: "8f0b7d0c-5d5f-4a7e-9c43-0d6d9f3c1e55",
      routeKey: "$default",
      stage: "$default",
      time: "23/Nov/2026:10:00:00 +0000",
      timeEpoch: 1_795_428_000_000,
    },
    ...(body !== undefined && { body: isBase64Encoded ? Buffer.from(body).toString("base64") : body }),
    isBase64Encoded,
  };
}

/** The lines of a log that are JSON. */
const jsonLines = (text: string): Record<string, unknown>[] =>
  text
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));

interface Alarmed {
  readonly MetricStat?: object;
}

interface Embedded {
  readonly CloudWatchMetrics: {
    readonly Namespace: string;
    readonly Dimensions: string[][];
    readonly Metrics: { readonly Name: string }[];
  }[];
}

/** The metrics that CloudWatch makes from these lines: `namespace name dimension=value …` and the value. */
function metricsIn(stdout: string): Map<string, unknown> {
  const metrics = new Map<string, unknown>();
  for (const line of jsonLines(stdout))
    for (const { Namespace, Dimensions, Metrics } of (line._aws as Embedded | undefined)?.CloudWatchMetrics ??
      [])
      for (const names of Dimensions)
        for (const { Name } of Metrics)
          metrics.set(
            metricName(
              Namespace,
              Name,
              names.map((name) => [name, line[name]]),
            ),
            line[Name],
          );
  return metrics;
}
const metricName = (namespace: string, name: string, dimensions: readonly (readonly [string, unknown])[]) =>
  [namespace, name, ...dimensions.map(([key, value]) => `${key}=${value}`).sort()].join(" ");

/** What an environment without settings of its own runs. */
const RUN_IDS = INVARIANT_IDS.filter((id) => !OFF_BY_DEFAULT.some((off) => off === id));

describeLive(["redis-server", "sqld", "dockerd"], "the built functions as Lambda runs them", () => {
  let stack: BuiltStack;
  /** Keeps what Node compiled for the next process. */
  let compiled: Awaited<ReturnType<typeof temporaryFolder>>;
  let platform: LivePlatform;
  let dockerd: Dockerd;
  let secrets: SecretsManager;
  /** The secret of the cycle function, and that of the API function. */
  let secret: Secret;
  let apiSecret: Secret;
  let lambda: LambdaService;
  let webhook: Webhook;
  let topic: Topic;
  /** The value of the cycle function's secret, as the operators write it. */
  let values: Record<string, string>;
  /** Texts that may appear nowhere. */
  let hidden: Set<string>;
  let running: LambdaProcess[];

  beforeAll(async () => {
    compiled = await temporaryFolder();
    const made = {
      "AWS::DynamoDB::Table": TABLE_NAME,
      CanarySecret: SECRET_ARN,
      CanaryApiSecret: API_SECRET_ARN,
      "AWS::SNS::Topic": TOPIC_ARN,
      "AWS::Lambda::Url.FunctionUrl": `https://${DOMAIN}/`,
    };
    const starting = [
      buildStack(ENVIRONMENT, made).then((built) => {
        stack = built;
      }),
      startLivePlatform().then((started) => {
        platform = started;
      }),
      startDockerd(["procps"]).then((started) => {
        dockerd = started;
      }),
    ];
    // Ends the parts that started, even where another could not start.
    await Promise.allSettled(starting);
    await Promise.all(starting);
    await dockerd.runAgent("ruby", "procps", "exec sleep 600");
  });
  afterAll(async () => {
    for (const part of [platform, dockerd]) await part?.close();
    await stack?.remove();
    await compiled?.remove();
  });

  beforeEach(async () => {
    await platform.reset();
    await platform.addAgent("ruby");
    secret = { value: "{}", fault: "none" };
    apiSecret = { value: "{}", fault: "none" };
    [secrets, lambda, webhook, topic] = [
      await startSecretsManager({ [SECRET_ARN]: secret, [API_SECRET_ARN]: apiSecret }),
      await startLambdaService(),
      await startWebhook(),
      await startTopic(),
    ];
    running = [];
    hidden = new Set();
    const { DOCKER_TLS_CA, DOCKER_TLS_CERT, DOCKER_TLS_KEY } = dockerd.env;
    values = {
      LIBSQL_AUTH_TOKEN: "LibsqlTokenOfTheTest0123456789",
      UPSTASH_REDIS_REST_TOKEN: REST_TOKEN,
      DOCKER_TLS_CA: await readFile(DOCKER_TLS_CA, "utf8"),
      DOCKER_TLS_CERT: await readFile(DOCKER_TLS_CERT, "utf8"),
      DOCKER_TLS_KEY,
      // The only secret of an older version had it, and it may still be there: it opens nothing.
      ADMIN_TOKEN: OLD_ADMIN_TOKEN,
      SLACK_WEBHOOK_URL: webhook.url,
    };
    put({});
    putToken(ADMIN_TOKEN);
  });
  afterEach(async () => {
    const output = running.map((process) => process.output()).join("\n");
    for (const part of [...running, secrets, lambda, webhook, topic]) await part.close();
    for (const text of hidden) expect(output).not.toContain(text);
  });

  /** Adds the text to those that may appear nowhere. */
  function hide(text: string) {
    // The last line of a PEM can be as short as a word.
    for (const part of text.split("\n")) if (part.length >= 8 && !part.startsWith("-----")) hidden.add(part);
  }

  /** Stores a new version of the cycle function's secret. */
  function put(changed: Record<string, string>) {
    values = { ...values, ...changed };
    for (const value of [...Object.values(values), webhook.token]) hide(value);
    secret.value = JSON.stringify(values);
  }
  /** Stores a new version of the API function's secret. */
  function putToken(token: string) {
    hide(token);
    apiSecret.value = JSON.stringify({ ADMIN_TOKEN: token });
  }

  async function start(built: BuiltFunction, more: Record<string, string>): Promise<LambdaProcess> {
    const started = await startLambda(built, {
      AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url,
      AWS_ENDPOINT_URL_DYNAMODB: platform.dynamoProxy.url,
      NODE_COMPILE_CACHE: compiled.path,
      ...more,
    });
    running.push(started);
    return started;
  }
  const startCycle = (more: Record<string, string> = {}, built = stack.cycle): Promise<LambdaProcess> =>
    start(built, {
      AWS_ENDPOINT_URL_SNS: topic.endpoint,
      LIBSQL_URL: platform.sql.url,
      UPSTASH_REDIS_REST_URL: platform.rest.url,
      DOCKER_HOSTS: dockerd.env.DOCKER_HOSTS,
      // Nothing changes here between the two looks at what is red.
      CONFIRM_AFTER_MS: "100",
      ...more,
    });
  /** Starts the API function alone: no variable of it says where a source is. */
  const startApi = (more: Record<string, string> = {}, built = stack.api): Promise<LambdaProcess> =>
    start(built, { AWS_ENDPOINT_URL_LAMBDA: lambda.url, ...more });
  /** Starts both functions. `cycles` gets what the cycle function did for the API. */
  async function startBoth(more: Record<string, string> = {}, ofCycle: Record<string, string> = {}) {
    const [api, cycle] = [await startApi(more), await startCycle(ofCycle)];
    return { api, cycle, cycles: serveWith(cycle) };
  }
  /** Has this process do what the API asks of the cycle function. Gives what it did. */
  function serveWith(cycle: LambdaProcess): Invocation[] {
    const cycles: Invocation[] = [];
    lambda.add(stack.cycle.name, async (event) => {
      const invocation = await cycle.invoke(event);
      cycles.push(invocation);
      return invocation;
    });
    return cycles;
  }

  /** Calls the API. */
  async function ask(api: LambdaProcess, request: Request) {
    const invocation = await api.invoke(urlEvent(request));
    expect(invocation.error).toBeUndefined();
    const { statusCode, headers, body, isBase64Encoded } = invocation.result as {
      statusCode: number;
      headers: Record<string, string>;
      body: string;
      isBase64Encoded: boolean;
    };
    const text = isBase64Encoded ? Buffer.from(body, "base64").toString() : body;
    return { ...invocation, status: statusCode, headers, body: JSON.parse(text) };
  }
  /** Makes S-02 red for ruby. */
  async function overbook() {
    for (const id of ["run-1", "run-2", "run-3"]) {
      await platform.addExecution({ id, agent: "ruby", ageSeconds: 20 });
      await platform.addSlot("ruby", id, { ageSeconds: 20 });
    }
  }
  const runCycle = (body?: string, more: Partial<Request> = {}): Request => ({
    method: "POST",
    path: "/api/canary/run-cycle",
    token: ADMIN_TOKEN,
    ...(body !== undefined && { body }),
    ...more,
  });

  const store = () => dynamoStore(documentClient({ endpoint: platform.dynamo.endpoint }), TABLE_NAME);
  const lastCycle = async () => {
    const nowMs = Date.now();
    const range = { startMs: nowMs - 3_600_000, endMs: nowMs + 60_000, nowMs };
    return (await store().history.listCycles(range, 10, null)).items[0];
  };
  const statusesOf = (verdicts: Record<string, { status: string }> = {}) =>
    Object.fromEntries(Object.entries(verdicts).map(([id, { status }]) => [id, status]));
  const green = Object.fromEntries(RUN_IDS.map((id) => [id, "green"]));
  /** The log line of each cycle. */
  const lineOf = ({ stdout }: Invocation) => jsonLines(stdout).find((line) => line.trigger !== undefined)!;
  const expectGreen = (invocation: Invocation) => {
    expect(invocation.error).toBeUndefined();
    expect(lineOf(invocation)).toMatchObject({
      message: "cycle",
      level: "INFO",
      environment: ENVIRONMENT,
      checks_run: RUN_IDS,
      red: [],
      unknown: [],
      sources_unavailable: [],
    });
  };

  describe("the schedule", () => {
    test("a cycle of a well platform: recorded, logged, and measured as the alarms and the dashboard look for it", async () => {
      const cycle = await startCycle();
      const invocation = await cycle.invoke(SCHEDULED);
      expectGreen(invocation);
      expect(invocation.result).toBeNull();
      expect(await lastCycle()).toMatchObject({
        trigger: "schedule",
        checks_run: RUN_IDS,
        violation_count: 0,
      });
      expect(statusesOf((await lastCycle())?.verdicts)).toEqual(green);

      const refused = await ask(await startApi(), {
        path: "/metrics",
        token: "WrongTokenOfTheTest0123456789",
      });
      const metrics = metricsIn(invocation.stdout + refused.stdout);
      const watched = stack
        .resources("AWS::CloudWatch::Alarm")
        // A computed metric has its source metric inside.
        .map((alarm) => alarm.Metrics?.find((m: Alarmed) => m.MetricStat)?.MetricStat.Metric ?? alarm)
        .filter(({ Namespace }) => Namespace === METRICS.namespace)
        .map(({ Namespace, MetricName, Dimensions }) =>
          metricName(
            Namespace,
            MetricName,
            Dimensions.map((d: { Name: string; Value: string }) => [d.Name, d.Value]),
          ),
        );
      expect(watched.length).toBeGreaterThanOrEqual(4);
      expect([...metrics.keys()]).toEqual(expect.arrayContaining(watched));
      const [of] = watched.map((name) => name.split(" ").slice(2).join(" "));
      expect(metrics.get(`${METRICS.namespace} CyclesCompleted ${of}`)).toBe(1);
      expect(metrics.get(`${METRICS.namespace} UnknownInvariants ${of}`)).toBe(0);

      const [{ DashboardBody }] = stack.resources("AWS::CloudWatch::Dashboard");
      const rows = JSON.parse(DashboardBody).widgets.flatMap(
        (widget: { properties: { metrics: unknown[][] } }) => widget.properties.metrics,
      );
      const names: string[] = rows
        .filter(([namespace]: unknown[]) => namespace === METRICS.namespace)
        .map(([namespace, name, ...rest]: string[]) => {
          const pairs = rest.filter((part) => typeof part === "string");
          return metricName(
            namespace!,
            name!,
            pairs.flatMap((key, i) => (i % 2 === 0 ? [[key, pairs[i + 1]] as const] : [])),
          );
        });
      expect(names.length).toBeGreaterThanOrEqual(5);
      expect([...metrics.keys()]).toEqual(expect.arrayContaining(names));

      // The latencies of the sources are identified by their dimensions.
      const searched = /SEARCH\('\{([^}]+)\} MetricName="(\w+)"/.exec(
        JSON.stringify(rows).replaceAll('\\"', '"'),
      );
      const [namespace, ...dimensions] = searched![1]!.split(",");
      const found = [...metrics.keys()]
        .map((name) => name.split(" "))
        .filter(([space, name]) => space === namespace && name === searched![2]);
      expect(found.map(([, , ...pairs]) => pairs.map((pair) => pair.split("=")[0]).sort())).toContainEqual(
        dimensions.sort(),
      );
    });

    test("an overbooked agent: told once in Slack and to the topic, with the way to the status", async () => {
      const cycle = await startCycle();
      await overbook();
      const red = await cycle.invoke(SCHEDULED);
      expect(red.error).toBeUndefined();
      expect(lineOf(red)).toMatchObject({ red: ["S-02"], unknown: [], violation_count: 1 });
      expect(lineOf(red).alerts).toMatchObject({ delivered: 2, pending: 0 });
      expect(webhook.posts).toHaveLength(1);
      expect(topic.publications).toMatchObject([
        { topicArn: TOPIC_ARN, subject: expect.stringContaining("S-02") },
      ]);
      for (const text of [JSON.stringify(webhook.posts[0]!.body), topic.publications[0]!.message]) {
        expect(text).toContain(STATUS_PAGE);
        expect(text).toContain(ENVIRONMENT);
        expect(text).toContain("ruby");
      }
      expect(lineOf(await cycle.invoke(SCHEDULED))).toMatchObject({ red: ["S-02"] });
      expect(webhook.posts).toHaveLength(1);
      expect(topic.publications).toHaveLength(1);
    });

    test("a state that can't be reached: the invocation fails, and says where in our own sources", async () => {
      const cycle = await startCycle();
      platform.dynamoProxy.fault = "http 500";
      const { error, stdout, stderr } = await cycle.invoke(SCHEDULED);
      expect(error).toMatchObject({ errorType: "Error", errorMessage: expect.stringMatching(/^state: /) });
      expect(error!.trace.join("\n")).toMatch(/functions\/cycle\.ts:\d+:\d+/);
      expect(jsonLines(stderr)).toContainEqual(
        expect.objectContaining({ level: "ERROR", message: expect.stringContaining("cycle failed") }),
      );
      const completed = [...metricsIn(stdout)].filter(([name]) => name.includes(" CyclesCompleted "));
      expect(completed.map(([, value]) => value)).toEqual([0]);
      platform.dynamoProxy.fault = "none";
      expectGreen(await cycle.invoke(SCHEDULED));
    });

    test("another cycle in progress is no error of this one", async () => {
      const cycle = await startCycle();
      await store().lease.acquire("another", Date.now(), 60_000);
      const invocation = await cycle.invoke(SCHEDULED);
      expect(invocation.error).toBeUndefined();
      expect(lineOf(invocation)).toMatchObject({ message: "cycle in progress", trigger: "schedule" });
    });

    test("a platform whose database is a mounted file", async () => {
      const folder = await temporaryFolder();
      const url = `file:${join(folder.path, "trinity.db")}`;
      const database = openDatabaseFile(url);
      try {
        await createSchema(database);
        await database.execute("INSERT INTO agent_ownership (agent_name) VALUES ('ruby')");
        await database.execute({
          sql: `INSERT INTO schedule_executions (id, schedule_id, agent_name, status, started_at, message, triggered_by)
                VALUES ('lost', 's', 'ruby', 'running', ?, 'm', 'schedule')`,
          args: [secondsAgo(180)],
        });
        await platform.addSlot("ruby", "lost", { ageSeconds: 180 });
        const cycle = await startCycle({ LIBSQL_URL: url, LIBSQL_LOCK_MS: "10000" });
        const red = await cycle.invoke(SCHEDULED);
        expect(lineOf(red)).toMatchObject({ red: ["E-05"], unknown: [], sources_unavailable: [] });
        await database.execute("UPDATE schedule_executions SET claude_session_id = 'here'");
        expectGreen(await cycle.invoke(SCHEDULED));

        // A writer's commit locks the file for a moment, which must not make the source unread.
        await database.execute("PRAGMA locking_mode = EXCLUSIVE");
        await database.execute("UPDATE agent_ownership SET max_parallel_tasks = 4");
        const during = cycle.invoke(SCHEDULED);
        await new Promise((resolve) => setTimeout(resolve, 500));
        await database.execute("PRAGMA locking_mode = NORMAL");
        await database.execute("SELECT count(*) FROM agent_ownership");
        expectGreen(await during);
      } finally {
        database.close();
        await folder.remove();
      }
    });
  });

  describe("the function URL", () => {
    test("asks for the admin token, has cycles run, and tells how the platform is", async () => {
      const { api, cycles } = await startBoth();
      expect(await ask(api, { path: "/healthz" })).toMatchObject({
        status: 503,
        body: { status: "stale" },
      });
      for (const token of ["", "WrongTokenOfTheTest0123456789", OLD_ADMIN_TOKEN])
        expect(await ask(api, { ...runCycle(), token })).toMatchObject({
          status: 401,
          headers: { "www-authenticate": "Bearer" },
          body: { code: "unauthorized" },
        });
      expect(lambda.events).toEqual([]);
      expect(await lastCycle()).toBeUndefined();

      const ran = await ask(api, runCycle());
      expect(ran).toMatchObject({
        status: 200,
        body: { checks_run: RUN_IDS, sources_unavailable: [] },
      });
      expect(statusesOf(ran.body.verdicts)).toEqual(green);
      expectGreen(cycles[0]!);
      expect(await lastCycle()).toMatchObject({ trigger: "http" });
      expect(await ask(api, { path: "/healthz" })).toMatchObject({
        status: 200,
        body: { status: "fresh" },
      });

      const some = await ask(api, runCycle('{"invariants": ["S-01", "R-01"]}'));
      expect(some).toMatchObject({ status: 200, body: { checks_run: ["S-01", "R-01"] } });
      const form = { type: "application/x-www-form-urlencoded" } as const;
      expect(await ask(api, runCycle('{"invariants": ["S-99"]}', form))).toMatchObject({
        status: 422,
        body: { code: "unknown_invariant", detail: expect.stringContaining("S-99") },
      });
      expect(await ask(api, runCycle("S-01"))).toMatchObject({
        status: 400,
        body: { code: "invalid_json" },
      });
      expect(cycles).toHaveLength(2);

      const status = await ask(api, { path: "/api/canary/status", token: ADMIN_TOKEN });
      expect(status).toMatchObject({ status: 200, body: { alerts: { channels: ["slack", "sns"] } } });
      expect(status.body.invariants.map((i: { status: string }) => i.status)).toEqual(
        INVARIANT_IDS.map((id) => (RUN_IDS.includes(id) ? "green" : "off")),
      );
      expect(await ask(api, { path: "/openapi.json" })).toMatchObject({ status: 401 });
      expect(await ask(api, { path: "/openapi.json", token: ADMIN_TOKEN })).toMatchObject({
        status: 200,
        body: { openapi: "3.1.0", paths: { "/api/canary/run-cycle": {} } },
      });
    });

    test("an agent that operates asks over the Model Context Protocol, and has a cycle run", async () => {
      const { api } = await startBoth();
      const mcp = async (method: string, params: object) => {
        const accept = "application/json, text/event-stream";
        const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
        return ask(api, { method: "POST", path: "/mcp", token: ADMIN_TOKEN, accept, body });
      };
      const { tools } = (await mcp("tools/list", {})).body.result;
      expect(tools.map((tool: { name: string }) => tool.name)).toContain("run_cycle");
      const ran = await mcp("tools/call", { name: "run_cycle" });
      expect(ran.body.result.structuredContent).toMatchObject({
        violations_total: 0,
        sources_unavailable: [],
      });
      const explained = await mcp("tools/call", {
        name: "explain",
        arguments: { invariant_id: "S-01", runbook: true },
      });
      expect(explained.body.result.structuredContent.runbook).toContain("# ");
    });

    test("who holds the API function holds the admin token, and nothing of a source or a channel", async () => {
      const { api } = await startBoth();
      const before = secrets.asked.length;
      expect(await ask(api, runCycle())).toMatchObject({ status: 200 });
      expect(secrets.asked.slice(before)).toContain(API_SECRET_ARN);
      const alone = await startApi();
      const asked = secrets.asked.length;
      for (const path of ["/healthz", "/api/canary/status", "/metrics", "/api/canary/cycles"])
        expect(await alone.invoke(urlEvent({ path, token: ADMIN_TOKEN }))).toMatchObject({
          error: undefined,
        });
      expect([...new Set(secrets.asked.slice(asked))]).toEqual([API_SECRET_ARN]);
      expect(Object.keys(stack.api.environment).sort()).toEqual([
        "API_AUTH",
        "CANARY_ENVIRONMENT",
        "CANARY_SECRET_ID",
        "CYCLE_FUNCTION",
        "NODE_OPTIONS",
        "PUBLIC_BADGE",
        "STATE_TABLE",
      ]);
      // The value of the other secret is refused: what it holds would be in the reach of strangers.
      apiSecret.value = JSON.stringify(values);
      const closed = await ask(await startApi(), { path: "/api/canary/status", token: OLD_ADMIN_TOKEN });
      expect(closed).toMatchObject({ status: 503, body: { code: "misconfigured" } });
      expect(closed.stderr).toMatch(/may hold ADMIN_TOKEN, READ_TOKENS$/m);
    });

    test("409 with the time to come back, while another cycle holds the lease: no error of the cycle function", async () => {
      const { api, cycles } = await startBoth();
      await store().lease.acquire("another", Date.now(), 60_000);
      const busy = await ask(api, runCycle());
      expect(busy).toMatchObject({ status: 409, body: { code: "cycle_in_progress" } });
      expect(Number(busy.headers["retry-after"])).toBeGreaterThan(0);
      expect(cycles.map(({ error }) => error)).toEqual([undefined]);
    });

    test("503 with the verdicts where the state failed: no error of the cycle function either", async () => {
      const { api, cycles } = await startBoth();
      expect(await ask(api, runCycle())).toMatchObject({ status: 200 });
      platform.dynamoProxy.fault = "http 500";
      const failed = await ask(api, runCycle());
      platform.dynamoProxy.fault = "none";
      expect(failed).toMatchObject({
        status: 503,
        body: { code: "state_unavailable", detail: expect.stringMatching(/^state: /) },
      });
      expect(Object.keys(failed.body.verdicts)).toEqual(RUN_IDS);
      expect(cycles.map(({ error }) => error)).toEqual([undefined, undefined]);
    });

    const UNSURE: [InvokeFault, number, string, RegExp][] = [
      ["throttled", 503, "cycle_throttled", /no cycle was started/],
      ["denied", 502, "cycle_not_started", /no cycle was started: Lambda answered HTTP 403/],
      ["http 500", 502, "cycle_unanswered", /Lambda answered HTTP 500; if the cycle is running/],
      ["timed out", 504, "cycle_unanswered", /did not answer in time/],
      ["crashed", 502, "cycle_failed", /failed \(Runtime\.ExitError\); its log says more/],
      ["too large", 502, "cycle_failed", /failed \(Function\.ResponseSizeTooLarge\)/],
      ["odd", 502, "cycle_failed", /not the outcome of a cycle/],
      ["lost", 502, "cycle_unanswered", /gave no answer \(ECONNRESET\); if the cycle is running/],
    ];
    test(`Lambda ${UNSURE.map(([fault]) => fault).join(", ")}: 502 to 504, and the next cycle is a whole one`, async () => {
      const { api, cycles } = await startBoth();
      for (const [fault, status, code, detail] of UNSURE) {
        const [ran, last] = [cycles.length, await lastCycle()];
        lambda.fault = fault;
        const failed = await ask(api, runCycle());
        expect(failed, fault).toMatchObject({
          status,
          body: { code, detail: expect.stringMatching(detail) },
        });
        expect(failed.headers["retry-after"], fault).toBe(fault === "throttled" ? "10" : undefined);
        expect(failed.stderr).toContain(failed.body.request_id);
        // A lost answer is of a cycle that has happened; of the others there is none.
        expect(cycles.length - ran, fault).toBe(fault === "lost" ? 1 : 0);
        if (fault === "lost") expect((await lastCycle())?.trigger).toBe("http");
        const isRecorded = (await lastCycle())?.snapshot_time !== last?.snapshot_time;
        expect(isRecorded, fault).toBe(fault === "lost");
        lambda.fault = "none";
        expect(await ask(api, runCycle()), fault).toMatchObject({ status: 200 });
        expectGreen(cycles.at(-1)!);
      }
    });

    test("a cycle that does not answer: 504 before the API's own time is over", async () => {
      const limited = { ...stack.api, timeoutSeconds: 8 };
      const api = await startApi({}, limited);
      // The start of a process does not count.
      expect(await ask(api, { path: "/healthz" })).toMatchObject({ status: 503 });
      lambda.fault = "hangs";
      expect(await ask(api, runCycle())).toMatchObject({
        status: 504,
        body: { code: "cycle_unanswered", detail: expect.stringContaining("see the status") },
      });
      const [{ event } = { event: null }] = lambda.events;
      expect(event).toEqual({
        run_cycle: { trigger: "http", invariants: null, answer_by: expect.any(Number) },
      });
    });

    test("the time that the caller has left is the cycle's: alerts that do not fit into it wait", async () => {
      const { api, cycle } = await startBoth();
      await overbook();
      const call = { trigger: "http", invariants: ["S-02"], answer_by: Date.now() };
      const late = await cycle.invoke({ run_cycle: call });
      expect(late.result).toMatchObject({ kind: "done", alerts: { delivered: 0, pending: 1 } });
      expect(webhook.posts).toEqual([]);
      expect(await ask(api, runCycle())).toMatchObject({ status: 200 });
      expect(webhook.posts).toHaveLength(1);
    });

    test("wrong tokens are counted, at the API and at the sign-in; visitors without one are not", async () => {
      const api = await startApi();
      const countOf = async (event: unknown) =>
        [...metricsIn((await api.invoke(event)).stdout)].filter(([name]) => name.includes(" WrongTokens "));
      const once = [
        [`${METRICS.namespace} WrongTokens environment=${ENVIRONMENT} service=${METRICS.service}`, 1],
      ];
      const wrong = "WrongTokenOfTheTest0123456789";
      expect(await countOf(urlEvent({ path: "/api/canary/status", token: wrong }))).toEqual(once);
      const form = (token: string) => {
        const event = urlEvent({
          method: "POST",
          path: "/sign-in",
          body: String(new URLSearchParams({ token })),
          type: "application/x-www-form-urlencoded",
        });
        return { ...event, headers: { ...event.headers, "sec-fetch-site": "same-origin" } };
      };
      expect(await countOf(form(wrong))).toEqual(once);
      for (const quiet of [
        form(ADMIN_TOKEN),
        urlEvent({ path: "/" }),
        urlEvent({ path: "/.env" }),
        urlEvent({ path: "/healthz" }),
        urlEvent({ path: "/api/canary/status", token: ADMIN_TOKEN }),
      ])
        expect(await countOf(quiet)).toEqual([]);
    });

    test("a zombie in a real container, over TLS with the certificates of the secret", async () => {
      await platform.addAgent("zed");
      await dockerd.runAgent("zed", "procps", "claude & exec sleep 600");
      try {
        await until(async () => {
          const processes = await dockerd.docker("exec", "agent-zed", "ps", "-eo", "stat,comm");
          if (!/^Z.*claude/m.test(processes)) throw new Error(`no zombie yet: ${processes}`);
        });
        const { api } = await startBoth();
        const young = await ask(api, runCycle('{"invariants": ["R-01"]}'));
        expect(young.body.verdicts["R-01"]).toMatchObject({ status: "green", checked: 2 });
        lambda.add(stack.cycle.name, (await startCycle({ R01_DWELL_SECONDS: "0" })).invoke);
        const red = await ask(api, runCycle());
        expect(statusesOf(red.body.verdicts)).toEqual({ ...green, "R-01": "red" });
        expect(red.body.violations).toMatchObject([
          { invariant_id: "R-01", subject: "zed", observed_state: { zombie_count: 1 } },
        ]);
        expect(topic.publications[0]!.message).toContain(STATUS_PAGE);
      } finally {
        await dockerd.docker("rm", "-f", "agent-zed");
      }
    });

    test("with API_AUTH=iam a signature that AWS checked lets in, and nothing else does", async () => {
      // As the stack makes it then: without a secret of its own.
      const { CANARY_SECRET_ID: _, ...environment } = stack.api.environment;
      const api = await startApi({ API_AUTH: "iam" }, { ...stack.api, environment });
      const cycle = await startCycle();
      lambda.add(stack.cycle.name, cycle.invoke);
      expect(await ask(api, { ...runCycle(), token: "", signed: true })).toMatchObject({ status: 200 });
      for (const request of [runCycle(), { path: "/healthz" }])
        expect(await ask(api, request)).toMatchObject({ status: 401, body: { code: "unauthorized" } });
      expect(secrets.asked).not.toContain(API_SECRET_ARN);
    });
  });

  describe("the secret", () => {
    const TYPO = "TokenBehindATypo0123456789";
    const BROKEN: [string, RegExp, () => void][] = [
      [
        "missing",
        /could not be read \(ResourceNotFoundException.*check that it exists/,
        () => (secret.fault = "missing"),
      ],
      [
        "not ours to read",
        /could not be read \(AccessDenied.*role may read it/,
        () => (secret.fault = "denied"),
      ],
      ["binary", /is binary: give a JSON text/, () => (secret.value = Buffer.from(JSON.stringify(values)))],
      ["no JSON", /is not JSON: give an object/, () => (secret.value = `ADMIN_TOKEN=${OLD_ADMIN_TOKEN}`)],
      ["a list", /is not a JSON object/, () => (secret.value = JSON.stringify(Object.values(values)))],
      [
        "with an unknown name",
        /has ADMIN_TOKE, which means nothing: it may hold .*ADMIN_TOKEN/,
        () => put({ ADMIN_TOKE: TYPO }),
      ],
      [
        "with a number",
        /has a LIBSQL_AUTH_TOKEN that is not a text: put it in quotes/,
        () => {
          hide("40961237");
          secret.value = JSON.stringify({ ...values, LIBSQL_AUTH_TOKEN: 40961237 });
        },
      ],
      [
        "with a certificate that is none",
        /DOCKER_TLS_CERT is neither a PEM nor a file/,
        () => {
          hide("CertificateThatIsNone");
          secret.value = JSON.stringify({ ...values, DOCKER_TLS_CERT: "CertificateThatIsNone" });
        },
      ],
    ];
    test(`${BROKEN.map(([what]) => what).join(", ")}: the log of a cycle says so, and the fix; the caller of the API learns only that the configuration is wrong; after the fix, it runs`, async () => {
      const [api, whole] = [await startApi(), values];
      for (const [what, says, breakIt] of BROKEN) {
        breakIt();
        const cycle = await startCycle();
        const cycles = serveWith(cycle);
        const failed = await cycle.invoke(SCHEDULED);
        expect(failed.error, what).toMatchObject({
          errorType: "ConfigError",
          errorMessage: expect.stringMatching(says),
        });
        if (!failed.error!.errorMessage.startsWith("DOCKER"))
          expect(failed.error!.errorMessage).toContain(SECRET_ARN);
        const refused = await ask(api, runCycle());
        expect(refused, what).toMatchObject({ status: 503, body: { code: "misconfigured" } });
        expect(refused.body.detail).not.toContain(SECRET_ARN);
        expect(cycles[0]!.stderr).toMatch(says);
        expect(refused.stderr).toContain(refused.body.request_id);

        secret.fault = "none";
        values = whole;
        put({});
        expectGreen(await cycle.invoke(SCHEDULED));
      }
    });

    const CLOSED: [string, RegExp, () => void][] = [
      ["missing", /could not be read \(ResourceNotFoundException/, () => (apiSecret.fault = "missing")],
      ["not ours to read", /could not be read \(AccessDenied/, () => (apiSecret.fault = "denied")],
      ["without the admin token", /ADMIN_TOKEN is missing/, () => (apiSecret.value = "{}")],
      ["no JSON", /is not JSON/, () => (apiSecret.value = `ADMIN_TOKEN=${ADMIN_TOKEN}`)],
    ];
    test(`of the API, ${CLOSED.map(([what]) => what).join(", ")}: it refuses all requests until that is fixed, and cycles go on`, async () => {
      const cycle = await startCycle();
      serveWith(cycle);
      for (const [what, says, breakIt] of CLOSED) {
        breakIt();
        const api = await startApi();
        expectGreen(await cycle.invoke(SCHEDULED));
        for (const path of ["/healthz", "/api/canary/status"]) {
          const refused = await ask(api, { path, token: ADMIN_TOKEN });
          expect(refused, what).toMatchObject({ status: 503, body: { code: "misconfigured" } });
          expect(refused.body.detail).not.toContain(API_SECRET_ARN);
          expect(refused.stderr).toMatch(says);
          expect(refused.stderr).toContain(refused.body.request_id);
        }
        apiSecret.fault = "none";
        putToken(ADMIN_TOKEN);
        await until(async () => expect((await ask(api, runCycle())).status).toBe(200));
      }
    });

    test("the Redis token rotated on both sides: blind in between, and well with the next cycle", async () => {
      const redis = await startRedis();
      await redis.client.set("canary:drain_tick_at", String(Date.now() / 1000));
      let app = redisRestApp(redis, REST_TOKEN);
      const rest = await serve({ fetch: (request) => app.fetch(request) }, 0);
      try {
        const cycle = await startCycle({ UPSTASH_REDIS_REST_URL: rest.url });
        expectGreen(await cycle.invoke(SCHEDULED));
        const rotated = "RotatedRedisToken0123456789";
        app = redisRestApp(redis, rotated);
        const blind = await cycle.invoke(SCHEDULED);
        expect(lineOf(blind)).toMatchObject({
          red: [],
          unknown: idsReading("redis"),
          sources_unavailable: [expect.stringContaining("check UPSTASH_REDIS_REST_TOKEN")],
        });
        put({ UPSTASH_REDIS_REST_TOKEN: rotated });
        expectGreen(await cycle.invoke(SCHEDULED));
      } finally {
        await rest.close();
        await redis.close();
      }
    });

    test("the admin token rotated: the new one is let in, and the old one no more", async () => {
      const api = await startApi();
      const status = (token: string) => ask(api, { path: "/api/canary/status", token });
      expect((await status(ADMIN_TOKEN)).status).toBe(200);
      const rotated = "RotatedAdminToken0123456789";
      putToken(rotated);
      // After a wrong token, the secret is read again two seconds later at the earliest.
      await until(async () => expect((await status(rotated)).status).toBe(200));
      expect((await status(ADMIN_TOKEN)).status).toBe(401);
    });

    test("Secrets Manager throttled, HTTP 500, hanging: what was read before still counts, and a process without it says so", async () => {
      const warm = await startCycle();
      expectGreen(await warm.invoke(SCHEDULED));
      for (const fault of ["throttled", "http 500", "hangs"] as const) {
        const cold = await startCycle();
        secret.fault = fault;
        const [went, failed] = await Promise.all([warm.invoke(SCHEDULED), cold.invoke(SCHEDULED)]);
        expectGreen(went);
        expect(went.stderr, fault).toContain(`the secret ${SECRET_ARN} could not be read`);
        expect(went.stderr).toContain("going on with what was read before");
        expect(failed.error, fault).toMatchObject({
          errorType: "ConfigError",
          errorMessage: expect.stringMatching(
            /could not be read .*check the function's way to Secrets Manager/,
          ),
        });
        secret.fault = "none";
        expectGreen(await cold.invoke(SCHEDULED));
      }
    });
  });

  describe("the artifact", () => {
    const MB = 1_000_000;
    test.for([
      ["cycle", 1.8 * MB],
      ["api", 1.6 * MB],
    ] as const)("of the %s function is small, and has nothing native in it", async ([name, limit]) => {
      const { asset, handler } = stack[name];
      const files = await readdir(asset, { recursive: true });
      expect(handler).toBe("index.handler");
      expect(files).toEqual(expect.arrayContaining(["index.mjs", "index.mjs.map"]));
      for (const reader of ["file-process.mjs", "file-worker.mjs"])
        expect(files.includes(reader)).toBe(name === "cycle");
      expect(files.filter((file) => !/\.mjs(\.map)?$/.test(file))).toEqual([]);
      const sizes = await Promise.all(files.map(async (file) => (await stat(join(asset, file))).size));
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(limit);
      const textOf = (ending: string) =>
        Promise.all(
          files.filter((file) => file.endsWith(ending)).map((file) => readFile(join(asset, file), "utf8")),
        );
      const sources: string[] = (await textOf(".map")).flatMap((map) => JSON.parse(map).sources);
      expect(sources).toContain(`functions/${name}.ts`);
      expect(sources.join("\n")).not.toMatch(/node_modules\/(ssh2|@grpc|protobufjs|cpu-features)\//);
      // What can read a source or send an alert is not in the reach of strangers.
      const reads =
        /node_modules\/(dockerode|@libsql|@upstash|@aws-sdk\/client-sns)\/|shared\/(sources|alerts\/channels)\//;
      expect(sources.some((source) => reads.test(source))).toBe(name === "cycle");
      // Texts that each package would bring into the code: SSH's service, gRPC's header, protobuf's types, a native binary.
      const code = (await textOf(".mjs")).join("\n");
      for (const trace of ["ssh-userauth", "grpc-status", "google.protobuf", '.node"'])
        expect(code).not.toContain(trace);
    });

    test("a cycle with every source, and an API that ran one, stay under 128 MB", async () => {
      // As Lambda runs them: without a compile cache.
      const plain = { NODE_COMPILE_CACHE: "" };
      const { api, cycle } = await startBoth(plain, plain);
      expectGreen(await cycle.invoke(SCHEDULED));
      expect(await ask(api, runCycle())).toMatchObject({ status: 200 });
      for (const { peakMemoryBytes } of [cycle, api])
        expect(peakMemoryBytes()).toBeLessThan(128 * 1024 * 1024);
      console.log(`peak memory: cycle ${cycle.peakMemoryBytes()} bytes, api ${api.peakMemoryBytes()} bytes`);
    });

    test("the suite's Lambda is as strict as Lambda: 6 MB of an answer, 4 kB of variables", async () => {
      const folder = await temporaryFolder();
      try {
        await mkdir(join(folder.path, "asset"));
        const code = 'export const handler = ({ bytes }) => "x".repeat(bytes - 2);';
        await writeFile(join(folder.path, "asset/index.mjs"), code);
        const talkative = { ...stack.cycle, asset: join(folder.path, "asset") };
        const lambdaProcess = await startCycle({}, talkative);
        expect((await lambdaProcess.invoke({ bytes: 6_291_556 })).error).toBeUndefined();
        expect((await lambdaProcess.invoke({ bytes: 6_291_557 })).error).toMatchObject({
          errorType: "Function.ResponseSizeTooLarge",
        });
        const variables = { ...talkative, environment: { DOCKER_HOSTS: "x".repeat(4096) } };
        await expect(startCycle({}, variables)).rejects.toThrow(/exceeded the 4KB limit/);
      } finally {
        await folder.remove();
      }
    });

    test("runs where no package is found: one that was left outside would be missed", async () => {
      const folder = await temporaryFolder();
      try {
        for (let place = folder.path; place !== dirname(place); place = dirname(place))
          expect(existsSync(join(place, "node_modules"))).toBe(false);
        await mkdir(join(folder.path, "asset"));
        await writeFile(
          join(folder.path, "asset/index.mjs"),
          'import "dockerode"; export const handler = () => "ran";',
        );
        const leaky = await startCycle({}, { ...stack.cycle, asset: join(folder.path, "asset") });
        const { error } = await leaky.invoke(SCHEDULED);
        expect(error!.errorMessage).toMatch(/Cannot find package 'dockerode'/);
      } finally {
        await folder.remove();
      }
    });
  });
});
