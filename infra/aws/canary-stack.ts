/** The stack of one environment. */
import { Annotations, Stack, type StackProps, Tags } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { type EnvironmentSettings, placeholdersIn } from "../environments.ts";
import { TrinityCanary } from "./trinity-canary.ts";

export interface CanaryStackProps extends StackProps {
  /** The environment's name. */
  readonly environment: string;
  readonly settings: EnvironmentSettings;
}

export class CanaryStack extends Stack {
  readonly canary: TrinityCanary;

  constructor(scope: Construct, id: string, { environment, settings, ...props }: CanaryStackProps) {
    super(scope, id, {
      description: `trinity-canary: watches the Trinity installation ${environment}`,
      terminationProtection: settings.removal === "keep",
      ...props,
    });
    this.canary = new TrinityCanary(this, "Canary", { environment, settings });
    Tags.of(this).add("canary-environment", environment);
    const placeholders = placeholdersIn(settings);
    if (placeholders.length > 0)
      Annotations.of(this).addWarningV2(
        "trinity-canary:placeholder",
        `${environment}: ${placeholders.join(", ")} still name an address of the examples, which leads nowhere: correct them in infra/environments.ts`,
      );
  }
}
