/** The templates of the environments, point by point. */
import { DynamoDBDocumentClient, GetCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { App, Stack, Validations } from "aws-cdk-lib";
import { Match, Template } from "aws-cdk-lib/assertions";
import { mockClient } from "aws-sdk-client-mock";
import { AwsSolutionsChecks } from "cdk-nag";
import { beforeAll, describe, expect, test } from "vitest";
import { CanaryStack } from "../../../infra/aws/canary-stack.ts";
import { TrinityCanary } from "../../../infra/aws/trinity-canary.ts";
import { BEARER, STACK } from "../../../infra/bench/costs.ts";
import {
  ENVIRONMENTS,
  type EnvironmentInput,
  findEnvironment,
  parseEnvironment,
} from "../../../infra/environments.ts";
import { EMPTY_MEMORY, memorySizes } from "../../../shared/cycle/memory.ts";
import { documentClient } from "../../../shared/store/client.ts";
import type { Lease } from "../../../shared/store/lease.ts";
import { dynamoStore, type Store } from "../../../shared/store/store.ts";
import { TEMPLATES_ONLY } from "../../support/cdk-app.ts";

const withoutBundling = () => new App(TEMPLATES_ONLY);

function synthesize(environment: string, input?: EnvironmentInput) {
  const settings = input ? parseEnvironment(environment, input) : findEnvironment(environment);
  const stack = new CanaryStack(withoutBundling(), "Stack", { environment, settings });
  return { stack, template: Template.fromStack(stack) };
}

// biome-ignore lint/suspicious/noExplicitAny: a template is plain JSON, and the tests ask for what may not be there
type Resource = any;
const allOf = (template: Template, type: string): Resource[] => Object.values(template.findResources(type));
const idOf = (template: Template, type: string, match: RegExp): string =>
  Object.keys(template.findResources(type)).find((id) => match.test(id))!;

/** The statements of a role's policies. */
function statementsOf(template: Template, role: RegExp): Resource[] {
  const roleId = idOf(template, "AWS::IAM::Role", role);
  const own = allOf(template, "AWS::IAM::Role").find(
    (_, i) => Object.keys(template.findResources("AWS::IAM::Role"))[i] === roleId,
  );
  expect(own.Properties.ManagedPolicyArns).toBeUndefined();
  return allOf(template, "AWS::IAM::Policy")
    .filter(({ Properties }) => Properties.Roles.some((r: Resource) => r.Ref === roleId))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement);
}

/** A function's ARN in the template, by its name. */
const functionArn = (name: string) => ({
  "Fn::Join": [
    "",
    [
      "arn:",
      { Ref: "AWS::Partition" },
      ":lambda:",
      { Ref: "AWS::Region" },
      ":",
      { Ref: "AWS::AccountId" },
      `:function:${name}`,
    ],
  ],
});

/**
 * Lists a role's rights as `action resource`, with the resource's logical id, or the last part of an ARN; `some` before
 * one that has a condition, `never` before one that is denied.
 */
function rightsOf(template: Template, role: RegExp): string[] {
  const nameOf = (resource: Resource): string =>
    typeof resource === "string"
      ? resource
      : (resource.Ref ?? resource["Fn::GetAtt"]?.[0] ?? resource["Fn::Join"][1].at(-1).split(":").at(-1));
  return statementsOf(template, role)
    .flatMap(({ Effect, Action, Condition, Resource: resource }: Resource) => {
      const how = Effect === "Deny" ? "never " : Condition ? "some " : "";
      return [Action]
        .flat()
        .flatMap((action: string) =>
          [resource].flat().map((r: Resource) => `${how}${action} ${nameOf(r).replace(/[0-9A-F]{8}$/, "")}`),
        );
    })
    .sort();
}

/** The name of the function that runs the cycles. */
const cycleNameOf = (template: Template): string =>
  template.findResources("AWS::Lambda::Function")[idOf(template, "AWS::Lambda::Function", /CycleFunction/)]!
    .Properties.FunctionName;
const variablesOfFunction = (template: Template, match: RegExp): Record<string, Resource> =>
  template.findResources("AWS::Lambda::Function")[idOf(template, "AWS::Lambda::Function", match)]!.Properties
    .Environment.Variables;
/** A name that CloudFormation puts together, with the region as `REGION`. */
const textOf = (name: Resource): string =>
  typeof name === "string"
    ? name
    : name["Fn::Join"][1].map((part: Resource) => (part.Ref === "AWS::Region" ? "REGION" : part)).join("");
const isOpen = (environment: string) => findEnvironment(environment).functionUrl.auth === "bearer";

const SIGNS: Record<string, string> = { GreaterThanOrEqualToThreshold: ">=", LessThanThreshold: "<" };

