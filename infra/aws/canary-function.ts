/** A function of the canary: its bundle, its log, its role, and its place in the network. */
import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  ArnFormat,
  AssetHashType,
  DockerImage,
  Duration,
  RemovalPolicy,
  Stack,
  Validations,
} from "aws-cdk-lib";
import { type ISecurityGroup, type IVpc, Peer, Port, SecurityGroup, Vpc } from "aws-cdk-lib/aws-ec2";
import {
  Effect,
  PolicyStatement,
  type PolicyStatementProps,
  Role,
  ServicePrincipal,
} from "aws-cdk-lib/aws-iam";
import {
  Architecture,
  type AssetCode,
  type CfnFunction,
  Code,
  Function as LambdaFunction,
  Runtime,
  Tracing,
} from "aws-cdk-lib/aws-lambda";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { type EnvironmentSettings, variablesOf } from "../environments.ts";

const PROJECT = join(dirname(fileURLToPath(import.meta.url)), "../..");
const BUNDLE = join(PROJECT, "infra/aws/bundle.ts");
const NFS_PORT = 2049;
const HTTPS_PORT = 443;
/** Where an address names no port. Every other scheme has that of HTTPS. */
const PORTS: Readonly<Record<string, number>> = { "http:": 80, "postgres:": 5432, "postgresql:": 5432 };

export interface Place {
  readonly vpc: IVpc;
  readonly securityGroups: ISecurityGroup[];
}

/** Lists the ports of AWS and Slack, and of all addresses in the canary's variables. */
function portsOf(settings: EnvironmentSettings): number[] {
  const ports = Object.values(variablesOf("", settings))
    .flatMap((text) => text.split(","))
    .filter((address) => address.includes("://"))
    .map((address) => new URL(address))
    .map(({ port, protocol }) => Number(port) || (PORTS[protocol] ?? HTTPS_PORT));
  const own = [HTTPS_PORT, ...(settings.fileSystem ? [NFS_PORT] : [])];
  return [...new Set([...own, ...ports])].sort((a, b) => a - b);
}

/** What Lambda does, with the function's role, to give the function an address in the VPC. */
const NETWORK_ACTIONS = [
  "ec2:CreateNetworkInterface",
  "ec2:DescribeNetworkInterfaces",
  "ec2:DescribeSubnets",
  "ec2:DeleteNetworkInterface",
  "ec2:AssignPrivateIpAddresses",
  "ec2:UnassignPrivateIpAddresses",
];

/** Puts a function into a VPC, where a source is private. Returns undefined where it runs outside of any VPC. */
export function placeIn(scope: Construct, settings: EnvironmentSettings): Place | undefined {
  const { network } = settings;
  if (!network) return undefined;
  const vpc = Vpc.fromVpcAttributes(scope, "Vpc", {
    vpcId: network.vpcId,
    privateSubnetIds: network.subnetIds,
    // Lambda needs the subnets only. CDK requires a zone for each, with any name.
    availabilityZones: network.subnetIds.map((_, i) => `zone-${i}`),
  });
  Validations.of(vpc).acknowledge({
    id: "Annotation::@aws-cdk/aws-ec2:noSubnetRouteTableId",
    reason: "Route tables are neither read nor written here.",
  });
  const securityGroup = new SecurityGroup(scope, "SecurityGroup", {
    vpc,
    description: "The canary reaches its sources and AWS, and nothing reaches it",
    allowAllOutbound: false,
  });
  for (const port of portsOf(settings)) securityGroup.addEgressRule(Peer.anyIpv4(), Port.tcp(port));
  return { vpc, securityGroups: [securityGroup] };
}

/**
 * The ARN of a function of that name in the stack. It is no reference to the function, which depends on what uses it:
 * on its role's policy, or on the other function.
 */
export const functionArnOf = (scope: Construct, name: string): string =>
  Stack.of(scope).formatArn({
    service: "lambda",
    resource: "function",
    resourceName: name,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });

/** Makes the function's asset. It is hashed by its content, and so is the same for every environment. */
function bundled(entry: string): AssetCode {
  return Code.fromAsset(join(PROJECT, "functions"), {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      // The image is never run: esbuild is one of the project's packages.
      image: DockerImage.fromRegistry("esbuild"),
      // CDK caches bundles, and tells them apart by this.
      command: [entry],
      local: {
        tryBundle(outputFolder) {
          execFileSync(process.execPath, [BUNDLE, `functions/${entry}`, outputFolder], {
            cwd: PROJECT,
            stdio: ["ignore", "ignore", "inherit"],
          });
          return true;
        },
      },
    },
  });
}

