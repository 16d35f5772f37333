/** The canary as it is deployed: secrets from Secrets Manager, state in the table, each cycle logged and measured. */
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { type Canary, createCanary } from "./canary.ts";
import { ConfigError, type Environment, environmentWith, loadConfig, loadSecretId } from "./config/config.ts";
import { parseSecret, secretReader } from "./config/secret.ts";

import { documentClient } from "./store/client.ts";
import { dynamoStore } from "./store/store.ts";
import { cycleTelemetry } from "./telemetry.ts";

export interface Deployed {
  readonly canary: Canary;
  /** The variables with those of the secret laid over them. */
  readonly env: Environment;
}

/** Made by the first event and kept while the function is warm. */
let readSecret: ((maxAgeMs: number) => Promise<string>) | undefined;
let dynamo: DynamoDBDocumentClient | undefined;
let kept: { readonly secret: string | null; readonly deployed: Deployed } | undefined;

const secretsClient = () =>
  new SecretsManagerClient({
    maxAttempts: 2,
    requestHandler: { connectionTimeout: 1_000, requestTimeout: 3_000, throwOnRequestTimeout: true },
  });

/**
 * @param maxAgeMs how old what was read of the secret may be
 * @param defaults variables that count where the function's own environment has none
 * @returns the same object until the secret changes
 * @throws ConfigError where the secret or the environment can't be used, or names no table; the next call tries again
 */
export async function deployedCanary(maxAgeMs: number, defaults: Environment = {}): Promise<Deployed> {
  const secretId = loadSecretId();
  const warn = (line: string) => console.warn(line);
  if (secretId !== null) readSecret ??= secretReader(secretsClient(), secretId, { now: Date.now, warn });
  const secret = secretId === null ? null : await readSecret!(maxAgeMs);
  if (kept?.secret === secret && kept) return kept.deployed;

  const values = secret === null ? {} : parseSecret(secret, secretId!);
  const env = { ...defaults, ...environmentWith(values) };
  const config = loadConfig(env);
  if (!config.stateTable)
    throw new ConfigError(["STATE_TABLE is missing: give the name of the DynamoDB table"]);
  dynamo ??= documentClient();
  const canary: Canary = {
    ...createCanary(config, dynamoStore(dynamo, config.stateTable)),
    observe: cycleTelemetry(config.alerts.environment),
  };
  kept = { secret, deployed: { canary, env } };
  return kept.deployed;
}