/** Describes an alarm: its name, its metric, and when it goes off. */
function describeAlarm({ Properties: alarm }: Resource): [string, object] {
  const stats = (alarm.Metrics ?? []).find((m: Resource) => m.MetricStat)?.MetricStat;
  const expression = (alarm.Metrics ?? []).find((m: Resource) => m.Expression)?.Expression;
  const { Namespace, MetricName, Dimensions } = stats?.Metric ?? alarm;
  const nameOf = (value: Resource): string =>
    typeof value === "string" ? value : (value.Ref ?? value["Fn::GetAtt"][0]).replace(/[0-9A-F]{8}$/, "");
  const dimensions = Dimensions.map((d: Resource) => `${d.Name}=${nameOf(d.Value)}`);
  return [
    textOf(alarm.AlarmName).split(": ")[1]!,
    {
      metric: [Namespace, MetricName, ...dimensions].join(" "),
      stat: stats?.Stat ?? alarm.Statistic,
      period: stats?.Period ?? alarm.Period,
      of: `${alarm.DatapointsToAlarm ?? alarm.EvaluationPeriods} of ${alarm.EvaluationPeriods}`,
      when: `${SIGNS[alarm.ComparisonOperator]} ${alarm.Threshold}${expression ? ` of ${expression}` : ""}`,
      missing: alarm.TreatMissingData,
    },
  ];
}

const LOGS = ["logs:CreateLogStream", "logs:PutLogEvents"];
const TRACES = ["xray:PutTelemetryRecords *", "xray:PutTraceSegments *"];
const QUEUE = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SendMessage"];

