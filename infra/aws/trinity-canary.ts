/** A whole canary as a construct, for the stack of this project and for other apps. */
import { CfnOutput, Duration, RemovalPolicy, Stack, Validations } from "aws-cdk-lib";
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
import { REMOTE } from "../../shared/config/remote.ts";
import { SECRET } from "../../shared/config/secret.ts";
import { TABLE } from "../../shared/store/table.ts";
import { type EnvironmentSettings, variablesOf } from "../environments.ts";
import { CanaryFunction, placeIn } from "./canary-function.ts";
import { CanaryWatch } from "./canary-watch.ts";

/** How often a failed cycle is retried, until the next one is due. */
const RETRIES = 2;
const DEAD_LETTER_DAYS = 14;
const ADMIN_TOKEN_LENGTH = 48;

/** What a cycle does with the table. It gets an item to see whether a write succeeded whose answer was lost. */
const TABLE_ACTIONS = [
  "dynamodb:UpdateItem",
  "dynamodb:Query",
  "dynamodb:BatchWriteItem",
  "dynamodb:GetItem",
];

export interface TrinityCanaryProps {
  /** What the canary is called in alerts, metrics and alarms: `prod`. */
  readonly environment: string;
  /** The result of `parseEnvironment`. */
  readonly settings: EnvironmentSettings;
}

/** Two functions, a schedule, a table, a secret, a topic, and their alarms. */
export class TrinityCanary extends Construct {
  readonly table: Table;
  readonly secret: Secret;
  readonly topic: Topic;
  readonly deadLetters: Queue;
  readonly cycle: CanaryFunction;
  readonly api: CanaryFunction;
  readonly apiUrl: FunctionUrl;

  constructor(scope: Construct, id: string, { environment, settings }: TrinityCanaryProps) {
    super(scope, id);
    const isKept = settings.removal === "keep";
    const removalPolicy = isKept ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;

    this.table = this.makeTable(isKept, removalPolicy);
    this.secret = this.makeSecret(environment, removalPolicy);
    this.topic = this.makeTopic(environment, settings);
    this.deadLetters = this.makeDeadLetters();

    const place = placeIn(this, settings);
    const common = { settings, place };
    this.cycle = new CanaryFunction(this, "Cycle", {
      ...common,
      description: `trinity-canary ${environment}: one cycle`,
      entry: "cycle.ts",
      timeoutSeconds: settings.cycleTimeoutSeconds,
      environment: variablesOf(environment, settings, "cycle"),
    });
    this.api = new CanaryFunction(this, "Api", {
      ...common,
      description: `trinity-canary ${environment}: the API`,
      entry: "api.ts",
      timeoutSeconds: settings.apiTimeoutSeconds,
      concurrency: settings.apiConcurrency,
      environment: variablesOf(environment, settings, "api"),
    });
    // The API runs cycles too, and so needs the same rights.
    for (const part of [this.cycle, this.api]) {
      part.grant({ [STATE.table.name]: this.table.tableName }, TABLE_ACTIONS, this.table.tableArn);
      part.grant(
        { [SECRET.id.name]: this.secret.secretArn },
        ["secretsmanager:GetSecretValue"],
        this.secret.secretArn,
      );
      part.grant(
        { [sns.variables.topicArn.name]: this.topic.topicArn },
        ["sns:Publish"],
        this.topic.topicArn,
      );
    }
    this.schedule(settings);
    this.apiUrl = this.openApi(settings);
    this.cycle.lambda.addEnvironment(ALERTS.statusUrl.name, this.apiUrl.url);

    new CanaryWatch(this, "Watch", {
      environment,
      blindAfterCycles: settings.alerts.blindAfterCycles,
      everyMinutes: settings.everyMinutes,
      cycle: this.cycle.lambda,
      api: this.api.lambda,
      deadLetters: this.deadLetters,
      topic: this.topic,
    });
    const output = (id: string, value: string, description: string) =>
      new CfnOutput(this, id, { value, description });
    output("ApiUrl", this.apiUrl.url, `${REMOTE.url.name} of the command line`);
    output("SecretArn", this.secret.secretArn, "Put the secrets in here");
    output("TopicArn", this.topic.topicArn, "Subscribe to it for alerts");
    output("TableName", this.table.tableName, STATE.table.name);
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

  /** Makes the secret, which operators fill. */
  private makeSecret(environment: string, removalPolicy: RemovalPolicy): Secret {
    const secret = new Secret(this, "Secret", {
      description: `trinity-canary ${environment}: the tokens and certificates that the canary reads with`,
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
    new Schedule(this, "Schedule", {
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
