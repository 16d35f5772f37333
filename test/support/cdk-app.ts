import type { AppProps } from "aws-cdk-lib";

/**
 * An app whose templates a test looks into. Nothing is bundled, since bundles have their own tests. The rules of
 * CloudFormation, which take seconds, would only warn here: they are errors for `cdk synth`, with which the artifact is made.
 */
export const TEMPLATES_ONLY: AppProps = {
  context: { "aws:cdk:bundling-stacks": [] },
  builtinCloudFormationValidation: false,
};