describe.for(Object.keys(ENVIRONMENTS))("%s", (environment) => {
  let template: Template;
  beforeAll(() => {
    template = synthesize(environment).template;
  });

  test("two functions on Node 24 and arm64, traced, each with a log that ends", () => {
    const functions = allOf(template, "AWS::Lambda::Function");
    expect(functions).toHaveLength(2);
    for (const { Properties } of functions) {
      expect(Properties).toMatchObject({
        Runtime: "nodejs24.x",
        Architectures: ["arm64"],
        Handler: "index.handler",
        TracingConfig: { Mode: "Active" },
        MemorySize: findEnvironment(environment).memoryMb,
      });
      expect(Properties.LoggingConfig.LogGroup.Ref).toMatch(/^Canary(Api|Cycle)Log/);
    }
    const logs = allOf(template, "AWS::Logs::LogGroup");
    expect(logs.map(({ Properties }) => Properties.RetentionInDays)).toEqual(
      Array(2).fill(findEnvironment(environment).logDays),
    );
  });

  test("each function may take as long as its environment says", () => {
    const { cycleTimeoutSeconds, apiTimeoutSeconds } = findEnvironment(environment);
    const timeoutOf = (match: RegExp) =>
      template.findResources("AWS::Lambda::Function")[idOf(template, "AWS::Lambda::Function", match)]!
        .Properties.Timeout;
    expect([timeoutOf(/^CanaryCycle/), timeoutOf(/^CanaryApi/)]).toEqual([
      cycleTimeoutSeconds,
      apiTimeoutSeconds,
    ]);
  });

  test("an alert of the cycle function links to the status page", () => {
    const cycle =
      template.findResources("AWS::Lambda::Function")[
        idOf(template, "AWS::Lambda::Function", /^CanaryCycle/)
      ]!;
    expect(cycle.Properties.Environment.Variables.CANARY_STATUS_URL).toEqual({
      "Fn::GetAtt": [expect.stringMatching(/^CanaryApiFunctionFunctionUrl/), "FunctionUrl"],
    });
  });

  test("no secret is in a function's environment, and what it needs is", () => {
    for (const { Properties } of allOf(template, "AWS::Lambda::Function"))
      expect(
        Object.keys(Properties.Environment.Variables).filter((name) => /TOKEN|TLS|WEBHOOK/.test(name)),
      ).toEqual([]);
    expect(variablesOfFunction(template, /^CanaryCycle/)).toMatchObject({
      CANARY_ENVIRONMENT: environment,
      LIBSQL_URL: ENVIRONMENTS[environment]!.libsqlUrl,
      STATE_TABLE: { Ref: expect.stringMatching(/^CanaryState/) },
      CANARY_SECRET_ID: { Ref: expect.stringMatching(/^CanarySecret/) },
      ALERT_TOPIC_ARN: { Ref: expect.stringMatching(/^CanaryAlerts/) },
    });
  });

  test("the function that faces the Internet knows no source and no channel, and is in no network of ours", () => {
    expect(variablesOfFunction(template, /^CanaryApi/)).toEqual({
      API_AUTH: findEnvironment(environment).functionUrl.auth,
      CANARY_ENVIRONMENT: environment,
      CYCLE_FUNCTION: cycleNameOf(template),
      NODE_OPTIONS: "--enable-source-maps",
      PUBLIC_BADGE: "off",
      STATE_TABLE: { Ref: expect.stringMatching(/^CanaryState/) },
      ...(isOpen(environment) && { CANARY_SECRET_ID: { Ref: expect.stringMatching(/^CanaryApiSecret/) } }),
    });
    const api =
      template.findResources("AWS::Lambda::Function")[idOf(template, "AWS::Lambda::Function", /^CanaryApi/)]!;
    expect(api.Properties).not.toHaveProperty("VpcConfig");
    expect(api.Properties).not.toHaveProperty("FileSystemConfigs");
  });

  test("the schedule runs a cycle every five minutes; what fails is retried, and then among the dead letters", () => {
    const queue = { "Fn::GetAtt": [expect.stringMatching(/^CanaryDeadLetters/), "Arn"] };
    const [schedule] = allOf(template, "AWS::Scheduler::Schedule");
    // Its first call must find the right to it, and the right must outlive its last.
    expect(schedule.DependsOn).toEqual([
      expect.stringMatching(/^CanaryScheduleRoleDefaultPolicy/),
      expect.stringMatching(/^CanaryScheduleRole/),
    ]);
    expect(schedule.Properties).toMatchObject({
      ScheduleExpression: "rate(5 minutes)",
      State: "ENABLED",
      Target: {
        Arn: { "Fn::GetAtt": [expect.stringMatching(/^CanaryCycleFunction/), "Arn"] },
        DeadLetterConfig: { Arn: queue },
        RetryPolicy: { MaximumRetryAttempts: 2, MaximumEventAgeInSeconds: 300 },
      },
    });
    const trust =
      template.findResources("AWS::IAM::Role")[idOf(template, "AWS::IAM::Role", /^CanaryScheduleRole/)]!;
    expect(trust.Properties.AssumeRolePolicyDocument.Statement).toEqual([
      {
        Effect: "Allow",
        Action: "sts:AssumeRole",
        Principal: { Service: "scheduler.amazonaws.com" },
        Condition: { StringEquals: { "aws:SourceAccount": { Ref: "AWS::AccountId" } } },
      },
    ]);
    // Scheduler only hands the event over: Lambda retries a cycle that throws.
    const [invoke] = allOf(template, "AWS::Lambda::EventInvokeConfig");
    expect(invoke.Properties).toMatchObject({
      FunctionName: { Ref: expect.stringMatching(/^CanaryCycleFunction/) },
      MaximumRetryAttempts: 2,
      MaximumEventAgeInSeconds: 300,
      DestinationConfig: { OnFailure: { Destination: queue } },
    });
  });

  test("the table is on demand, forgets by itself and can be restored", () => {
    template.hasResourceProperties("AWS::DynamoDB::Table", {
      BillingMode: "PAY_PER_REQUEST",
      KeySchema: [
        { AttributeName: "pk", KeyType: "HASH" },
        { AttributeName: "sk", KeyType: "RANGE" },
      ],
      TimeToLiveSpecification: { AttributeName: "expires_at", Enabled: true },
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
    });
  });

  test("a secret for each function that needs one; an upgrade must not make CloudFormation write one again", () => {
    const secrets = template.findResources("AWS::SecretsManager::Secret");
    expect(Object.keys(secrets).map((id) => id.replace(/[0-9A-F]{8}$/, ""))).toEqual(
      isOpen(environment) ? ["CanarySecret", "CanaryApiSecret"] : ["CanarySecret"],
    );
    // What docs/performance.md computes the costs from.
    expect(Object.keys(secrets)).toHaveLength(STACK.secrets + (isOpen(environment) ? BEARER.secrets : 0));
    for (const { Properties } of Object.values(secrets))
      expect(Properties.GenerateSecretString).toEqual({
        SecretStringTemplate: "{}",
        GenerateStringKey: "ADMIN_TOKEN",
        PasswordLength: 48,
        ExcludePunctuation: true,
      });
    // The logical id and the description that it had when it was the only one.
    expect(secrets.CanarySecretBE55161E!.Properties.Description).toBe(
      `trinity-canary ${environment}: the tokens and certificates that the canary reads with`,
    );
    const outputs = Object.keys(template.findOutputs("*")).map((id) => id.replace(/[0-9A-F]{8}$/, ""));
    expect(outputs).toEqual([
      "CanaryApiUrl",
      "CanarySecretArn",
      ...(isOpen(environment) ? ["CanaryApiSecretArn"] : []),
      "CanaryTopicArn",
      "CanaryTableName",
    ]);
  });

  test("each role has the rights that its function uses, and no other", () => {
    const actions = [
      "ec2:AssignPrivateIpAddresses *",
      "ec2:CreateNetworkInterface *",
      "ec2:DeleteNetworkInterface *",
      "ec2:DescribeNetworkInterfaces *",
      "ec2:DescribeSubnets *",
      "ec2:UnassignPrivateIpAddresses *",
    ];
    const network = findEnvironment(environment).network
      ? [...actions, ...actions.map((action) => `never ${action}`)]
      : [];
    expect(rightsOf(template, /^CanaryCycleRole/)).toEqual(
      [
        "dynamodb:BatchWriteItem CanaryState",
        "dynamodb:GetItem CanaryState",
        "dynamodb:Query CanaryState",
        "dynamodb:UpdateItem CanaryState",
        "secretsmanager:GetSecretValue CanarySecret",
        "sns:Publish CanaryAlerts",
        ...LOGS.map((action) => `${action} CanaryCycleLog`),
        ...QUEUE.map((action) => `${action} CanaryDeadLetters`),
        ...TRACES,
        ...network,
      ].sort(),
    );
    expect(rightsOf(template, /^CanaryApiRole/)).toEqual(
      [
        "dynamodb:GetItem CanaryState",
        "dynamodb:Query CanaryState",
        "some dynamodb:UpdateItem CanaryState",
        `lambda:InvokeFunction ${cycleNameOf(template)}`,
        ...(isOpen(environment) ? ["secretsmanager:GetSecretValue CanaryApiSecret"] : []),
        ...LOGS.map((action) => `${action} CanaryApiLog`),
        ...TRACES,
      ].sort(),
    );
    expect(rightsOf(template, /^CanaryScheduleRole/)).toEqual([
      "lambda:InvokeFunction CanaryCycleFunction",
      "sqs:SendMessage CanaryDeadLetters",
    ]);
  });

  test("in a VPC Lambda may make network interfaces with the role, and the function's own code may not", () => {
    const denied = statementsOf(template, /^CanaryCycleRole/).filter(({ Effect }) => Effect === "Deny");
    expect(denied.map(({ Condition }) => Condition)).toEqual(
      findEnvironment(environment).network
        ? [{ ArnEquals: { "lambda:SourceFunctionArn": functionArn(cycleNameOf(template)) } }]
        : [],
    );
  });

  test("an alarm for each way to fail, each to the topic when it starts and when it ends", () => {
    const alarms = allOf(template, "AWS::CloudWatch::Alarm");
    const names = alarms.map(({ Properties }) => textOf(Properties.AlarmName)).sort();
    expect(names.map((name) => name.replace(/REGION-[0-9a-f]{8}/, "PLACE"))).toEqual(
      [
        "AlertsDropped",
        "AlertsPending",
        "BlindInvariants",
        "CycleErrors",
        "DeadLetters",
        "DurationNearLimit",
        "NoCompletedCycle",
        ...(isOpen(environment) ? ["WrongTokens"] : []),
      ].map((name) => `trinity-canary ${environment} PLACE: ${name}`),
    );
    expect(alarms).toHaveLength(STACK.alarms + (isOpen(environment) ? BEARER.alarms : 0));
    const topic = [{ Ref: expect.stringMatching(/^CanaryAlerts/) }];
    for (const { Properties } of alarms)
      expect(Properties).toMatchObject({
        AlarmActions: topic,
        OKActions: topic,
        AlarmDescription: expect.stringMatching(/\w/),
      });
    template.hasResourceProperties("AWS::SNS::TopicPolicy", {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Effect: "Allow",
            Principal: { Service: "cloudwatch.amazonaws.com" },
            Action: "sns:Publish",
            Condition: { StringEquals: { "aws:SourceAccount": { Ref: "AWS::AccountId" } } },
          }),
        ]),
      },
    });
  });

  test("each alarm looks at what it says, and goes off when it should", () => {
    const every = 300;
    const own = (name: string, stat: string, over: object = {}) => ({
      metric: `TrinityCanary ${name} environment=${environment} service=trinity-canary`,
      stat,
      period: every,
      of: "1 of 1",
      when: ">= 1",
      missing: "notBreaching",
      ...over,
    });
    const ofCycle = (name: string, stat: string, over: object = {}) =>
      own("", stat, { metric: `AWS/Lambda ${name} FunctionName=CanaryCycleFunction`, ...over });
    const limitMs = findEnvironment(environment).cycleTimeoutSeconds * 1000;
    expect(Object.fromEntries(allOf(template, "AWS::CloudWatch::Alarm").map(describeAlarm))).toEqual({
      // No data counts as zero: CloudWatch must not look further back.
      NoCompletedCycle: own("CyclesCompleted", "Sum", {
        period: 900,
        when: "< 1 of FILL(completed, 0)",
        missing: "breaching",
      }),
      CycleErrors: ofCycle("Errors", "Sum", { of: "2 of 3" }),
      DurationNearLimit: ofCycle("Duration", "Maximum", { when: `>= ${limitMs * 0.8}` }),
      DeadLetters: own("", "Maximum", {
        metric: "AWS/SQS ApproximateNumberOfMessagesVisible QueueName=CanaryDeadLetters",
      }),
      AlertsPending: own("AlertsPending", "Maximum", { of: "3 of 3" }),
      AlertsDropped: own("AlertsDropped", "Sum"),
      BlindInvariants: own("UnknownInvariants", "Maximum", { of: "3 of 3" }),
      ...(isOpen(environment) && { WrongTokens: own("WrongTokens", "Sum", { when: ">= 20" }) }),
    });
  });

  test("the dashboard shows red and unknown, duration, latency by source, and alerts", () => {
    const [dashboard] = allOf(template, "AWS::CloudWatch::Dashboard");
    const body = JSON.stringify(dashboard.Properties.DashboardBody);
    for (const shown of [
      "RedInvariants",
      "UnknownInvariants",
      "CycleDuration",
      "SourceLatency",
      "AlertsDelivered",
      "AlertsPending",
      "AlertsDropped",
      ...(isOpen(environment) ? ["WrongTokens"] : []),
    ])
      expect(body).toContain(shown);
  });

  test("AwsSolutions finds nothing that is not acknowledged, with a reason", () => {
    const app = withoutBundling();
    const settings = findEnvironment(environment);
    new CanaryStack(app, "Stack", { environment, settings });
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    expect(() => app.synth()).not.toThrow();
  });
});

