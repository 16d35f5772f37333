/** A whole canary as a construct, for the stack of this project and for other apps. */
import { CfnOutput, Duration, Fn, RemovalPolicy, Stack, Validations } from "aws-cdk-lib";
import { AttributeType, BillingMode, Table } from "aws-cdk-lib/aws-dynamodb";
import { ArnPrincipal, PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { type FunctionUrl, FunctionUrlAuthType } from "aws-cdk-lib/aws-lambda";
import { SqsDestination } from "aws-cdk-lib/aws-lambda-destinations";
import { Schedule, ScheduleExpression } from "aws-cdk-lib/aws-scheduler";
import { LambdaInvoke } from "aws-cdk-lib/aws-scheduler-targets";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import { Topic } from "aws-cdk-lib/aws-sns";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import { Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { sns } from "../../shared/alerts/channels/sns.ts";
import { ALERTS } from "../../shared/config/alerts.ts";
import { API } from "../../shared/config/api.ts";
import { STATE } from "../../shared/config/cycle.ts";
import { CYCLE_FUNCTION } from "../../shared/config/lambda-function.ts";
import { REMOTE } from "../../shared/config/remote.ts";
import { SECRET } from "../../shared/config/secret.ts";
import { MEMORY_KEY, SILENCES_VERSION, silenceAttribute } from "../../shared/store/silences.ts";
import { TABLE } from "../../shared/store/table.ts";
import { type EnvironmentSettings, hasReaders, longDaemonsOf, variablesOf } from "../environments.ts";
import { CanaryFunction, functionArnOf, placeIn } from "./canary-function.ts";
import { CanaryWatch } from "./canary-watch.ts";
import { DockerReaders, secretHolding } from "./docker-readers.ts";

/** How often a failed cycle is retried, until the next one is due. */
const RETRIES = 2;
const DEAD_LETTER_DAYS = 14;
const ADMIN_TOKEN_LENGTH = 48;

const READ_ACTIONS = ["dynamodb:GetItem", "dynamodb:Query"];
/** What a cycle does with the table. It gets an item to see whether a write succeeded whose answer was lost. */
const CYCLE_ACTIONS = [...READ_ACTIONS, "dynamodb:UpdateItem", "dynamodb:BatchWriteItem"];
/**
 * What the API may write: the silences, which are attributes of the `MEMORY` item, and nothing else of it. DynamoDB asks for
 * the keys among the attributes, and that a write gives back no others.
 */
const ONLY_SILENCES = {
  "ForAllValues:StringEquals": { "dynamodb:LeadingKeys": [MEMORY_KEY[TABLE.partitionKey]] },
  "ForAllValues:StringLike": {
    "dynamodb:Attributes": [TABLE.partitionKey, TABLE.sortKey, silenceAttribute("*"), SILENCES_VERSION],
  },
  StringEqualsIfExists: { "dynamodb:ReturnValues": ["NONE", "UPDATED_OLD", "UPDATED_NEW"] },
  // `ForAllValues` is true of a request that names none.
  Null: { "dynamodb:LeadingKeys": "false", "dynamodb:Attributes": "false" },
};

const READ_SECRET = ["secretsmanager:GetSecretValue"];

/**
 * The cycle function's name, which the API function has as a variable. It is the construct's own, since each of the two
 * functions names the other, and CloudFormation could make neither first. The end of the construct's address is in it, so
 * that the construct can be moved.
 */
const cycleName = (scope: Construct, environment: string): string =>
  `trinity-canary-${environment}-cycle-${scope.node.addr.slice(-8)}`;

export interface TrinityCanaryProps {
  /** What the canary is called in alerts, metrics and alarms: `prod`. */
  readonly environment: string;
  /** The result of `parseEnvironment`. */
  readonly settings: EnvironmentSettings;
}

/**
 * Two functions (and a third where Docker daemons are many), a schedule, a table, a secret for each function, a topic, and their alarms. The function that faces the
 * Internet has no token of a source and no right to send alerts: it invokes the other one, which runs the cycles.
 */
export class TrinityCanary extends Construct {
  readonly table: Table;
  /** The sources' tokens and the channels' addresses, for the cycle function. */
  readonly secret: Secret;
  /** The admin token, for the API function; undefined where AWS checks callers. */
  readonly apiSecret: Secret | undefined;
  readonly topic: Topic;
  readonly deadLetters: Queue;
  readonly cycle: CanaryFunction;
  readonly api: CanaryFunction;
  /** What reads Docker daemons where they are many; undefined where the cycle function does. */
  readonly readers: DockerReaders | undefined;
  readonly apiUrl: FunctionUrl;

  constructor(scope: Construct, id: string, { environment, settings }: TrinityCanaryProps) {
    super(scope, id);
    const isKept = settings.removal === "keep";
    const removalPolicy = isKept ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;

    this.table = this.makeTable(isKept, removalPolicy);
    const secretOf = (id: string, what: string) =>
      this.makeSecret(id, `trinity-canary ${environment}: ${what}`, removalPolicy);
    // It also has an admin token, which nobody reads: another generator would overwrite the values that operators put in.
    this.secret = secretOf("Secret", "the tokens and certificates that the canary reads with");
    const isOpen = settings.functionUrl.auth === "bearer";
    this.apiSecret = isOpen ? secretOf("ApiSecret", "the token that callers of the API send") : undefined;
    this.topic = this.makeTopic(environment, settings);
    this.deadLetters = this.makeDeadLetters();

    const name = cycleName(this, environment);
    const place = placeIn(this, settings);
    this.cycle = new CanaryFunction(this, "Cycle", {
      settings,
      description: `trinity-canary ${environment}: one cycle`,
      name,
      entry: "cycle.ts",
      timeoutSeconds: settings.cycleTimeoutSeconds,
      environment: variablesOf(environment, settings, "cycle"),
      place,
      fileSystem: settings.fileSystem,
    });
    this.api = new CanaryFunction(this, "Api", {
      settings,
      description: `trinity-canary ${environment}: the API`,
      entry: "api.ts",
      timeoutSeconds: settings.apiTimeoutSeconds,
      concurrency: settings.apiConcurrency,
      environment: variablesOf(environment, settings, "api"),
    });
    this.readers = hasReaders(settings)
      ? new DockerReaders(this, "DockerReaders", { environment, settings, place, removalPolicy })
      : undefined;
    this.grantCycle(settings, this.secretsOfCycle(environment, settings, removalPolicy));
    this.readers?.grantInvoke(this.cycle);
    this.grantApi(name);
    this.schedule(settings);
    this.apiUrl = this.openApi(settings);
    this.cycle.lambda.addEnvironment(ALERTS.statusUrl.name, this.apiUrl.url);

    new CanaryWatch(this, "Watch", {
      environment,
      blindAfterCycles: settings.alerts.blindAfterCycles,
      everyMinutes: settings.everyMinutes,
      cycle: this.cycle.lambda,
      api: this.api.lambda,
      reader: this.readers?.reader.lambda,
      deadLetters: this.deadLetters,
      topic: this.topic,
      isOpen,
    });
    const output = (id: string, value: string, description: string) =>
      new CfnOutput(this, id, { value, description });
    output("ApiUrl", this.apiUrl.url, `${REMOTE.url.name} of the command line`);
    output("SecretArn", this.secret.secretArn, "Put the sources' tokens and the channels' secrets in here");
    if (this.readers)
      output(
        "ReaderSecretArn",
        this.readers.secret.secretArn,
        "Put the Docker certificate in here: readers read the daemons with it",
      );
    if (this.apiSecret)
      output(
        "ApiSecretArn",
        this.apiSecret.secretArn,
        `It holds ${API.adminToken.name}, for callers of the API`,
      );
    output("TopicArn", this.topic.topicArn, "Subscribe to it for alerts");
    output("TableName", this.table.tableName, STATE.table.name);
  }

  /** The secrets that the cycle function reads: the list of daemons is one of its own where it is long. */
  private secretsOfCycle(
    environment: string,
    settings: EnvironmentSettings,
    removalPolicy: RemovalPolicy,
  ): readonly Secret[] {
    const value = longDaemonsOf(environment, settings);
    if (value === null) return [this.secret];
    const description = `trinity-canary ${environment}: the list of Docker daemons, which is no secret`;
    const why = "It is a list of addresses, written by the stack: there is nothing to rotate.";
    return [this.secret, secretHolding(this, "Daemons", { description, value, removalPolicy }, why)];
  }

  /** Lets the cycle function read its secrets, keep its state, and send alerts. */
  private grantCycle({ channels }: EnvironmentSettings, secrets: readonly Secret[]): void {
    const { cycle, table, topic } = this;
    const arns = secrets.map(({ secretArn }) => secretArn);
    cycle.grant({ [STATE.table.name]: table.tableName }, CYCLE_ACTIONS, table.tableArn);
    cycle.lambda.addEnvironment(SECRET.id.name, arns.length > 1 ? Fn.join(",", arns) : arns[0]!);
    cycle.allow({ actions: READ_SECRET, resources: arns });
    cycle.grant({ [sns.variables.topicArn.name]: topic.topicArn }, ["sns:Publish"], topic.topicArn);
    const { bus } = channels.eventbridge;
    if (bus !== undefined) cycle.allow({ actions: ["events:PutEvents"], resources: [this.busArnOf(bus)] });
  }

  /** The ARN of a bus that is named by it, or by its name in this account and region. */
  private busArnOf(bus: string): string {
    if (bus.startsWith("arn:")) return bus;
    return Stack.of(this).formatArn({ service: "events", resource: "event-bus", resourceName: bus });
  }

  /** Lets the API function read its secret and the state, silence, and have the other function run a cycle. */
  private grantApi(name: string): void {
    const { api, table, apiSecret } = this;
    api.grant({ [STATE.table.name]: table.tableName }, READ_ACTIONS, table.tableArn);
    api.allow({
      actions: ["dynamodb:UpdateItem"],
      resources: [table.tableArn],
      conditions: ONLY_SILENCES,
    });
    if (apiSecret) api.grant({ [SECRET.id.name]: apiSecret.secretArn }, READ_SECRET, apiSecret.secretArn);
    // Named, not referenced: the cycle function depends on the API's address.
    api.grant({ [CYCLE_FUNCTION.name.name]: name }, ["lambda:InvokeFunction"], functionArnOf(this, name));
  }

  /** Makes the table of the state. */
  private makeTable(isKept: boolean, removalPolicy: RemovalPolicy): Table {
    return new Table(this, "State", {
      partitionKey: { name: TABLE.partitionKey, type: AttributeType.STRING },
      sortKey: { name: TABLE.sortKey, type: AttributeType.STRING },
      timeToLiveAttribute: TABLE.timeToLive,
      billingMode: BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: isKept,
      removalPolicy,
    });
  }

  /** Makes a secret with an admin token in it. */
  private makeSecret(id: string, description: string, removalPolicy: RemovalPolicy): Secret {
    const secret = new Secret(this, id, {
      description,
      // A change here makes CloudFormation generate the whole value again, and overwrite what the operators put in.
      generateSecretString: {
        secretStringTemplate: "{}",
        generateStringKey: API.adminToken.name,
        passwordLength: ADMIN_TOKEN_LENGTH,
        excludePunctuation: true,
      },
      removalPolicy,
    });
    Validations.of(secret).acknowledge({
      id: "AwsSolutions-SMG4",
      reason:
        "Its tokens and certificates are issued by other systems; operators rotate them, see docs/operations.md.",
    });
    return secret;
  }

  /** Makes the queue for what the schedule and the cycle function gave up. */
  private makeDeadLetters(): Queue {
    const deadLetters = new Queue(this, "DeadLetters", {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(DEAD_LETTER_DAYS),
    });
    Validations.of(deadLetters).acknowledge({
      id: "AwsSolutions-SQS3",
      reason: "It is the dead-letter queue, of the schedule and of the cycle function.",
    });
    return deadLetters;
  }

  /** Makes the topic of alerts and alarms. */
  private makeTopic(environment: string, { alarmEmail }: EnvironmentSettings): Topic {
    const topic = new Topic(this, "Alerts", {
      displayName: `trinity-canary ${environment}`,
      enforceSSL: true,
    });
    // A policy replaces the default one, which allows the account's alarms to publish.
    topic.addToResourcePolicy(
      new PolicyStatement({
        sid: "AllowAlarms",
        principals: [new ServicePrincipal("cloudwatch.amazonaws.com")],
        actions: ["sns:Publish"],
        resources: [topic.topicArn],
        conditions: { StringEquals: { "aws:SourceAccount": Stack.of(this).account } },
      }),
    );
    if (alarmEmail) topic.addSubscription(new EmailSubscription(alarmEmail));
    return topic;
  }

  /**
   * Makes the schedule. It hands an event over to Lambda's own queue, and from there on Lambda retries a failed cycle.
   * Both put what they gave up into the dead-letter queue.
   */
  private schedule({ everyMinutes }: EnvironmentSettings): void {
    const maxEventAge = Duration.minutes(everyMinutes);
    const role = new Role(this, "ScheduleRole", {
      assumedBy: new ServicePrincipal("scheduler.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": Stack.of(this).account } },
      }),
    });
    const mayUse = (actions: string[], resource: string) =>
      role.addToPolicy(new PolicyStatement({ actions, resources: [resource] }));
    mayUse(["lambda:InvokeFunction"], this.cycle.lambda.functionArn);
    mayUse(["sqs:SendMessage"], this.deadLetters.queueArn);
    const schedule = new Schedule(this, "Schedule", {
      description: "One cycle of the canary",
      schedule: ScheduleExpression.rate(Duration.minutes(everyMinutes)),
      target: new LambdaInvoke(this.cycle.lambda, {
        // The target would grant the role every version of the function.
        role: role.withoutPolicyUpdates(),
        deadLetterQueue: this.deadLetters,
        retryAttempts: RETRIES,
        maxEventAge,
      }),
    });
    // The target knows the role without its policy: the first call must find the right to it.
    schedule.node.addDependency(role);
    this.cycle.lambda.configureAsyncInvoke({
      retryAttempts: RETRIES,
      maxEventAge,
      onFailure: new SqsDestination(this.deadLetters),
    });
  }

  private openApi({ functionUrl }: EnvironmentSettings): FunctionUrl {
    const authType = functionUrl.auth === "iam" ? FunctionUrlAuthType.AWS_IAM : FunctionUrlAuthType.NONE;
    const url = this.api.lambda.addFunctionUrl({ authType });
    if (functionUrl.auth === "iam")
      for (const caller of functionUrl.callers) url.grantInvokeUrl(new ArnPrincipal(caller));
    return url;
  }
}
