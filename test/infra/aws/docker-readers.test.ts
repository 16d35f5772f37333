/** The readers of Docker daemons in the template: made where daemons are many, each with its key and no other right. */
import { App, Validations } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { AwsSolutionsChecks } from "cdk-nag";
import { beforeAll, describe, expect, test } from "vitest";
import { CanaryStack } from "../../../infra/aws/canary-stack.ts";
import { ENVIRONMENTS, type EnvironmentInput, parseEnvironment } from "../../../infra/environments.ts";
import { TEMPLATES_ONLY } from "../../support/cdk-app.ts";

// biome-ignore lint/suspicious/noExplicitAny: a template is plain JSON
type Resource = any;

const daemons = (count: number, domain = "example.com") =>
  Array.from({ length: count }, (_, i) => `tcp://docker-${1000 + i}.${domain}:2376`);

function stackOf(more: Partial<EnvironmentInput>) {
  const settings = parseEnvironment("prod", { ...ENVIRONMENTS.prod!, ...more });
  const app = new App(TEMPLATES_ONLY);
  return { app, stack: new CanaryStack(app, "Stack", { environment: "prod", settings }) };
}
const templateOf = (more: Partial<EnvironmentInput>) => Template.fromStack(stackOf(more).stack);
/** A logical id without its hash. */
const plain = (id: string) => id.replace(/[0-9A-F]{8}$/, "");

function propertiesOf(template: Template, type: string, id: RegExp): Resource {
  const found = Object.entries(template.findResources(type)).find(([name]) => id.test(name));
  return found?.[1].Properties;
}

/** A role's rights as `action resource`; `never` before one that is denied. */
function rightsOf(template: Template, role: RegExp): string[] {
  const name = (resource: Resource): string =>
    typeof resource === "string" ? resource : plain(resource.Ref ?? resource["Fn::GetAtt"]?.[0] ?? "another");
  const policies: Resource[] = Object.values(template.findResources("AWS::IAM::Policy"));
  return policies
    .filter(({ Properties }) => Properties.Roles.some((one: Resource) => role.test(one.Ref)))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
    .flatMap(({ Effect, Action, Resource: on }: Resource) =>
      [Action]
        .flat()
        .flatMap((action: string) =>
          [on].flat().map((one) => `${Effect === "Deny" ? "never " : ""}${action} ${name(one)}`),
        ),
    )
    .sort();
}

test.for(Object.keys(ENVIRONMENTS))("%s has few daemons, and no reader", (environment) => {
  const settings = parseEnvironment(environment, ENVIRONMENTS[environment]);
  const app = new App(TEMPLATES_ONLY);
  const template = Template.fromStack(new CanaryStack(app, "Stack", { environment, settings }));
  expect(Object.keys(template.toJSON().Resources).filter((id) => /Reader|Daemons/.test(id))).toEqual([]);
});

test("nine daemons are read by the cycle function, ten by readers, and one where the environment asks for it", () => {
  const hasReader = (more: Partial<EnvironmentInput>) =>
    propertiesOf(templateOf(more), "AWS::Lambda::Function", /Reader/) !== undefined;
  expect(hasReader({ dockerHosts: daemons(9) })).toBe(false);
  expect(hasReader({ dockerHosts: daemons(10) })).toBe(true);
  expect(hasReader({ dockerHosts: daemons(1), dockerReadersFrom: 1 })).toBe(true);
  expect(hasReader({ dockerHosts: daemons(20), dockerReadersFrom: 21 })).toBe(false);
});