test("the pack is not blind: a stack that is careless does not pass it", async () => {
  const { Queue } = await import("aws-cdk-lib/aws-sqs");
  const app = withoutBundling();
  new Queue(new Stack(app, "Careless"), "Queue");
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  expect(() => app.synth()).toThrow(/SQS/);
});

test("prod keeps its table, its secrets and its logs, and can't be deleted by a slip; dev leaves nothing", () => {
  const policies = (template: Template) =>
    ["AWS::DynamoDB::Table", "AWS::SecretsManager::Secret", "AWS::Logs::LogGroup"].flatMap((type) =>
      allOf(template, type).map(({ DeletionPolicy }) => DeletionPolicy),
    );
  const prod = synthesize("prod");
  expect(policies(prod.template)).toEqual(Array(4).fill("Retain"));
  expect(prod.stack.terminationProtection).toBe(true);
  prod.template.hasResourceProperties("AWS::DynamoDB::Table", { DeletionProtectionEnabled: true });
  const dev = synthesize("dev");
  expect(policies(dev.template)).toEqual(Array(5).fill("Delete"));
  dev.template.hasResourceProperties("AWS::DynamoDB::Table", { DeletionProtectionEnabled: false });
});

test("a function URL with bearer is open, by both permissions that AWS asks for; the app asks for the token", () => {
  const { template } = synthesize("staging");
  template.hasResourceProperties("AWS::Lambda::Url", { AuthType: "NONE" });
  const permissions = allOf(template, "AWS::Lambda::Permission").map(({ Properties }) => Properties);
  expect(permissions).toHaveLength(2);
  expect(permissions).toContainEqual(
    expect.objectContaining({
      Principal: "*",
      Action: "lambda:InvokeFunctionUrl",
      FunctionUrlAuthType: "NONE",
    }),
  );
  expect(permissions).toContainEqual(
    expect.objectContaining({ Principal: "*", Action: "lambda:InvokeFunction", InvokedViaFunctionUrl: true }),
  );
});

