/** The variables of the platform's own API, for the fleet. */
import { type Environment, reader } from "./reader.ts";
import { text, token } from "./variable.ts";

export const PLATFORM = {
  url: text("PLATFORM_URL", "Trinity's own address, for `canary fleet` only; `--platform` stands in for it"),
  token: token("PLATFORM_TOKEN", "the token of an admin of that platform"),
};

/**
 * Reads where the platform's own API is.
 * @param given an address that is used instead of PLATFORM_URL
 * @throws ConfigError where the address or the token is missing, or can't be used
 */
export function loadPlatform(given?: string, env: Environment = process.env): { url: string; token: string } {
  const read = reader(env);
  const { url: named, token } = read.values(PLATFORM);
  const url = given ?? named;
  if (url === null) read.problem("PLATFORM_URL is missing: give Trinity's address, there or with --platform");
  // A query would swallow the path of each call, and a user is not sent.
  else if (!URL.canParse(url) || !/^https?:\/\/[^\s@?#]+$/.test(url))
    read.problem(
      `${given === undefined ? "PLATFORM_URL" : "--platform"} is not an address: give one like https://trinity.example.com`,
    );
  if (token === null) read.problem("PLATFORM_TOKEN is missing: give the token of an admin of the platform");
  read.end();
  return { url: url!.replace(/\/+$/, ""), token: token! };
}
