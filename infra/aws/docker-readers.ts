/** The function that reads a few Docker daemons: many of it run side by side, invoked by the cycle function. */
import { type RemovalPolicy, SecretValue, Validations } from "aws-cdk-lib";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import { Construct } from "constructs";
import { READER_FUNCTION } from "../../shared/config/lambda-function.ts";
import { SECRET } from "../../shared/config/secret.ts";
import type { EnvironmentSettings } from "../environments.ts";
import { CanaryFunction, type Place } from "./canary-function.ts";

/** The time to start and to read the secret. */
const START_SECONDS = 10;

/** Makes a secret with this value. A change of it overwrites what operators put in. */
export function secretHolding(
  scope: Construct,
  id: string,
  props: { readonly description: string; readonly value: object; readonly removalPolicy: RemovalPolicy },
  why: string,
): Secret {
  const { value, ...rest } = props;
  const secret = new Secret(scope, id, {
    ...rest,
    secretStringValue: SecretValue.unsafePlainText(JSON.stringify(value)),
  });
  Validations.of(secret).acknowledge({ id: "AwsSolutions-SMG4", reason: why });
  return secret;
}

export interface DockerReadersProps {
  readonly environment: string;
  readonly settings: EnvironmentSettings;
  /** Where the cycle function is: the daemons are as near to it as to a reader. */
  readonly place: Place | undefined;
  readonly removalPolicy: RemovalPolicy;
}

export class DockerReaders extends Construct {
  /** The client certificate of the daemons. Nobody but the readers reads it. */
  readonly secret: Secret;
  readonly reader: CanaryFunction;

  constructor(scope: Construct, id: string, props: DockerReadersProps) {
    super(scope, id);
    const { environment, settings, place, removalPolicy } = props;
    const description = `trinity-canary ${environment}: the certificate that Docker daemons are read with`;
    this.secret = secretHolding(
      this,
      "Secret",
      { description, value: {}, removalPolicy },
      "Its certificates are issued by the operators' own CA, and rotated by them, see docs/operations.md.",
    );
    this.reader = new CanaryFunction(this, "Reader", {
      settings,
      description: `trinity-canary ${environment}: reads a few Docker daemons`,
      // The end of the construct's address is in it, so that the construct can be moved.
      name: `trinity-canary-${environment}-reader-${this.node.addr.slice(-8)}`,
      entry: "reader.ts",
      timeoutSeconds: Math.ceil(settings.sourceDeadlineMs / 1000) + START_SECONDS,
      environment: {},
      place,
    });
    const { secretArn } = this.secret;
    this.reader.grant({ [SECRET.id.name]: secretArn }, ["secretsmanager:GetSecretValue"], secretArn);
  }

  /** Lets a function invoke readers. */
  grantInvoke(caller: CanaryFunction): void {
    const { functionName, functionArn } = this.reader.lambda;
    caller.grant({ [READER_FUNCTION.name.name]: functionName }, ["lambda:InvokeFunction"], functionArn);
  }
}