test("a function URL with iam is open to its callers only, by both permissions", () => {
  const caller = "arn:aws:iam::123456789012:role/operators";
  const { template } = synthesize("staging", {
    ...ENVIRONMENTS.staging!,
    functionUrl: { auth: "iam", callers: [caller] },
  });
  template.hasResourceProperties("AWS::Lambda::Url", { AuthType: "AWS_IAM" });
  const permissions = allOf(template, "AWS::Lambda::Permission").map(({ Properties }) => Properties);
  expect(permissions.map(({ Principal }) => Principal)).toEqual([caller, caller]);
  expect(permissions.map(({ Action }) => Action).sort()).toEqual([
    "lambda:InvokeFunction",
    "lambda:InvokeFunctionUrl",
  ]);
  expect(permissions).toContainEqual(expect.objectContaining({ FunctionUrlAuthType: "AWS_IAM" }));
  expect(permissions).toContainEqual(expect.objectContaining({ InvokedViaFunctionUrl: true }));
  const api = allOf(template, "AWS::Lambda::Function").find(
    (f) => f.Properties.Environment.Variables.API_AUTH,
  );
  expect(api.Properties.Environment.Variables.API_AUTH).toBe("iam");
  expect(api.Properties.Environment.Variables.PUBLIC_BADGE).toBe("off");
  expect(allOf(synthesize("prod").template, "AWS::Lambda::Permission")).toEqual([]);
});

test("everybody may see the badge where the environment says so, and only there", () => {
  const badgeOf = (publicBadge?: boolean) =>
    allOf(
      synthesize("staging", { ...ENVIRONMENTS.staging!, ...(publicBadge !== undefined && { publicBadge }) })
        .template,
      "AWS::Lambda::Function",
    )
      .map((f) => f.Properties.Environment.Variables.PUBLIC_BADGE)
      .filter(Boolean);
  expect([badgeOf(), badgeOf(false), badgeOf(true)]).toEqual([["off"], ["off"], ["on"]]);
});

