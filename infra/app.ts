/** `npx cdk deploy -c env=staging`: the stack of one environment. */
import { App, Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";
import { ConfigError } from "../shared/config/reader.ts";
import { CanaryStack } from "./aws/canary-stack.ts";
import { findEnvironment } from "./environments.ts";

const app = new App();
try {
  const environment: string | undefined = app.node.tryGetContext("env");
  const settings = findEnvironment(environment);
  const { account, region } = settings;
  new CanaryStack(app, `TrinityCanary-${environment}`, {
    environment: environment!,
    settings,
    ...((account || region) && { env: { ...(account && { account }), ...(region && { region }) } }),
  });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  console.error(error.message);
  process.exit(1);
}
