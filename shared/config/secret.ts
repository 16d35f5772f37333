/** The environment's one secret in AWS Secrets Manager: read at run time, kept for a while, and never printed. */
import { GetSecretValueCommand, type SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { describeError } from "../errors.ts";
import { ConfigError, type Environment, SECRET_NAMES } from "./config.ts";

const EXAMPLE = '{"ADMIN_TOKEN": "…", "UPSTASH_REDIS_REST_TOKEN": "…"}';

/**
 * @param text the secret's value: a JSON object of strings, named like the variables that they stand for
 * @param secretId what the errors call it
 * @throws ConfigError for anything else; no part of the value is in its text
 */
export function parseSecret(text: string, secretId: string): Environment {
  const refuse = (what: string): never => {
    throw new ConfigError([`the secret ${secretId} ${what}`]);
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's error shows a piece of the text.
    return refuse(`is not JSON: give an object like ${EXAMPLE}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return refuse(`is no JSON object: give one like ${EXAMPLE}`);
  const entries = Object.entries(value);
  const unknown = entries.map(([name]) => name).filter((name) => !isSecretName(name));
  if (unknown.length > 0)
    return refuse(
      `has ${unknown.map(shown).join(", ")}, which means nothing: it may hold ${SECRET_NAMES.join(", ")}`,
    );
  for (const [name, given] of entries)
    if (typeof given !== "string") return refuse(`has a ${name} that is no text: put it in quotes`);
  return value as Environment;
}

/** Whoever takes name and value for one another has put a token where the name belongs. */
const shown = (name: string) => (/^[A-Z][A-Z_]{0,40}$/.test(name) ? name : "a name that is none");

const isSecretName = (name: string) => SECRET_NAMES.some((known) => known === name);

/** Throttled, slow or down: the next try may succeed. The rest (no such secret, no right to it) will stay so. */
function isPassing(error: unknown): boolean {
  const { $metadata, $retryable, name } = error as {
    $metadata?: { httpStatusCode?: number };
    $retryable?: unknown;
    name?: string;
  };
  const status = $metadata?.httpStatusCode;
  return status === undefined || status >= 500 || $retryable !== undefined || name === "ThrottlingException";
}

/**
 * Reads the secret's current version. While Secrets Manager can't be reached, what was read last counts.
 * @param secretId its name or ARN
 * @param warn hears of a read that failed although a value is at hand
 * @returns what gives the secret's text; one that is younger than `maxAgeMs` is not read again
 * @throws ConfigError from there, where there is no such secret, no right to read it, or nothing at hand
 */
export function secretReader(
  client: SecretsManagerClient,
  secretId: string,
  { now, warn }: { readonly now: () => number; readonly warn: (line: string) => void },
): (maxAgeMs: number) => Promise<string> {
  let last: { readonly text: string; readonly askedAtMs: number } | undefined;
  return async (maxAgeMs) => {
    const startedAtMs = now();
    if (last && startedAtMs - last.askedAtMs < maxAgeMs) return last.text;
    try {
      const { SecretString: text } = await client.send(new GetSecretValueCommand({ SecretId: secretId }));
      if (text === undefined)
        throw new ConfigError([`the secret ${secretId} is binary: give a JSON text like ${EXAMPLE}`]);
      last = { text, askedAtMs: startedAtMs };
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      const { name } = error as Error;
      const line = `the secret ${secretId} could not be read (${name}: ${describeError(error)})`;
      if (!isPassing(error))
        throw new ConfigError([`${line}: check that it exists and that the function's role may read it`]);
      if (!last) throw new ConfigError([`${line}: check the function's way to Secrets Manager`]);
      warn(`${line}: going on with what was read before`);
      // It counts as fresh again: otherwise each request would wait for Secrets Manager while that is down.
      last = { text: last.text, askedAtMs: now() };
    }
    return last.text;
  };
}