test("private daemons: the cycle function is in the subnets, and can only go to the ports of what it reads", () => {
  const { template } = synthesize("prod", {
    ...ENVIRONMENTS.prod!,
    dockerHosts: ["tcp://10.0.0.5:2376", "tcp://10.0.0.6:2377"],
    redisUrl: "http://redis.internal:8079",
  });
  expect(allOf(template, "AWS::Lambda::Function").map((f) => f.Properties.VpcConfig?.SubnetIds)).toEqual([
    ENVIRONMENTS.prod!.network!.subnetIds,
    undefined,
  ]);
  const [group] = allOf(template, "AWS::EC2::SecurityGroup");
  expect(group.Properties.SecurityGroupEgress.map((rule: Resource) => rule.FromPort)).toEqual([
    443, 2376, 2377, 8079,
  ]);
  expect(group.Properties.SecurityGroupIngress).toBeUndefined();
  expect(allOf(synthesize("dev").template, "AWS::EC2::SecurityGroup")).toEqual([]);
});

test.each([
  ["postgres://canary@trinity.cluster-abc.eu-west-1.rds.amazonaws.com/trinity", 5432],
  ["postgresql://canary@10.0.0.7:6432/trinity?sslmode=disable", 6432],
])(
  "a PostgreSQL in a private network: the cycle function alone knows %s, and may go to its port",
  (databaseUrl, port) => {
    const { libsqlUrl: _, ...prod } = ENVIRONMENTS.prod!;
    const { template } = synthesize("prod", {
      ...prod,
      databaseUrl,
      ...(port === 5432 && { databaseCa: "/var/runtime/ca-cert.pem" }),
      dockerHosts: "none",
    });
    const [group] = allOf(template, "AWS::EC2::SecurityGroup");
    expect(group.Properties.SecurityGroupEgress.map((rule: Resource) => rule.FromPort)).toEqual([443, port]);
    const { LIBSQL_URL, DATABASE_URL, DATABASE_PASSWORD } = variablesOfFunction(template, /^CanaryCycle/);
    expect([LIBSQL_URL, DATABASE_URL, DATABASE_PASSWORD]).toEqual([undefined, databaseUrl, undefined]);
    expect(Object.keys(variablesOfFunction(template, /^CanaryApi/)).join()).not.toContain("DATABASE");
  },
);

test("a mounted database: the access point is mounted, to read, and nothing else of the file system", () => {
  const accessPointArn =
    "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0123456789abcdef0";
  const { template } = synthesize("prod", {
    ...ENVIRONMENTS.prod!,
    libsqlUrl: "file:/mnt/trinity/trinity.db",
    fileSystem: { accessPointArn, fileSystemId: "fs-0123456789abcdef0", mountPath: "/mnt/trinity" },
  });
  expect(allOf(template, "AWS::Lambda::Function").map((f) => f.Properties.FileSystemConfigs)).toEqual([
    [{ Arn: accessPointArn, LocalMountPath: "/mnt/trinity" }],
    undefined,
  ]);
  const rights = rightsOf(template, /^CanaryCycleRole/).filter((right) =>
    right.includes("elasticfilesystem"),
  );
  expect(rights).toEqual(["some elasticfilesystem:ClientMount file-system/fs-0123456789abcdef0"]);
  const [group] = allOf(template, "AWS::EC2::SecurityGroup");
  expect(group.Properties.SecurityGroupEgress.map((rule: Resource) => rule.FromPort)).toContain(2049);
});

