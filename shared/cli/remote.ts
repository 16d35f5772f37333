/** The API of a running canary, which `--env` or CANARY_URL names. */

import { loadPlatform } from "../config/platform.ts";
import { findProfile, loadProfile, type Profile, type TokenSource } from "../config/profiles.ts";
import { ConfigError } from "../config/reader.ts";
import { loadRemote } from "../config/remote.ts";
import type { Api, Names } from "./client.ts";
import { UsageError } from "./errors.ts";
import { type Answer, type Message, sendRequest } from "./http-request.ts";
import { tokenOf } from "./token.ts";

/** The longest time limit of a deployed API, plus the network. */
const REMOTE_MS = 250_000;

/** A running canary. */
export interface Remote {
  readonly url: string;
  readonly auth: TokenSource | { readonly region: string };
  /** What the user calls its parts, for errors. */
  readonly names: Names;
  /** The entry of the file that it stands in. */
  readonly place: string;
}

const warn = (line: string) => console.error(line);

const remoteOf = ({ url, auth, place }: Profile): Remote => ({
  url,
  auth,
  place,
  names: {
    url: `${place}.url`,
    token: `${place}.${"tokenCommand" in auth ? "tokenCommand" : "token"}`,
    iam: `${place}.auth "iam"`,
  },
});

function remoteOfVariables(): Remote | null {
  const remote = loadRemote();
  if (remote === null) return null;
  return {
    ...remote,
    place: "",
    names: { url: "CANARY_URL", token: "CANARY_TOKEN", iam: "CANARY_AUTH=iam" },
  };
}

/**
 * Finds the running canary. The profile that `--env` names wins over CANARY_URL, and takes nothing from the variables.
 * @returns null where neither names one
 * @throws ConfigError where one can't be used
 */
export const findRemote = (env: string | undefined): Remote | null =>
  env === undefined ? remoteOfVariables() : remoteOf(loadProfile(env, warn));

/**
 * Finds the canary that watches an environment of infra/environments.ts: that of the profile of the same name where
 * there is one, and of CANARY_URL otherwise.
 * @throws ConfigError where one can't be used
 */
export function findWatching(environment: string): Remote | null {
  const profile = findProfile(environment, warn);
  return profile === null ? remoteOfVariables() : remoteOf(profile);
}

/**
 * Finds the platform's own API: that of the profile that `--env` names, or of PLATFORM_URL.
 * @throws ConfigError where it is missing, or can't be used
 */
export async function findPlatform(env: string | undefined): Promise<{ url: string; token: string }> {
  if (env === undefined) return loadPlatform();
  const { place, platform } = loadProfile(env, warn);
  if (platform === null)
    throw new ConfigError([
      `${place}.platform is missing: give the address of Trinity and an admin's token, as {"url": "https://…", "tokenCommand": "…"}`,
    ]);
  return { url: platform.url, token: await tokenOf(`${place}.platform`, platform.auth) };
}

/** Signs the request with SigV4, as a function URL checks it. @throws UsageError where there are no credentials */
async function signed(url: string, message: Message, region: string, name: string): Promise<Message> {
  const [{ AwsClient }, { defaultProvider }] = await Promise.all([
    import("aws4fetch"),
    import("@aws-sdk/credential-provider-node"),
  ]);
  const credentials = await defaultProvider()().catch((error: Error) => {
    throw new UsageError(`${name} is set, but no AWS credentials were found: ${error.message}`);
  });
  const { method, headers, body } = message;
  const client = new AwsClient({ ...credentials, service: "lambda", region });
  const request = await client.sign(url, {
    ...(method !== undefined && { method }),
    ...(headers && { headers: { ...headers } }),
    ...(body !== undefined && { body }),
  });
  return { ...message, headers: Object.fromEntries(request.headers) };
}

async function send(remote: Remote, token: string | null, path: string, message: Message): Promise<Answer> {
  const { url, auth, names } = remote;
  const timeout = AbortSignal.timeout(REMOTE_MS);
  const signal = message.signal ? AbortSignal.any([timeout, message.signal]) : timeout;
  const bearer = token !== null && { authorization: `Bearer ${token}` };
  const json = { ...message, signal, headers: { "content-type": "application/json", ...bearer } };
  const request = "region" in auth ? await signed(url + path, json, auth.region, names.iam) : json;
  return sendRequest(url + path, request).catch((error: NodeJS.ErrnoException) => {
    const why = timeout.aborted ? `nothing within ${REMOTE_MS / 1000} s` : (error.code ?? "no connection");
    throw new UsageError(`${names.url} does not answer (${why}): is it the canary's address?`);
  });
}

/** Opens its API. The token is asked for with the first request, and once. */
export function openRemote(remote: Remote): Api {
  const { auth, place, names } = remote;
  let token: Promise<string | null> | undefined;
  return {
    names,
    request: async (path, message = {}) => {
      token ??= "region" in auth ? Promise.resolve(null) : tokenOf(place, auth);
      return send(remote, await token, path, message);
    },
    close: async () => {},
  };
}