export interface CanaryFunctionProps {
  readonly settings: EnvironmentSettings;
  readonly description: string;
  /** Left out: CloudFormation makes one. A function that another part of the stack names before it exists needs its own. */
  readonly name?: string;
  /** A file of `functions/`. */
  readonly entry: string;
  readonly timeoutSeconds: number;
  /** How many events it handles at once; undefined for as many as the account allows. */
  readonly concurrency?: number | undefined;
  readonly environment: Readonly<Record<string, string>>;
  /** Left out: it runs outside of any VPC. */
  readonly place?: Place | undefined;
  /** Left out: nothing is mounted. */
  readonly fileSystem?: EnvironmentSettings["fileSystem"];
}

/** A function on Node 24 and arm64, with a role that gets each right separately. */
export class CanaryFunction extends Construct {
  readonly lambda: LambdaFunction;
  readonly role: Role;
  readonly logGroup: LogGroup;

  constructor(scope: Construct, id: string, props: CanaryFunctionProps) {
    super(scope, id);
    const { settings, name, place, fileSystem } = props;
    this.logGroup = new LogGroup(this, "Log", {
      retention: settings.logDays,
      removalPolicy: settings.removal === "keep" ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    this.role = new Role(this, "Role", { assumedBy: new ServicePrincipal("lambda.amazonaws.com") });
    this.logGroup.grantWrite(this.role);
    if (place) this.grantNetwork(name);

    this.lambda = new LambdaFunction(this, "Function", {
      ...(name !== undefined && { functionName: name }),
      description: props.description,
      code: bundled(props.entry),
      handler: "index.handler",
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: settings.memoryMb,
      timeout: Duration.seconds(props.timeoutSeconds),
      ...(props.concurrency !== undefined && { reservedConcurrentExecutions: props.concurrency }),
      environment: { NODE_OPTIONS: "--enable-source-maps", ...props.environment },
      role: this.role,
      logGroup: this.logGroup,
      tracing: Tracing.ACTIVE,
      ...place,
    });
    if (fileSystem) this.mount(fileSystem);
    Validations.of(this.role).acknowledge({
      id: "AwsSolutions-IAM5[Resource::*]",
      reason: "Traces (X-Ray) and network interfaces (in a VPC) have no resource that a policy could name.",
    });
  }

  /** Gives the function a variable, and the right to use what it names. */
  grant(variable: Readonly<Record<string, string>>, actions: readonly string[], resource: string): void {
    for (const [name, value] of Object.entries(variable)) this.lambda.addEnvironment(name, value);
    this.allow({ actions: [...actions], resources: [resource] });
  }

  /** Gives the function a right. */
  allow(right: PolicyStatementProps): void {
    this.role.addToPolicy(new PolicyStatement(right));
  }

  /**
   * Lambda itself uses the role to give the function an address in the VPC. The resources do not exist yet. The function's
   * own code may not: only its calls carry the function's ARN, those of Lambda do not.
   */
  private grantNetwork(name: string | undefined): void {
    if (name === undefined)
      throw new Error("a function in a VPC needs a name: its role's policy has its ARN");
    this.allow({ actions: NETWORK_ACTIONS, resources: ["*"] });
    this.allow({
      effect: Effect.DENY,
      actions: NETWORK_ACTIONS,
      resources: ["*"],
      conditions: { ArnEquals: { "lambda:SourceFunctionArn": functionArnOf(this, name) } },
    });
  }

  /** Mounts an access point, read-only. */
  private mount(fileSystem: NonNullable<EnvironmentSettings["fileSystem"]>): void {
    const { accessPointArn, fileSystemId, mountPath } = fileSystem;
    (this.lambda.node.defaultChild as CfnFunction).fileSystemConfigs = [
      { arn: accessPointArn, localMountPath: mountPath },
    ];
    const fileSystemArn = Stack.of(this).formatArn({
      service: "elasticfilesystem",
      resource: "file-system",
      resourceName: fileSystemId,
      arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
    });
    this.role.addToPolicy(
      new PolicyStatement({
        actions: ["elasticfilesystem:ClientMount"],
        resources: [fileSystemArn],
        conditions: { StringEquals: { "elasticfilesystem:AccessPointArn": accessPointArn } },
      }),
    );
  }
}