test("what an environment sets reaches the cycle function, each setting by its variable", () => {
  const { template } = synthesize("eu", {
    ...ENVIRONMENTS.staging!,
    dockerHosts: ["tcp://a.example.com:2376", "tcp://b.example.com:2376"],
    queueCountsUrl: "https://trinity.example.com/counts",
    everyMinutes: 2,
    sourceDeadlineMs: 4000,
    confirmAfterMs: 500,
    zombieDwellSeconds: 60,
    apiConcurrency: 5,
    alerts: {
      onRecovery: false,
      onSpread: false,
      remindAfterHours: 6,
      minSeverity: "major",
      blindAfterCycles: 5,
    },
    checks: { off: ["R-01"], severities: { "S-01": "major" } },
  });
  // Both functions know of the invariants; the API has nothing else of these.
  const ofInvariants = { CHECKS_OFF: "R-01", SEVERITIES: "S-01=major" };
  expect(variablesOfFunction(template, /^CanaryCycle/)).toMatchObject(ofInvariants);
  expect(variablesOfFunction(template, /^CanaryApi/)).toMatchObject(ofInvariants);
  expect(Object.keys(variablesOfFunction(template, /^CanaryApi/)).join()).not.toMatch(/ALERT|DEADLINE/);
  expect(variablesOfFunction(template, /^CanaryCycle/)).toMatchObject({
    CANARY_ENVIRONMENT: "eu",
    LIBSQL_URL: "libsql://trinity-staging.example.com",
    UPSTASH_REDIS_REST_URL: "https://redis-staging.example.com",
    DOCKER_HOSTS: "tcp://a.example.com:2376,tcp://b.example.com:2376",
    QUEUE_COUNTS_URL: "https://trinity.example.com/counts",
    SOURCE_DEADLINE_MS: "4000",
    CONFIRM_AFTER_MS: "500",
    R01_DWELL_SECONDS: "60",
    ALERT_ON_RECOVERY: "off",
    ALERT_ON_SPREAD: "off",
    ALERT_REMIND_HOURS: "6",
    ALERT_MIN_SEVERITY: "major",
    ALERT_BLIND_CYCLES: "5",
  });
  template.hasResourceProperties("AWS::Scheduler::Schedule", { ScheduleExpression: "rate(2 minutes)" });
  const reserved = allOf(template, "AWS::Lambda::Function").map(
    (f) => f.Properties.ReservedConcurrentExecutions,
  );
  expect(reserved.filter(Boolean)).toEqual([5]);
});

test("the address that is named gets the alarms by e-mail", () => {
  const subscriptions = (environment: string) =>
    allOf(synthesize(environment).template, "AWS::SNS::Subscription");
  expect(subscriptions("prod").map(({ Properties }) => [Properties.Protocol, Properties.Endpoint])).toEqual([
    ["email", "operators@example.com"],
  ]);
  expect(subscriptions("staging")).toEqual([]);
});

test("an address of the examples is warned of, so that a strict deploy refuses it", () => {
  const warnings = (environment: string, input?: EnvironmentInput) => {
    const { stack } = synthesize(environment, input);
    return stack.node.metadata.filter(({ type }) => type === "aws:cdk:warning").map(({ data }) => data);
  };
  expect(warnings("staging")).toEqual([
    expect.stringContaining("libsqlUrl, redisUrl, dockerHosts still name"),
  ]);
  const real = {
    ...ENVIRONMENTS.dev!,
    libsqlUrl: "libsql://trinity.turso.io",
    redisUrl: "https://eu1.upstash.io",
  };
  expect(warnings("dev", real)).toEqual([]);
});

describe("names", () => {
  /** The names that an account or a region has only once. */
  function namesIn(app: App, id: string, construct = "Canary"): string[] {
    const settings = findEnvironment("staging");
    const stack = new Stack(app, id);
    new TrinityCanary(stack, construct, { environment: "staging", settings });
    const template = Template.fromStack(stack);
    return [
      ...allOf(template, "AWS::CloudWatch::Alarm").map(({ Properties }) => textOf(Properties.AlarmName)),
      ...allOf(template, "AWS::CloudWatch::Dashboard").map(({ Properties }) =>
        textOf(Properties.DashboardName),
      ),
      cycleNameOf(template),
    ];
  }

  test("are the same at each synthesis, and others where the canary is moved or is there twice", () => {
    const names = namesIn(withoutBundling(), "One");
    expect(namesIn(withoutBundling(), "One")).toEqual(names);
    const others = [namesIn(withoutBundling(), "Two"), namesIn(withoutBundling(), "One", "Moved")].flat();
    expect(names.filter((name) => others.includes(name))).toEqual([]);
  });

  test("of the dashboard has the region in it: dashboards of all regions share their names", () => {
    const { template } = synthesize("staging");
    const [dashboard] = allOf(template, "AWS::CloudWatch::Dashboard");
    expect(textOf(dashboard.Properties.DashboardName)).toMatch(/^trinity-canary-staging-REGION-[0-9a-f]{8}$/);
  });

  test("of the cycle function fits into the 64 characters of Lambda, for the longest environment", () => {
    const { template } = synthesize("a".repeat(30), ENVIRONMENTS.staging!);
    expect(cycleNameOf(template)).toMatch(/^[\w-]{1,64}$/);
  });
});

