/** A function's one secret in AWS Secrets Manager: read at run time, kept for a while, and never printed. */
import {
  GetSecretValueCommand,
  SecretsManagerClient,
  type SecretsManagerServiceException,
} from "@aws-sdk/client-secrets-manager";
import { awsRequests } from "../aws-requests.ts";
import { describeError } from "../errors.ts";
import { ConfigError, type Environment, environmentWith, reader } from "./reader.ts";
import { text } from "./variable.ts";

export const SECRET = {
  id: text(
    "CANARY_SECRET_ID",
    "the name or ARN of a secret in AWS Secrets Manager, or of several, separated by commas: a JSON object of texts, named like the variables of tokens, certificates and the webhook. What is in it counts before the environment. Only the functions read it; the right is `secretsmanager:GetSecretValue`",
  ),
};

const EXAMPLE = '{"UPSTASH_REDIS_REST_TOKEN": "…"}';

/**
 * Parses the text of a secret: a JSON object of strings, named like the variables.
 * @param secretId what the errors call it
 * @param names the variables that it may hold
 * @throws ConfigError for anything else; no part of the value is in its text
 */
export function parseSecret(value: string, secretId: string, names: readonly string[]): Environment {
  const refuse = (what: string): never => {
    throw new ConfigError([`the secret ${secretId} ${what}`]);
  };
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    // The parser's error shows a piece of the text.
    return refuse(`is not JSON: give an object like ${EXAMPLE}`);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    return refuse(`is not a JSON object: give one like ${EXAMPLE}`);
  const entries = Object.entries(parsed);
  const unknown = entries.map(([name]) => name).filter((name) => !names.includes(name));
  if (unknown.length > 0)
    return refuse(
      `has ${unknown.map(shown).join(", ")}, which means nothing: it may hold ${names.join(", ")}`,
    );
  for (const [name, given] of entries)
    if (typeof given !== "string") return refuse(`has a ${name} that is not a text: put it in quotes`);
  return parsed as Environment;
}

/** A name is repeated only if it looks like one: where name and value were swapped, it is the token. */
const shown = (name: string) => (/^[A-Z][A-Z_]{0,40}$/.test(name) ? name : "a name that is none");

/** Whether a later read may succeed: throttled, slow or down, but not "no such secret" or "no right to it". */
function isPassing(error: unknown): boolean {
  const { $metadata, $retryable, name } = error as Partial<SecretsManagerServiceException>;
  const status = $metadata?.httpStatusCode;
  return status === undefined || status >= 500 || $retryable !== undefined || name === "ThrottlingException";
}

/**
 * Makes a function that returns the secret's text. A text that is younger than `maxAgeMs` is not read again, and while
 * Secrets Manager can't be reached, the last text is used. The function throws a ConfigError where there is no such
 * secret, no right to read it, or no earlier text.
 * @param secretId its name or ARN
 * @param warn called where a read failed and the last text is used
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

const secretsClient = () => new SecretsManagerClient(awsRequests());

/** Made by the first event, and kept while the function is warm. */
const readers = new Map<string, (maxAgeMs: number) => Promise<string>>();
let kept: { readonly texts: readonly string[]; readonly env: Environment } | undefined;

const idsIn = (list: string | null): string[] => list?.split(",").map((id) => id.trim()) ?? [];

function readerOf(id: string): (maxAgeMs: number) => Promise<string> {
  const known = readers.get(id);
  if (known) return known;
  const made = secretReader(secretsClient(), id, { now: Date.now, warn: (line) => console.warn(line) });
  readers.set(id, made);
  return made;
}

/**
 * Returns the variables of a deployed function. Those of its secrets come before those of its environment. It is the same
 * object until a secret changes.
 * @param maxAgeMs how old a secret's text may be
 * @param names the variables that a secret may hold
 * @throws ConfigError where a secret can't be used; the next call tries again
 */
export async function deployedEnvironment(maxAgeMs: number, names: readonly string[]): Promise<Environment> {
  const ids = idsIn(reader(environmentWith()).values(SECRET).id);
  const texts = await Promise.all(ids.map((id) => readerOf(id)(maxAgeMs)));
  if (kept === undefined || texts.some((text, i) => text !== kept?.texts[i])) {
    const values = texts.map((text, i) => parseSecret(text, ids[i]!, names));
    kept = { texts, env: environmentWith(Object.assign({}, ...values)) };
  }
  return kept.env;
}