describe("an environment of a hundred daemons in a VPC", () => {
  let template: Template;
  beforeAll(() => {
    template = templateOf({ dockerHosts: daemons(100, "eu-west-1.trinity.example.com"), memoryMb: 1024 });
  });
  const cycle = () => propertiesOf(template, "AWS::Lambda::Function", /^CanaryCycle/);
  const reader = () => propertiesOf(template, "AWS::Lambda::Function", /Reader/);

  test("a reader has one variable, the name of its secret, and time for a read and its start", () => {
    expect(reader()).toMatchObject({
      Runtime: "nodejs24.x",
      Architectures: ["arm64"],
      Handler: "index.handler",
      MemorySize: 1024,
      Timeout: 20,
      Environment: {
        Variables: {
          NODE_OPTIONS: "--enable-source-maps",
          CANARY_SECRET_ID: { Ref: expect.stringMatching(/^CanaryDockerReadersSecret/) },
        },
      },
    });
    expect(Object.keys(reader().Environment.Variables)).toHaveLength(2);
    expect(reader().FunctionName.length).toBeLessThanOrEqual(64);
    expect(reader().VpcConfig).toEqual(cycle().VpcConfig);
    expect(reader()).not.toHaveProperty("FileSystemConfigs");
    expect(reader().LoggingConfig.LogGroup.Ref).toMatch(/^CanaryDockerReadersReaderLog/);
  });

  test("its role may read that secret, write its log, and nothing else", () => {
    const network = rightsOf(template, /^CanaryCycleRole/).filter((right) => right.includes("ec2:"));
    expect(network).toHaveLength(12);
    expect(rightsOf(template, /ReadersReaderRole/)).toEqual(
      [
        "logs:CreateLogStream CanaryDockerReadersReaderLog",
        "logs:PutLogEvents CanaryDockerReadersReaderLog",
        "secretsmanager:GetSecretValue CanaryDockerReadersSecret",
        "xray:PutTelemetryRecords *",
        "xray:PutTraceSegments *",
        ...network,
      ].sort(),
    );
  });

  test("the cycle function may invoke it and no other, knows its name, and may not read its secret", () => {
    const rights = rightsOf(template, /^CanaryCycleRole/);
    expect(rights.filter((right) => /lambda:|secretsmanager:/.test(right))).toEqual([
      "lambda:InvokeFunction CanaryDockerReadersReaderFunction",
      "secretsmanager:GetSecretValue CanaryDaemons",
      "secretsmanager:GetSecretValue CanarySecret",
    ]);
    expect(cycle().Environment.Variables).toMatchObject({
      DOCKER_READER_FUNCTION: { Ref: expect.stringMatching(/^CanaryDockerReadersReaderFunction/) },
      DOCKER_READERS_FROM: "10",
      DOCKER_READER_DAEMONS: "5",
    });
    // Nobody else knows of it.
    for (const role of [/^CanaryApiRole/, /^CanaryScheduleRole/])
      expect(rightsOf(template, role).join()).not.toMatch(/Reader/);
  });

  test("the list, which is too long for variables, is in a secret of its own; certificates are in none", () => {
    const { CANARY_SECRET_ID, DOCKER_HOSTS } = cycle().Environment.Variables;
    expect(DOCKER_HOSTS).toBeUndefined();
    expect(CANARY_SECRET_ID["Fn::Join"][0]).toBe(",");
    expect(CANARY_SECRET_ID["Fn::Join"][1].map(({ Ref }: Resource) => plain(Ref))).toEqual([
      "CanarySecret",
      "CanaryDaemons",
    ]);
    const { SecretString } = propertiesOf(template, "AWS::SecretsManager::Secret", /^CanaryDaemons/);
    expect(JSON.parse(SecretString).DOCKER_HOSTS.split(",")).toHaveLength(100);
    // An upgrade must not write it again: the operators' certificate is in there.
    expect(propertiesOf(template, "AWS::SecretsManager::Secret", /ReadersSecret/)).toMatchObject({
      Description: "trinity-canary prod: the certificate that Docker daemons are read with",
      SecretString: "{}",
    });
    expect(Object.keys(template.findOutputs("*")).map(plain)).toContain("CanaryReaderSecretArn");
  });

  test("both functions may go out to the daemons' port", () => {
    const { SecurityGroupEgress } = propertiesOf(template, "AWS::EC2::SecurityGroup", /./);
    expect(SecurityGroupEgress.map(({ FromPort }: Resource) => FromPort)).toEqual([443, 2376]);
  });

  test("readers that fail again and again are an alarm, and the dashboard shows them", () => {
    const alarm = propertiesOf(template, "AWS::CloudWatch::Alarm", /ReaderErrors/);
    expect(alarm).toMatchObject({
      Namespace: "AWS/Lambda",
      MetricName: "Errors",
      Dimensions: [{ Name: "FunctionName", Value: { Ref: expect.stringMatching(/ReadersReaderFunction/) } }],
      EvaluationPeriods: 3,
      DatapointsToAlarm: 2,
      AlarmActions: [{ Ref: expect.stringMatching(/^CanaryAlerts/) }],
    });
    expect(JSON.stringify(propertiesOf(template, "AWS::CloudWatch::Dashboard", /./))).toContain(
      "Readers of Docker daemons",
    );
  });
});

test("AwsSolutions finds nothing in it that is not acknowledged, with a reason", () => {
  const { app } = stackOf({ dockerHosts: daemons(100, "eu-west-1.trinity.example.com") });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  expect(() => app.synth()).not.toThrow();
});