test("as many daemons as an entry may name fit into a function's variables, with what the stack adds", () => {
  const environment = "a".repeat(30);
  const inputOf = (daemons: number): EnvironmentInput => ({
    ...ENVIRONMENTS.staging!,
    dockerHosts: Array.from({ length: daemons }, (_, i) => `tcp://10.20.30.${100 + i}:2376`),
  });
  const isAccepted = (daemons: number) => {
    try {
      return parseEnvironment(environment, inputOf(daemons)).dockerHosts.length === daemons;
    } catch {
      return false;
    }
  };
  let [most, refused] = [1, 2];
  while (isAccepted(refused)) refused *= 2;
  while (refused - most > 1) {
    const between = Math.floor((most + refused) / 2);
    if (isAccepted(between)) most = between;
    else refused = between;
  }
  expect(most).toBeGreaterThan(100);
  const { template } = synthesize(environment, inputOf(most));
  // As long as AWS makes them.
  const made = {
    STATE_TABLE: `TrinityCanary-${environment}-CanaryState319B71DA-ABCDEFGHIJKLM`,
    CANARY_SECRET_ID:
      "arn:aws:secretsmanager:ap-southeast-2:123456789012:secret:CanarySecretBE55161E-AbCdEfGhIjKl-AbCdEf",
    ALERT_TOPIC_ARN: `arn:aws:sns:ap-southeast-2:123456789012:TrinityCanary-${environment}-CanaryAlerts4E0B4A1F-AbCdEfGhIjKl`,
    CANARY_STATUS_URL: "https://abcdefghijklmnopqrstuvwxyz012345.lambda-url.ap-southeast-2.on.aws/",
  };
  const variables = variablesOfFunction(template, /^CanaryCycle/);
  expect(Object.keys(variables)).toEqual(expect.arrayContaining(Object.keys(made)));
  expect(Buffer.byteLength(JSON.stringify({ ...variables, ...made }))).toBeLessThanOrEqual(4096);
});

describe("what the API may write", () => {
  /** The names that a request has for what it writes, or looks at for that. */
  function attributesOf({ input }: UpdateCommand): string[] {
    const { UpdateExpression = "", ConditionExpression = "", ExpressionAttributeNames = {}, Key } = input;
    const words = `${UpdateExpression} ${ConditionExpression}`.match(/[#:]?\w+/g) ?? [];
    const known = /^(SET|REMOVE|AND|OR|attribute_exists|attribute_not_exists|if_not_exists)$/;
    return [
      ...Object.keys(Key ?? {}),
      ...words
        .filter((word) => !word.startsWith(":") && !known.test(word))
        .map((word) => ExpressionAttributeNames[word] ?? word),
    ];
  }

  /** Does the work against a table that is not there, and gives what it asked for. */
  async function requestsOf(work: (store: Store) => Promise<unknown>): Promise<UpdateCommand[]> {
    const client = mockClient(DynamoDBDocumentClient);
    client.on(GetCommand).resolves({});
    client.on(UpdateCommand).resolves({ Attributes: { lease_owner: "me", version: 0 } });
    await work(dynamoStore(documentClient({ endpoint: "http://127.0.0.1:9" }), "canary"));
    const requests = client.commandCalls(UpdateCommand).map(({ args: [command] }) => command);
    client.restore();
    return requests;
  }

  const { Condition } = statementsOf(synthesize("staging").template, /^CanaryApiRole/).find(
    ({ Action }) => Action === "dynamodb:UpdateItem",
  );

  /** Whether the API's right to write covers the request, as IAM would say. */
  function isAllowed(request: UpdateCommand): boolean {
    const names: string[] = Condition["ForAllValues:StringLike"]["dynamodb:Attributes"];
    const keys: string[] = Condition["ForAllValues:StringEquals"]["dynamodb:LeadingKeys"];
    const returned: string[] = Condition.StringEqualsIfExists["dynamodb:ReturnValues"];
    const isLike = (name: string, pattern: string) =>
      pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
    return (
      keys.includes(request.input.Key!.pk) &&
      attributesOf(request).every((name) => names.some((pattern) => isLike(name, pattern))) &&
      returned.includes(request.input.ReturnValues ?? "NONE")
    );
  }

  const silence = {
    id: "0a1b2c3d",
    invariantId: "S-01",
    subject: null,
    untilMs: 2,
    reason: "resizing",
    createdAtMs: 1,
  };

  test("a silence, and its end", async () => {
    const requests = await requestsOf(async ({ silences }) => {
      await silences.put(silence, 1);
      await silences.remove(silence.id);
    });
    expect(requests).toHaveLength(2);
    expect(requests.map(isAllowed)).toEqual([true, true]);
  });

  test("not the lease, not the memory with what waits to be sent, and no other item", async () => {
    const requests = await requestsOf(async ({ lease, evidence }) => {
      const held = (await lease.acquire("me", 1, 1000)) as Lease;
      await lease.commit(held, memorySizes(EMPTY_MEMORY, []), { release: true, nowMs: 1 });
      await lease.release("me");
      await evidence.reserveIds(
        "2026-11-23",
        [{ invariantId: "S-01", severity: "critical", count: 1 }],
        1,
        1,
        new AbortController().signal,
      );
    });
    expect(requests).toHaveLength(4);
    expect(requests.map(isAllowed)).toEqual([false, false, false, false]);
    const everything = requests.map((request) => attributesOf(request));
    expect(everything[1]).toEqual(expect.arrayContaining(["memory", "version", "lease_owner"]));
  });
});
